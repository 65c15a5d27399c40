"""The Matérn kernel with smoothness 5/2 and one length scale a column.

n, m  points                     D  features, d  columns
A, B  (n, D), (m, D) scaled features: each divided by its column's length scale
r     (n, m) sqrt(5) times the distance between rows of A and B
k     signal (1 + r + r^2 / 3) exp(-r)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asktell.optimize.surrogate.features import Features

Array = NDArray[np.float64]

_SQRT5 = math.sqrt(5.0)


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """length_scales: (d,) in the unit cube; signal, noise: variances of standardised values."""

    length_scales: Array
    signal: float
    noise: float


class Kernel:
    """Covariances between points given by their features."""

    def __init__(self, features: Features, hyper: Hyperparameters) -> None:
        self.features = features
        self.hyper = hyper
        self._inverse_scales = 1.0 / hyper.length_scales[features.column]

    def scaled(self, unit: Array) -> Array:
        """Scaled features. unit: (n, d); returns (n, D)."""
        return self.features.of(unit) * self._inverse_scales

    def between(self, a: Array, b: Array) -> Array:
        """Covariances of scaled features. (n, D), (m, D) -> (n, m)."""
        r = distances(a, b)
        return self.hyper.signal * ((1.0 + r + r * r / 3.0) * np.exp(-r))

    def with_slope(self, a: Array, b: Array) -> tuple[Array, Array]:
        """k and h, each (n, m): the derivative of k to row i of `a` is h[i, j] (b[j] - a[i])."""
        r = distances(a, b)
        decay = self.hyper.signal * np.exp(-r)
        rest = (1.0 + r) * decay
        return rest + (r * r / 3.0) * decay, (5.0 / 3.0) * rest

    def to_unit(self, gradient: Array) -> Array:
        """A gradient to scaled features, (n, D), as one to the unit cube: (n, d).

        It means nothing in the columns of categories.
        """
        return self.features.by_column(gradient * self._inverse_scales)


def distances(a: Array, b: Array) -> Array:
    """sqrt(5) times the Euclidean distance. (n, D), (m, D) -> (n, m)."""
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    return np.asarray(_SQRT5 * np.sqrt(np.maximum(squares, 0.0)))
