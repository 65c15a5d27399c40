"""One function drawn from a Gaussian process, to be looked at anywhere.

    n  points conditioned on        q  points asked about        R  random features of the prior
    A  (n, D) scaled features       omega  (R, D) frequencies    b  (R,) phases    w  (R,) weights

A draw from the prior, a sum of cosines, is corrected by what it lacks at the points conditioned on
(Matheron's rule; Wilson et al., 2020, call it pathwise conditioning).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asktell.optimize.surrogate.posterior import Posterior, Prediction

Array = NDArray[np.float64]

_FEATURES = 1024
_DEGREES = 5.0  # the spectrum of a Matérn kernel of smoothness 5/2: a t distribution of 2 x 5/2


class SamplePath:
    """A function drawn from a posterior of one column of values."""

    def __init__(self, posterior: Posterior, values: Array, rng: np.random.Generator) -> None:
        """values: (n,), what the posterior was conditioned on."""
        kernel, points = posterior.kernel, posterior.points
        self._kernel = kernel
        self._points = points
        heavy = np.sqrt(_DEGREES / rng.chisquare(_DEGREES, size=(_FEATURES, 1)))
        self._omega = heavy * rng.standard_normal((_FEATURES, points.shape[1]))
        self._phase = rng.uniform(0.0, 2.0 * np.pi, _FEATURES)
        self._amplitude = np.sqrt(2.0 * kernel.hyper.signal / _FEATURES) * rng.standard_normal(_FEATURES)
        noise = np.sqrt(kernel.hyper.noise + posterior.variance) * rng.standard_normal(len(points))
        lacking = values - self._prior(points) - noise
        self._weights = Posterior(
            kernel, points, posterior.lower, lacking[:, None], posterior.variance
        ).weights[:, 0]

    def predict(self, unit: Array) -> Prediction:
        """The function's values as means, at (q, d); there is no uncertainty left."""
        a = self._kernel.scaled(unit)
        covariance, slope = self._kernel.with_slope(a, self._points)
        values = self._prior(a) + covariance @ self._weights

        def pull(to_mean: Array, to_std: Array) -> Array:
            waves = -np.sin(a @ self._omega.T + self._phase) * self._amplitude
            h = slope * self._weights
            gradient = waves @ self._omega + h @ self._points - h.sum(axis=1)[:, None] * a
            return self._kernel.to_unit(to_mean * gradient)

        return Prediction(values[:, None], np.zeros(len(unit)), pull)

    def _prior(self, a: Array) -> Array:
        return np.asarray(np.cos(a @ self._omega.T + self._phase) @ self._amplitude)
