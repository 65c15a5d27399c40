"""Hyperparameters at the maximum of their posterior density, in logarithms, by analytic gradients.

    n  points        d  columns        D  features
    F  (n, D) features            y  (n,) standardised values
    theta  (d + 2,) logarithms of the length scales, the signal and the noise variance
    v  (n,) known variances of y
    K  (n, n) signal k(F, F) + noise I + diag v        alpha  K^-1 y        W  K^-1 - alpha alpha^T

Every logarithm has a normal prior. That of a length scale grows as log(sqrt(d)), as distances in a
cube do (Hvarfner, Hellsten and Nardi, 2024): without it, points in many dimensions tell a process
nothing of one another. Its place and width were found by trying: narrower, and shorter.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import fmin_l_bfgs_b

from asktell.optimize.surrogate.features import Features
from asktell.optimize.surrogate.kernel import Hyperparameters, Kernel

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

COARSE, FINE = 64, 200
"""Points for the search from afar, and for the last steps: a fit costs the same however many there are."""

_COARSE_STEPS, _FINE_STEPS = 30, 12
_SCALE_PRIOR = (math.sqrt(2.0) - 2.3, 1.0)  # mean, apart from log(sqrt(d)), and standard deviation
_SIGNAL_PRIOR = (0.0, 1.0)
_NOISE_PRIOR = (math.log(1e-4), 3.0)
_SCALE_BOUNDS = (math.log(0.01), math.log(30.0))
_SIGNAL_BOUNDS = (-4.0, 4.0)
_NOISE_BOUNDS = (math.log(1e-7), 0.0)
_FAST = 0.3  # a length scale, apart from sqrt(d)
_NOISY = 0.1
_NOT_DEFINITE = 1e10


def fit(
    features: Features, unit: Array, y: Array, rng: np.random.Generator, variance: Array | None = None
) -> Hyperparameters:
    """The most plausible hyperparameters, judged by at most `FINE` representative points.

    unit: (n, d); y: (n,), standardised; variance: (n,) of y, where it is known; noise comes on top.
    Without points they are those of the prior.
    A function of its arguments alone: nothing is carried over from an earlier fit, so that a process
    that resumes fits the same. The search starts twice on few points, and ends on more.
    """
    d = features.dims
    if not len(y):
        return _hyperparameters(_prior(d)[0], d)
    inputs = features.of(unit)
    known = np.zeros(len(y)) if variance is None else variance
    order = representative(y, rng) if len(y) > COARSE else np.arange(len(y))
    bounds = np.array([_SCALE_BOUNDS] * d + [_SIGNAL_BOUNDS, _NOISE_BOUNDS])

    def search(start: Array, rows: Indices, steps: int) -> tuple[float, Array]:
        theta, value, _ = fmin_l_bfgs_b(
            negative_log_posterior,
            np.clip(start, *bounds.T),
            args=(features, inputs[rows], y[rows], known[rows]),
            bounds=bounds,
            maxiter=steps,
            maxfun=steps + 10,
        )
        return float(value), theta

    # What varies can be fast or noisy: often there is a maximum for each, and one start finds one.
    noisy, fast = _prior(d)[0], _prior(d)[0]
    noisy[-1], fast[:d] = math.log(_NOISY), math.log(_FAST * math.sqrt(d))
    found = [search(start, order[:COARSE], _COARSE_STEPS) for start in (noisy, fast)]
    _, theta = min(found, key=lambda pair: pair[0])
    if len(order) > COARSE:
        _, theta = search(theta, order[:FINE], _FINE_STEPS)
    return _hyperparameters(theta, d)


def representative(y: Array, rng: np.random.Generator) -> Indices:
    """All rows, in an order of which every beginning is a third the best and two thirds at random.

    The best say what the function is like where it matters, the others what it is like elsewhere.
    """
    best, others = np.argsort(y, kind="stable"), rng.permutation(len(y))
    turns = np.stack([best, others, np.roll(others, len(y) // 2)], axis=1).ravel()
    _, first = np.unique(turns, return_index=True)
    return np.asarray(turns[np.sort(first)])


def negative_log_posterior(
    theta: Array, features: Features, inputs: Array, y: Array, variance: Array
) -> tuple[float, Array]:
    """-log p(y | theta) - log p(theta), up to a constant, and its gradient to theta: (d + 2,)."""
    d, n = features.dims, len(y)
    hyper = _hyperparameters(theta, d)
    kernel = Kernel(features, hyper)
    a = inputs / hyper.length_scales[features.column]
    signal, slope = kernel.with_slope(a, a)
    covariance = signal.copy()
    covariance.flat[:: n + 1] += hyper.noise + variance
    lower, failure = lapack.dpotrf(covariance, lower=1, clean=1)
    if failure:
        return _NOT_DEFINITE, np.zeros(d + 2)
    alpha = lapack.dpotrs(lower, y, lower=1)[0]
    half = lapack.dpotri(lower, lower=1)[0]  # the inverse, zeros above its diagonal
    w = half + half.T
    w.flat[:: n + 1] *= 0.5
    w -= np.outer(alpha, alpha)

    # dk/dlog l_j = h (difference in feature j / l_j)^2, summed over pairs by expanding the square.
    g = w * slope
    per_feature = (g.sum(axis=1) @ (a * a)) - (a * (g @ a)).sum(axis=0)
    gradient = np.concatenate(
        [features.by_column(per_feature), [0.5 * np.vdot(w, signal), 0.5 * hyper.noise * np.trace(w)]]
    )
    value = 0.5 * float(y @ alpha) + float(np.log(np.diag(lower)).sum())
    mean, deviation = _prior(d)
    z = (theta - mean) / deviation
    return value + 0.5 * float(z @ z), gradient + z / deviation


def _prior(d: int) -> tuple[Array, Array]:
    """Means and standard deviations of theta: (d + 2,) each."""
    centre, width = _SCALE_PRIOR
    scales = [(centre + 0.5 * math.log(d), width)] * d
    mean, deviation = np.transpose([*scales, _SIGNAL_PRIOR, _NOISE_PRIOR])
    return mean, deviation


def _hyperparameters(theta: Array, d: int) -> Hyperparameters:
    return Hyperparameters(np.exp(theta[:d]), math.exp(theta[d]), math.exp(theta[d + 1]))
