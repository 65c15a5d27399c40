"""What durations of trials tell of the next ones.

    n  attempts that the model looks at        d  columns of the unit cube
    t  (n,) logarithms of durations in seconds, standardised where a process is fitted to them
    z  (n,) leave-one-out errors of t in units of their predicted standard deviation

Below `FEW` finished trials, and where parameters say little, the prediction is the same for all
points: mean and spread of what was seen, widened by Student's t. Otherwise it is a Gaussian process of
log-duration over the parameters, whose quantiles are widened until the leave-one-out errors are
covered, as runtimes have heavier tails than the process believes. An attempt that was cut off enters
with the mean of what it may have become: at least so long.

Everything is a function of the history, in its order: a resumed study predicts what an unbroken one
would. The history is looked at when it has grown by a fifth, which keeps refits rare.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import log_ndtr, stdtrit
from threadpoolctl import threadpool_limits

from asktell.optimize.surrogate import Conditioner, Features, Kernel, Posterior
from asktell.optimize.surrogate import fit as hyperparameters
from asktell.optimize.surrogate.fit import COARSE
from asktell.runtime.attempts import FEW, Attempt, Runtime
from asktell.space import Space
from asktell.trial import Params

Array = NDArray[np.float64]

MOST = 300
"""Attempts that a fit looks at: all, or the latest half of these and as many of the earlier ones."""

TAIL = 0.025
"""Probability beyond each end of the predicted interval."""

SHORT = 0.25
_RECENT = 60
_PRIOR_SPREAD, _PRIOR_WEIGHT = 0.25, 4.0  # of log-durations: what is expected before much was seen
_LEAST_SPREAD = 0.02
_UNEXPLAINED = 0.7  # share of the variance that parameters leave: beyond, they are not looked at
_SEED = 0


@dataclass(slots=True)
class Fit:
    """A model of the first `version` attempts.

    low, high: distances of the interval's ends from the mean, in predicted standard deviations;
    errors: those that were seen, likewise, each predicted without its own attempt;
    range: of what was seen, in logarithms, widened by its spread: no end of an interval lies outside
    unless the mean does.
    """

    version: int
    surface: _Surface | None
    mean: float
    spread: float
    low: float
    high: float
    errors: Array
    range: tuple[float, float]
    short_s: float = math.inf

    def estimates(self, points: Sequence[Params]) -> list[Runtime]:
        mean, std = self._predict(points)
        low = np.maximum(mean - self.low * std, np.minimum(mean, self.range[0]))
        high = np.minimum(mean + self.high * std, np.maximum(mean, self.range[1]))
        return [Runtime(*row) for row in np.exp(np.stack([mean, low, high], axis=1)).tolist()]

    def draw(self, params: Params, rng: np.random.Generator) -> float:
        """A duration that a trial at this point may have, seconds: with one of the errors that were seen."""
        mean, std = self._predict([params])
        return math.exp(mean[0] + std[0] * rng.choice(self.errors))

    def _predict(self, points: Sequence[Params]) -> tuple[Array, Array]:
        """Mean and standard deviation of log-durations: (n,) each."""
        if self.surface is None:
            return np.full(len(points), self.mean), np.full(len(points), self.spread)
        mean, std = self.surface.predict(points)
        return self.mean + self.spread * mean, self.spread * std


def fit(space: Space | None, attempts: Sequence[Attempt], version: int) -> Fit | None:
    """What the attempts say, in their order; None before any has finished."""
    finished = [item for item in attempts if not item.is_cut]
    if not finished:
        return None
    # More threads are slower at these sizes, and change the last bits.
    with threadpool_limits(1):
        return _fit(space, attempts, finished, version)


def _fit(space: Space | None, attempts: Sequence[Attempt], finished: Sequence[Attempt], version: int) -> Fit:
    if space is None or len(finished) < FEW:
        found = _pooled(attempts, version)
    else:
        found = _over_space(space, [attempts[i] for i in _chosen(len(attempts))], version)
    recent = found.estimates([item.params for item in finished[-_RECENT:]])
    found.short_s = float(np.quantile([item.high_s for item in recent], SHORT))
    return found


def _pooled(attempts: Sequence[Attempt], version: int) -> Fit:
    """The same prediction everywhere: a conjugate normal of log-durations with a weak prior on its spread."""
    t = np.array([item.log_s for item in attempts if not item.is_cut])
    # Cut off later than the others ended: as good as finished, and the least that is known.
    late = [item.log_s for item in attempts if item.is_cut and item.log_s > t.max()]
    t = np.append(t, late)
    n = len(t)
    mean = float(t.mean())
    squares = _PRIOR_WEIGHT * _PRIOR_SPREAD**2 + float(((t - mean) ** 2).sum())
    freedom = _PRIOR_WEIGHT + n - 1
    spread = math.sqrt(squares / freedom * (1 + 1 / n))
    width = float(stdtrit(freedom, 1 - TAIL))
    return Fit(version, None, mean, spread, width, width, (t - mean) / spread, (-math.inf, math.inf))


def _over_space(space: Space, attempts: Sequence[Attempt], version: int) -> Fit:
    t = np.array([item.log_s for item in attempts])
    is_cut = np.array([item.is_cut for item in attempts])
    unit = space.to_unit_many([item.params for item in attempts])
    mean = float(t[~is_cut].mean())
    spread = max(float(t[~is_cut].std()), _LEAST_SPREAD)
    seen = (float(t.min()) - spread, float(t.max()) + spread)
    t = (t - mean) / spread
    least = _LEAST_SPREAD / spread
    kernel = _kernel(space, unit[~is_cut], t[~is_cut])
    surface = _Surface(space, kernel, unit[~is_cut], t[~is_cut], least)
    error, _ = surface.left_out()
    if float((error**2).mean()) > _UNEXPLAINED:
        return _pooled(attempts, version)
    if is_cut.any():
        t[is_cut] = _beyond(t[is_cut], *surface.at(unit[is_cut]))
        surface = _Surface(space, kernel, unit, t, least)
    error, std = surface.left_out()
    z = error / std
    # The hyperparameters were fitted to the same points, so their errors look smaller than they are.
    freedom = max(len(z) - space.dims - 2.0, 2.0)
    scale = math.sqrt((_PRIOR_WEIGHT + float(z @ z)) / (_PRIOR_WEIGHT + freedom))
    width = scale * float(stdtrit(max(freedom, _PRIOR_WEIGHT), 1 - TAIL))
    z = z * math.sqrt(len(z) / freedom)
    low, high = _ends(z)
    return Fit(version, surface, mean, spread, max(width, -low), max(width, high), z, seen)


def _kernel(space: Space, unit: Array, t: Array) -> Kernel:
    """Hyperparameters from at most `COARSE` points: finer ones would cost more than they tell here."""
    features, rows = Features(space), np.linspace(0, len(t) - 1, min(len(t), COARSE)).astype(np.int64)
    return Kernel(features, hyperparameters(features, unit[rows], t[rows], np.random.default_rng(_SEED)))


class _Surface:
    """A Gaussian process of standardised log-durations; least: smallest standard deviation of its noise."""

    def __init__(self, space: Space, kernel: Kernel, unit: Array, t: Array, least: float) -> None:
        self._space = space
        lower = Conditioner().factor(kernel, kernel.scaled(unit))
        self._posterior = Posterior(kernel, kernel.scaled(unit), lower, t[:, None])
        self._noise = max(kernel.hyper.noise, least**2)

    def predict(self, points: Sequence[Params]) -> tuple[Array, Array]:
        return self.at(self._space.to_unit_many(points))

    def at(self, unit: Array) -> tuple[Array, Array]:
        """Mean and standard deviation, noise included, of the durations at (q, d): (q,) each."""
        found = self._posterior.predict(unit)
        return found.mean[:, 0], np.sqrt(found.std**2 + self._noise)

    def left_out(self) -> tuple[Array, Array]:
        """Each value's error, predicted from the others, and its predicted standard deviation: (n,) each.

        Rasmussen and Williams (2006), eqs. 5.10-5.12.
        """
        lower = self._posterior.lower
        inverse = solve_triangular(lower, np.eye(len(lower)), lower=True, check_finite=False)
        precision = (inverse**2).sum(axis=0)
        error = self._posterior.weights[:, 0] / precision
        missing = self._noise - self._posterior.hyper.noise
        return error, np.sqrt(1 / precision + missing)


def _beyond(cut: Array, mean: Array, std: Array) -> Array:
    """Expected values of normal variables that are at least `cut`: (k,)."""
    a = (cut - mean) / std
    ratio = np.exp(-0.5 * a**2 - 0.5 * math.log(2 * math.pi) - log_ndtr(-a))
    return np.asarray(np.maximum(mean + std * ratio, cut))


def _ends(z: Array) -> Array:
    """The order statistics between which a further error falls with 1 - 2 TAIL: (2,)."""
    n = len(z)
    rank = min(n, math.ceil((n + 1) * (1 - TAIL)))
    return np.sort(z)[[n - rank, rank - 1]]


def _chosen(n: int) -> NDArray[np.int64]:
    """Which of n attempts a fit looks at, oldest first."""
    if n <= MOST:
        return np.arange(n)
    recent = MOST // 2
    earlier = np.linspace(0, n - recent - 1, MOST - recent).astype(np.int64)
    return np.concatenate([earlier, np.arange(n - recent, n)])
