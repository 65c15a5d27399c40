"""The Matérn kernel with smoothness 5/2 and one length scale a column.

n, m  points                     D  features, d  columns
A, B  (n, D), (m, D) scaled features: each divided by its column's length scale
r     (n, m) sqrt(5) times the distance between rows of A and B
k     signal (1 + r + r^2 / 3) exp(-r)

Arithmetic is in place: these arrays are large, and most of the time would go into copying them.
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
        return self.with_slope(a, b)[0]

    def with_slope(self, a: Array, b: Array) -> tuple[Array, Array]:
        """k and h, each (n, m): the derivative of k to row i of `a` is h[i, j] (b[j] - a[i])."""
        r = distances(a, b)
        decay = np.negative(r)
        np.exp(decay, out=decay)
        decay *= self.hyper.signal
        h = 1.0 + r
        h *= decay
        k = np.square(r, out=r)
        k *= decay
        k /= 3.0
        k += h
        h *= 5.0 / 3.0
        return k, h

    def to_unit(self, gradient: Array) -> Array:
        """A gradient to scaled features, (n, D), as one to the unit cube: (n, d).

        It means nothing in the columns of categories.
        """
        return self.features.by_column(gradient * self._inverse_scales)


def distances(a: Array, b: Array) -> Array:
    """sqrt(5) times the Euclidean distance. (n, D), (m, D) -> (n, m)."""
    r: Array = a @ b.T
    r *= -2.0
    r += (a * a).sum(axis=1)[:, None]
    r += (b * b).sum(axis=1)
    np.sqrt(np.maximum(r, 0.0, out=r), out=r)
    r *= _SQRT5
    return r
