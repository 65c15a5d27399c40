"""What the surrogates of the `gp` engine are shown for one proposal, and what they make of it.

    N  points asked                  n  points conditioned on: told, and as the strategy has it pending
    d  columns of the unit cube      S  fantasies: possible outcomes of the pending points, jointly drawn
    z  losses as the surrogate sees them: one value each, mean 0, standard deviation 1 (`gp_losses`)

Hyperparameters are fitted anew from what `settled` says. What is kept from one proposal to the next
(they, and rows of a factor) is kept only as long as it would come out the same again, to the bit.

Up to `max_points` points the process is exact. Beyond, each proposal is conditioned on `local_points` of
them around one of the best, and made near it (`local_rows`): its cost no longer grows with the history.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from asktell.optimize.engines.gp_criterion import Limit
from asktell.optimize.engines.gp_losses import Shown, about_bounds, shown
from asktell.optimize.engines.gp_model import Model
from asktell.optimize.engines.gp_rows import local_centre, local_rows, settled
from asktell.optimize.engines.gp_search import Region
from asktell.optimize.engines.options import GaussianProcessOptions, Pending
from asktell.optimize.history import History
from asktell.optimize.pending import Lie, constant_lie, standardised
from asktell.optimize.surrogate import Features, Posterior, fantasies
from asktell.space import Space

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

_CENTRES = 8
_PART = 0.5  # of the usual candidates is enough for a neighbourhood
_NOT_CONDITIONED = (Pending.LOCAL_PENALISATION, Pending.NONE)
_AVERAGED = ("log_ei", "ei", "pi")
"""What is averaged over fantasies; the others take the mean of pending points."""


@dataclass(frozen=True, slots=True)
class Task:
    """One proposal to be made.

    history: as the surrogates shall see it; weights: (m,) of the objectives; apart: (p, d) points to be
    penalised around; rng: for all that is drawn, except what pending trials may come to: that is `base`.
    """

    history: History
    options: GaussianProcessOptions
    weights: Array
    apart: Array
    rng: np.random.Generator
    base: np.random.Generator


@dataclass(frozen=True, slots=True)
class View:
    """What the objective's surrogate was shown. rows: (n,) of the history, ascending."""

    rows: Indices
    fitted: int  # how many its hyperparameters were fitted to
    values: Array  # (n, S)
    posterior: Posterior
    told: Posterior  # the same without pending points, where the acquisition asks for it
    region: Region
    best: Array | None  # (S,); None where no point told is feasible
    centre: Array  # (d,): where to look, if not everything is looked at


class Surrogates:
    """The objective's, that of failure, and one of each bounded outcome."""

    def __init__(self, space: Space, seed: int) -> None:
        self._dims = space.dims
        self._new_model: Callable[[], Model] = partial(Model, Features(space), seed)
        self._objective = self._new_model()
        self._told = self._new_model()
        self._failure = self._new_model()
        self._outcomes: dict[str, Model] = {}

    def view(self, task: Task) -> View:
        """The objective given everything told, and pending trials as the options have it.

        Raises LinAlgError where rounding leaves a covariance indefinite.
        """
        history, options = task.history, task.options
        told = _shown(task, history.is_told)
        z = np.full(len(history.unit), np.nan)
        variance = np.full(len(z), np.median(told.variance))  # what is pending will be as uncertain
        z[history.is_told], variance[history.is_told] = told
        fitted = history.is_told & _settled(history)
        kernel = self._objective.kernel(history.unit[fitted], *_shown(task, fitted))
        is_shown = history.is_told.copy()
        if options.pending not in _NOT_CONDITIONED:
            is_shown |= history.is_pending
        rows = np.flatnonzero(is_shown)
        centre, near = history.unit[local_centre(z, task.rng)], None
        points = kernel.scaled(history.unit[rows])
        if len(rows) > options.max_points:
            at, is_pending = kernel.scaled(centre[None, :])[0], history.is_pending[rows]
            chosen, close = local_rows(points, at, z[rows], is_pending, options.limit)
            near, rows, points = rows[close], rows[chosen], points[chosen]
        lower = self._objective.factor(kernel, points, variance[rows])
        values = _values(task, lower, z[rows], history.is_pending[rows])
        posterior = Posterior(kernel, points, lower, values, variance[rows])
        told_only, is_told = posterior, history.is_told[rows]
        if options.acquisition == "gibbon" and not is_told.all():
            points, variance, z = points[is_told], variance[rows][is_told], z[rows][is_told]
            lower = self._told.factor(kernel, points, variance)
            told_only = Posterior(kernel, points, lower, z[:, None], variance)
        return View(
            rows=rows,
            fitted=int(fitted.sum()),
            values=values,
            posterior=posterior,
            told=told_only,
            region=self._region(history, rows, posterior, near),
            best=_best(history, rows, posterior),
            centre=centre,
        )

    def limits(self, task: Task, centre: Array) -> list[Limit]:
        """What a point has to fulfil besides being good: success, and outcomes within their bounds."""
        history = task.history
        limits = []
        if history.is_failed.any():
            has_ended = ~history.is_pending
            label = np.where(history.is_failed, 1.0, -1.0)
            bounded = _bounded(self._failure, task, label, has_ended, (-np.inf, 0.0), centre)
            limits.append(Limit(*bounded, is_success=True))
        for name, bounds in history.outcome_bounds.items():
            model = self._outcomes.setdefault(name, self._new_model())
            bounded = _bounded(model, task, history.outcomes[name], history.is_told, bounds, centre)
            limits.append(Limit(*bounded))
        return limits

    def _region(self, history: History, rows: Indices, posterior: Posterior, near: Indices | None) -> Region:
        means = posterior.fitted.mean(axis=1)
        low, high, share = np.zeros(self._dims), np.ones(self._dims), 1.0
        if near is not None:
            share = _PART
            means = np.where(np.isin(rows, near), means, np.inf)
            low, high = history.unit[near].min(axis=0), history.unit[near].max(axis=0)
        centres = rows[np.argsort(means, kind="stable")[:_CENTRES]]
        scales = np.minimum(posterior.hyper.length_scales, 1.0)
        return Region(history.unit[centres], scales, low, high, share)


def _settled(history: History) -> Mask:
    return np.arange(len(history.unit)) < settled(history.is_pending)


def _shown(task: Task, rows: Mask) -> Shown:
    """What the surrogate is to make of the rows' losses; all of them were told."""
    losses = task.history.losses[rows]
    errors = np.zeros_like(losses)
    for column, name in enumerate(task.options.noise):
        told = task.history.outcomes[name][rows]
        errors[:, column] = np.where(np.isfinite(told) & (told > 0), told, 0.0)
    return shown(losses, errors, task.weights, tail=task.options.tail)


def _values(task: Task, lower: Array, z: Array, is_pending: Mask) -> Array:
    """Values of the points conditioned on, with those that pending ones may come to: (n, S)."""
    options, p = task.options, int(is_pending.sum())
    if options.pending in (Pending.MIN, Pending.MEAN, Pending.MAX) and p:
        return np.where(is_pending, constant_lie(Lie(options.pending), z[~is_pending]), z)[:, None]
    return fantasies(lower, z, is_pending, imagined(task, p))


def imagined(task: Task, p: int) -> Array:
    """What p pending points may come to, in standard deviations from their means: (p, S)."""
    options = task.options
    if options.pending is not Pending.FANTASIES or options.acquisition not in _AVERAGED or not p:
        return np.zeros((p, 1))
    # In pairs of opposite signs: their average is the mean, as a believer has it.
    half = task.base.standard_normal((p, options.fantasies // 2))
    return np.hstack([half, -half])


def _bounded(
    model: Model, task: Task, values: Array, is_known: Mask, bounds: tuple[float, float], centre: Array
) -> tuple[Posterior, float, float]:
    """The surrogate of values, (N,), where they are known, and their bounds as it has them.

    Far from everything that is known, it predicts their mean and standard deviation.
    """
    history, options = task.history, task.options
    is_fitted = is_known & _settled(history)
    shape = about_bounds(values[is_fitted], *bounds)
    values = shape(values)
    kernel = model.kernel(history.unit[is_fitted], standardised(values[is_fitted], tail=False))
    rows = np.flatnonzero(is_known)
    points = kernel.scaled(history.unit[rows])
    if len(rows) > options.max_points:
        at, none = kernel.scaled(centre[None, :])[0], np.zeros(len(rows), dtype=bool)
        chosen, _ = local_rows(points, at, values[rows], none, options.limit)
        rows, points = rows[chosen], points[chosen]
    mean, spread = float(values[is_known].mean()), float(values[is_known].std()) or 1.0
    z = (values[rows] - mean) / spread
    posterior = Posterior(kernel, points, model.factor(kernel, points), z[:, None])
    low, high = ((float(bound) - mean) / spread for bound in shape(np.array(bounds)))
    return posterior, low, high


def _best(history: History, rows: Indices, posterior: Posterior) -> Array | None:
    """What is to be improved on, for each fantasy: the lowest mean at a feasible point: (S,).

    Means, not values: noise makes the lowest value a lucky one. A pending point counts as soon as it
    is imagined, unless it may turn out infeasible.
    """
    is_eligible = history.is_feasible[rows]
    if not is_eligible.any():
        return None
    if not history.outcome_bounds:
        is_eligible = is_eligible | history.is_pending[rows]
    lowest: Array = posterior.fitted[is_eligible].min(axis=0)
    return lowest
