"""How much a point promises, from what a surrogate predicts there. More is better.

    q  points        S  fantasies: possible outcomes of pending trials
    mean  (q, S)     std  (q,)     best  (S,) the loss to improve on; losses are minimised
    z  (best - mean) / std         phi, Phi  density and distribution of the standard normal
    h(z)  phi(z) + z Phi(z)

All but `information` are logarithms: a product with a probability becomes a sum, and where there is
hardly anything to gain there still is a slope to climb. Each is returned with its derivatives to mean
and std.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, expit, log_ndtr, logsumexp

Array = NDArray[np.float64]

_LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)
_LEVELS = 400  # of the minimum, between which its distribution is interpolated
_ASYMPTOTIC = -100.0  # z below which h(z) / phi(z) is taken from its series


class Valued(NamedTuple):
    """value and derivatives to mean and std, of the same shape."""

    value: Array
    to_mean: Array
    to_std: Array


def log_expected_improvement(mean: Array, std: Array, best: Array) -> Valued:
    """log E[max(best - f, 0)] for f normal: log std + log h(z) (Ament et al., 2023, LogEI)."""
    std = std[:, None]
    z = (best - mean) / std
    value, slope = _log_h(z)
    return Valued(np.log(std) + value, -slope / std, (1.0 - slope * z) / std)


def log_probability_of_improvement(mean: Array, std: Array, best: Array) -> Valued:
    """log P(f < best) = log Phi(z)."""
    std = std[:, None]
    z = (best - mean) / std
    slope = _hazard(z)
    return Valued(log_ndtr(z), -slope / std, -slope * z / std)


def log_confidence_bound(mean: Array, std: Array, best: Array, kappa: float) -> Valued:
    """log softplus(t) of the optimist's gain t = best - (mean - kappa std).

    Grows with t, so it is largest where the lower confidence bound is lowest; unlike t it is the
    logarithm of something positive, which a probability of feasibility can be multiplied with.
    """
    gain = best - mean + kappa * std[:, None]
    softplus = np.logaddexp(0.0, gain)
    is_hopeless = gain < -30.0  # softplus(t) = exp(t) there
    value = np.where(is_hopeless, gain, np.log(np.maximum(softplus, 1e-300)))
    slope = np.where(is_hopeless, 1.0, expit(gain) / np.maximum(softplus, 1e-300))
    return Valued(value, -slope, kappa * slope)


def information(mean: Array, std: Array, minima: Array, noise: float) -> Valued:
    """Nats that a measurement is worth at least about the minimum: GIBBON of one point.

    minima: (M,) samples of the lowest value; noise: variance of a measurement. With u = (mean - minimum)
    / std and r = phi(u) / Phi(u): -1/2 of the average over minima of log(1 - rho^2 r (u + r)), rho^2 =
    std^2 / (std^2 + noise) (Moss, Leslie, Gonzalez and Rayson, 2021, with signs for minimisation). A
    group's part of the paper's formula is `gp_criterion.Repulsion`.
    """
    std = std[:, None]
    u = (mean - minima) / std
    r = _hazard(u)
    h = np.clip(r * (u + r), 0.0, 1.0)
    total = std**2 + noise
    share = std**2 / total
    left = np.maximum(1.0 - share * h, 1e-12)
    value = -0.5 * np.log(left).mean(axis=1, keepdims=True)
    to_u = 0.5 * share * (r * (1.0 - h) - h * (u + r)) / left
    to_share = (0.5 * h / left).mean(axis=1, keepdims=True)
    to_std = (-to_u * u / std).mean(axis=1, keepdims=True) + to_share * 2.0 * std * noise / total**2
    return Valued(value, (to_u / std).mean(axis=1, keepdims=True), to_std)


def sample_minima(mean: Array, std: Array, quantiles: Array) -> Array:
    """Quantiles of the lowest of independent normal values, (M,): a mean-field view of a function's minimum.

    mean, std: (q,); quantiles: (M,) in (0, 1). Wang and Jegelka (2017) go on to fit a Gumbel distribution.
    """
    levels = np.linspace((mean - 6.0 * std).min(), mean.min() + std.max(), _LEVELS)
    log_above = log_ndtr((mean[:, None] - levels) / std[:, None]).sum(axis=0)
    return np.interp(quantiles, -np.expm1(log_above), levels)


def log_probability_within(mean: Array, std: Array, low: float, high: float) -> Valued:
    """log P(low < f < high) for f normal; mean, std: (q,). Either bound may be infinite."""
    upper, lower = (high - mean) / std, (low - mean) / std
    # Where both bounds lie above the mean, the mirror image keeps its digits: 1 - (1 - tiny) does not.
    is_mirrored = lower > 0.0
    a, b = np.where(is_mirrored, -upper, lower), np.where(is_mirrored, -lower, upper)
    log_a, log_b = log_ndtr(a), log_ndtr(b)
    value = log_b + np.log1p(-np.exp(np.minimum(log_a - log_b, -1e-15)))
    at_upper, at_lower = np.exp(_log_phi(upper) - value), np.exp(_log_phi(lower) - value)
    to_std = _finite(lower) * at_lower - _finite(upper) * at_upper
    return Valued(value, (at_lower - at_upper) / std, to_std / std)


def average(over: Valued) -> Valued:
    """The logarithm of the mean over fantasies, of shape (q,), with derivatives (q, S) and (q,).

    For expected improvement that is its expectation over what pending trials may come to
    (Snoek, Larochelle and Adams, 2012).
    """
    total = logsumexp(over.value, axis=1)
    share = np.exp(over.value - total[:, None])
    return Valued(
        total - math.log(over.value.shape[1]), share * over.to_mean, (share * over.to_std).sum(axis=1)
    )


def local_penalty(
    distance: Array, mean: Array, std: Array, best: float, lipschitz: float
) -> tuple[Array, Array]:
    """log of local penalisers around pending points, summed over them, and the slopes to each distance.

    distance: (q, p); mean, std: (p,) predicted at the pending points. Returns (q,) and (q, p).
    A penaliser is the probability that a point lies outside the ball in which, for the Lipschitz
    constant, nothing below `best` can be (González, Dai, Hennig and Lawrence, 2016).
    """
    z = (lipschitz * distance - (mean - best)) / std
    return log_ndtr(z).sum(axis=1), _hazard(z) * lipschitz / std


def _log_h(z: Array) -> tuple[Array, Array]:
    """log h(z) and its derivative Phi(z) / h(z), without cancellation for z far below 0."""
    near = np.maximum(z, -1.0)
    density, share = np.exp(_log_phi(near)), np.exp(log_ndtr(near))
    h = density + near * share
    far = np.minimum(z, -1.0)
    mills = 1.0 / _hazard(far)  # Phi / phi
    series = 1.0 / far**2 - 3.0 / far**4
    ratio = np.where(far < _ASYMPTOTIC, series, 1.0 + np.maximum(far, _ASYMPTOTIC) * mills)  # h / phi
    is_near = z > -1.0
    value = np.where(is_near, np.log(h), _log_phi(far) + np.log(ratio))
    return value, np.where(is_near, share / h, mills / ratio)


def _hazard(z: Array) -> Array:
    """phi(z) / Phi(z), the derivative of log Phi(z)."""
    return np.asarray(math.sqrt(2.0 / math.pi) / erfcx(-z / math.sqrt(2.0)))


def _log_phi(z: Array) -> Array:
    return np.asarray(-0.5 * z * z - _LOG_ROOT_2PI)


def _finite(z: Array) -> Array:
    """z, or 0 where it is infinite: there phi(z) z is 0, too."""
    return np.where(np.isfinite(z), z, 0.0)
