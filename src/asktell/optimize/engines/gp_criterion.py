"""What a proposal of the `gp` engine makes as large as possible.

    q  points        p  pending points        d  columns of the unit cube        D  features

A sum of logarithms: what a point promises, how likely it fulfils each limit, and how far it keeps
from pending points (local penalisation and GIBBON only, whose information enters as it is: the paper
reads a group's as a determinantal point process, in which it is the logarithm of a point's quality).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asktell.optimize.acquisition import Valued, average, local_penalty, log_probability_within
from asktell.optimize.surrogate import Kernel, Posterior, Prediction

Array = NDArray[np.float64]
Gradient = Callable[[], Array]

MIN_SUCCESS = 2.0 / 3.0
"""A point that is less likely to succeed than this is proposed only where hardly anything else is left.

Half is where two neighbours disagree: with it, the edge of a region that fails is bisected without end.
"""

_RELUCTANCE = 100.0  # times that the logarithm of success counts below MIN_SUCCESS
_MIN_SLOPE = 1e-7  # of the mean; below, there is no Lipschitz constant to speak of
_MIN_DISTANCE = 1e-12


class Predicts(Protocol):
    def predict(self, unit: Array) -> Prediction: ...


class Term(Protocol):
    def term(self, unit: Array) -> tuple[Array, Gradient]:
        """(q,), to be added to a criterion, and what gives its gradient."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A quantity that has to stay between bounds. success: it decides whether a trial has a result at all."""

    quantity: Posterior
    low: float
    high: float
    is_success: bool = False

    def log_probability(self, prediction: Prediction) -> Valued:
        """(q,), and derivatives; below MIN_SUCCESS a failure counts many times."""
        found = log_probability_within(prediction.mean[:, 0], prediction.std, self.low, self.high)
        if not self.is_success:
            return found
        missing = np.minimum(found.value - np.log(MIN_SUCCESS), 0.0)
        times = np.where(missing < 0.0, 1.0 + _RELUCTANCE, 1.0)
        return Valued(found.value + _RELUCTANCE * missing, times * found.to_mean, times * found.to_std)


class Penaliser:
    """Keeps proposals away from pending points that the surrogate was not conditioned on.

    Distances are Euclidean in scaled features, as if the paper's inputs had been divided by the length
    scales; the Lipschitz constant is the steepest slope of the mean there, as far as it was looked for.
    """

    def __init__(self, posterior: Posterior, best: float, pending: Array, probes: Array) -> None:
        """pending: (p, d); probes: (q, d) places at which the mean's slope is looked at."""
        self._kernel: Kernel = posterior.kernel
        self._points = self._kernel.scaled(pending)
        self._best = best
        at = posterior.predict(pending)
        self._mean, self._std = at.mean.mean(axis=1), at.std
        found = posterior.predict(probes)
        slopes = found.pull(np.full_like(found.mean, 1.0 / found.mean.shape[1]), np.zeros(len(probes)))
        steepest = np.sqrt(((slopes * self._kernel.hyper.length_scales) ** 2).sum(axis=1)).max()
        self._lipschitz = float(steepest) if steepest > _MIN_SLOPE else 10.0  # as the paper's code does

    def term(self, unit: Array) -> tuple[Array, Gradient]:
        a = self._kernel.scaled(unit)
        offsets = a[:, None, :] - self._points  # (q, p, D)
        distance = np.sqrt((offsets**2).sum(axis=2))
        value, slope = local_penalty(distance, self._mean, self._std, self._best, self._lipschitz)

        def gradient() -> Array:
            per_distance = slope / np.maximum(distance, _MIN_DISTANCE)
            return self._kernel.to_unit(np.einsum("qp,qpd->qd", per_distance, offsets))

        return value, gradient


@dataclass(frozen=True, slots=True)
class Repulsion:
    """1/2 log of the share of a measurement's variance that pending points leave.

    Summed over a group it is 1/2 log det of the correlations of its measurements, the term with which
    GIBBON keeps its points apart.
    """

    told: Posterior
    told_and_pending: Posterior

    def term(self, unit: Array) -> tuple[Array, Gradient]:
        noise = self.told.hyper.noise
        before, after = self.told.predict(unit), self.told_and_pending.predict(unit)
        whole, left = before.std**2 + noise, after.std**2 + noise

        def gradient() -> Array:
            nothing = np.zeros_like(before.mean), np.zeros_like(after.mean)
            return after.pull(nothing[1], after.std / left) - before.pull(nothing[0], before.std / whole)

        return 0.5 * np.log(left / whole), gradient


@dataclass(frozen=True, slots=True)
class Sum:
    """The criterion. Without an incumbent to improve on there is no objective: only limits count.

    utility: of (mean, std, best); best: (S,) the loss to improve on, or samples of it.
    is_linear: its exponential instead, for those who want expected improvement itself.
    """

    objective: Predicts | None
    utility: Callable[[Array, Array, Array], Valued]
    best: Array
    limits: Sequence[Limit] = ()
    apart: Sequence[Term] = ()
    is_linear: bool = False

    def value(self, unit: Array) -> Array:
        total = self._sum(unit)
        return np.exp(total) if self.is_linear else total

    def logarithm(self, unit: Array, values: Array) -> Array:
        """The sum itself, which still tells points apart where its exponential is 0; values: the criteria."""
        return self._sum(unit) if self.is_linear else values

    def _sum(self, unit: Array) -> Array:
        return np.asarray(np.sum([value for value, _ in self._terms(unit)], axis=0) + np.zeros(len(unit)))

    def promise(self, mean: Array, std: Array, best: Array) -> Array:
        """The objective's part of the logarithm, where it predicts mean, (q, S), and std, (q,)."""
        return average(self.utility(mean, std, best)).value

    def with_gradient(self, unit: Array) -> tuple[Array, Array]:
        terms = list(self._terms(unit))
        total = np.sum([value for value, _ in terms], axis=0) + np.zeros(len(unit))
        slope = np.sum([gradient() for _, gradient in terms], axis=0) + np.zeros(unit.shape)
        if self.is_linear:
            total = np.exp(total)
            slope = slope * total[:, None]
        return total, slope

    def _terms(self, unit: Array) -> Iterator[tuple[Array, Gradient]]:
        if self.objective is not None:
            prediction = self.objective.predict(unit)
            promise = average(self.utility(prediction.mean, prediction.std, self.best))
            yield promise.value, partial(prediction.pull, promise.to_mean, promise.to_std)
        for limit in self.limits:
            prediction = limit.quantity.predict(unit)
            within = limit.log_probability(prediction)
            yield within.value, partial(prediction.pull, within.to_mean[:, None], within.to_std)
        for keeper in self.apart:
            yield keeper.term(unit)
