"""The surrogate of one quantity, with what may be kept from one proposal to the next.

n  points        d  columns of the unit cube        D  features
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asktell.optimize.surrogate import Conditioner, Features, Kernel, fit

Array = NDArray[np.float64]

_FIT_KEY = 2  # keeps the choice of points to fit to independent of what is drawn for proposals


class Model:
    """Hyperparameters and factors: functions of their arguments, remembered while these are the same."""

    def __init__(self, features: Features, seed: int) -> None:
        self._features = features
        self._seed = seed
        self._conditioner = Conditioner()
        self._fitted: tuple[Array, Array, Array, Kernel] | None = None

    def kernel(self, unit: Array, values: Array, variance: Array | None = None) -> Kernel:
        """The kernel fitted to standardised values, (n,), at (n, d). The same object for the same data.

        variance: (n,) of the values, where it is known.
        """
        variance = np.zeros(len(values)) if variance is None else variance
        if self._fitted is not None:
            *last, kernel = self._fitted
            if all(map(np.array_equal, last, (unit, values, variance))):
                return kernel
        rng = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(_FIT_KEY, len(values))))
        kernel = Kernel(self._features, fit(self._features, unit, values, rng, variance))
        self._fitted = (unit, values, variance, kernel)
        return kernel

    def factor(self, kernel: Kernel, points: Array, variance: Array | None = None) -> Array:
        """The lower factor of scaled features, (n, D): (n, n). See `Conditioner`."""
        return self._conditioner.factor(kernel, points, variance)
