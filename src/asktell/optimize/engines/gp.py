"""Bayesian optimisation with a Gaussian process of our own: quick, whatever runs at the same time.

    N  points asked                  n  points conditioned on: told, and as the strategy has it pending
    d  columns of the unit cube      S  fantasies: possible outcomes of the pending points, jointly drawn
    z  losses as the surrogate sees them: one value each, mean 0, standard deviation 1 (`gp_losses`)

A proposal is a function of (space, options, seed, history, number): all randomness is drawn from
(seed, number), hyperparameters are fitted anew from what `settled` says, and what is kept from one
proposal to the next (hyperparameters, rows of a factor) is kept only as long as it would come out the
same again, to the bit.

Up to `max_points` points the process is exact. Beyond, each proposal is conditioned on as many of them
around one of the best and made near it (`local_rows`): its cost no longer grows with the history.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from asktell.optimize.acquisition import (
    Valued,
    log_confidence_bound,
    log_expected_improvement,
    log_probability_of_improvement,
)
from asktell.optimize.engines.designs import DesignThenModel
from asktell.optimize.engines.gp_criterion import Limit, Penaliser, Predicts, Sum
from asktell.optimize.engines.gp_losses import Shown, draw_weights, shown
from asktell.optimize.engines.gp_model import Model
from asktell.optimize.engines.gp_rows import local_centre, local_rows, settled
from asktell.optimize.engines.gp_search import Region, Search
from asktell.optimize.engines.options import GaussianProcessOptions, Pending
from asktell.optimize.history import History, Proposal
from asktell.optimize.pending import Lie, Taken, constant_lie, standardised, unused_point
from asktell.optimize.surrogate import Features, Posterior, SamplePath, fantasies
from asktell.space import Space
from asktell.trial import Origin

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

_CENTRES = 8
_PROBES = 128
_NOT_CONDITIONED = (Pending.LOCAL_PENALISATION, Pending.NONE)
_AVERAGED = (
    "log_ei",
    "ei",
    "pi",
)  # what is averaged over fantasies; the others take the mean of pending points


@dataclass(frozen=True, slots=True)
class _View:
    """What the objective's surrogate was shown. rows: (n,) of the history, ascending."""

    rows: Indices
    values: Array  # (n, S)
    posterior: Posterior
    region: Region
    best: Array | None  # (S,); None where no point told is feasible
    centre: Array  # (d,): where to look, if not everything is looked at


class GaussianProcess:
    """Failures and outcomes out of bounds are predicted, and avoided, not given a loss.

    Several objectives are one loss, weighted anew for each proposal (`gp_losses`).
    """

    name = "gp"

    def __init__(self, space: Space, seed: int, initial: int, options: GaussianProcessOptions) -> None:
        self._space = space
        self._seed = seed
        self._sequence = DesignThenModel(space, seed, initial)
        self._options = options
        self.reads = options.noise
        self._search = Search(space)
        features = Features(space)
        self._new_model: Callable[[], Model] = partial(Model, features, seed)
        self._objective = self._new_model()
        self._failure = self._new_model()
        self._outcomes: dict[str, Model] = {}
        # One thread of linear algebra: more are slower at these sizes, and change the last bits.
        self._threads = ThreadpoolController()

    def propose(self, history: History, number: int, count: int) -> list[Proposal]:
        def from_model(history: History, taken: Taken, number: int, _: int) -> list[Proposal]:
            with self._threads.limit(limits=1), np.errstate(all="ignore"):
                return [self._from_model(history, taken, number)]

        return self._sequence.propose(history, number, count, from_model)

    def _from_model(self, history: History, taken: Taken, number: int) -> Proposal:
        rng = np.random.default_rng([self._seed, number])
        weights = draw_weights(history.losses.shape[1], self._seed, number)
        try:
            view = self._view(history, weights, rng)
            criterion = self._criterion(view, history, rng)
            found = self._search.best(criterion, view.region, taken, rng)
            details = self._details(view, history, weights)
        except np.linalg.LinAlgError as error:
            logger.warning(
                "trial %d: the Gaussian process failed (%s); a random point instead", number, error
            )
            found, details = None, {"fallback": f"the covariance is indefinite: {error}"[:200]}
        else:
            if found is None:
                details["fallback"] = "every candidate was proposed before"
        if found is None:
            return Proposal(unused_point(self._space, taken, rng), Origin.RANDOM, details=details)
        params, acquisition = found
        return Proposal(params, Origin.MODEL, acquisition, details)

    def _view(self, history: History, weights: Array, rng: np.random.Generator) -> _View:
        told = self._shown(history, history.is_told, weights)
        z = np.full(len(history.unit), np.nan)
        variance = np.full(len(z), np.median(told.variance))  # what is pending will be as uncertain
        z[history.is_told], variance[history.is_told] = told
        fitted = self._fit_rows(history)
        kernel = self._objective.kernel(history.unit[fitted], *self._shown(history, fitted, weights))
        is_shown = history.is_told.copy()
        if self._options.pending not in _NOT_CONDITIONED:
            is_shown |= history.is_pending
        rows = np.flatnonzero(is_shown)
        centre, near = history.unit[local_centre(z, rng)], None
        if len(rows) > self._options.max_points:
            points = kernel.scaled(history.unit[rows])
            chosen, close = local_rows(
                points,
                kernel.scaled(centre[None, :])[0],
                z[rows],
                history.is_pending[rows],
                self._options.max_points,
            )
            near, rows = rows[close], rows[chosen]
        points = kernel.scaled(history.unit[rows])
        lower = self._objective.factor(kernel, points, variance[rows])
        values = self._values(lower, z[rows], history.is_pending[rows], rng)
        posterior = Posterior(kernel, points, lower, values, variance[rows])
        return _View(
            rows=rows,
            values=values,
            posterior=posterior,
            region=self._region(history, rows, posterior, near),
            best=_best(history, rows, posterior),
            centre=centre,
        )

    def _shown(self, history: History, rows: Mask, weights: Array) -> Shown:
        """What the surrogate is to make of the rows' losses; all of them were told."""
        errors = np.zeros_like(history.losses[rows])
        for column, name in enumerate(self._options.noise):
            told = history.outcomes[name][rows]
            errors[:, column] = np.where(np.isfinite(told) & (told > 0), told, 0.0)
        return shown(history.losses[rows], errors, weights, tail=self._options.tail)

    def _fit_rows(self, history: History) -> Mask:
        return history.is_told & (np.arange(len(history.unit)) < settled(history.is_pending))

    def _values(self, lower: Array, z: Array, is_pending: Mask, rng: np.random.Generator) -> Array:
        """Values of the points conditioned on, with those that pending ones may come to: (n, S)."""
        pending, p = self._options.pending, int(is_pending.sum())
        if pending in (Pending.MIN, Pending.MEAN, Pending.MAX) and p:
            return np.where(is_pending, constant_lie(Lie(pending), z[~is_pending]), z)[:, None]
        if pending is not Pending.FANTASIES or self._options.acquisition not in _AVERAGED or not p:
            return fantasies(lower, z, is_pending, np.zeros((p, 1)))
        # In pairs of opposite signs: their average is the mean, as a believer has it.
        half = rng.standard_normal((p, self._options.fantasies // 2))
        return fantasies(lower, z, is_pending, np.hstack([half, -half]))

    def _region(self, history: History, rows: Indices, posterior: Posterior, near: Indices | None) -> Region:
        means = posterior.fitted.mean(axis=1)
        low, high = np.zeros(self._space.dims), np.ones(self._space.dims)
        if near is not None:
            means = np.where(np.isin(rows, near), means, np.inf)
            low, high = history.unit[near].min(axis=0), history.unit[near].max(axis=0)
        centres = rows[np.argsort(means, kind="stable")[:_CENTRES]]
        scales = np.minimum(posterior.hyper.length_scales, 1.0)
        return Region(history.unit[centres], scales, low, high)

    def _criterion(self, view: _View, history: History, rng: np.random.Generator) -> Sum:
        options = self._options
        objective: Predicts = view.posterior
        best = np.zeros(1) if view.best is None else view.best
        utility: Callable[[Array, Array], Valued]
        match options.acquisition:
            case "log_ei" | "ei":
                utility = partial(log_expected_improvement, best=best)
            case "pi":
                utility = partial(log_probability_of_improvement, best=best)
            case "ucb":
                utility = partial(log_confidence_bound, best=best, kappa=options.kappa)
            case "random_ucb":
                utility = partial(log_confidence_bound, best=best, kappa=rng.exponential(options.kappa))
            case "thompson":
                objective = SamplePath(view.posterior, view.values[:, 0], rng)
                utility = partial(log_confidence_bound, best=best, kappa=0.0)
        penaliser = None
        if options.pending is Pending.LOCAL_PENALISATION and history.is_pending.any():
            probes = np.concatenate([rng.random((_PROBES, self._space.dims)), view.region.centres])
            penaliser = Penaliser(view.posterior, float(best[0]), history.unit[history.is_pending], probes)
        return Sum(
            objective=None if view.best is None else objective,
            utility=utility,
            limits=self._limits(history, view.centre),
            penaliser=penaliser,
            is_linear=options.acquisition in ("ei", "pi"),
        )

    def _limits(self, history: History, centre: Array) -> list[Limit]:
        """What a point has to fulfil besides being good: success, and outcomes within their bounds."""
        limits = []
        if history.is_failed.any():
            has_ended = ~history.is_pending
            label = np.where(history.is_failed, 1.0, -1.0)
            quantity, scale = self._quantity(self._failure, history, label, has_ended, centre)
            limits.append(Limit(quantity, -np.inf, scale(0.0), is_success=True))
        for name, (low, high) in history.outcome_bounds.items():
            model = self._outcomes.setdefault(name, self._new_model())
            quantity, scale = self._quantity(model, history, history.outcomes[name], history.is_told, centre)
            limits.append(Limit(quantity, scale(low), scale(high)))
        return limits

    def _quantity(
        self, model: Model, history: History, values: Array, is_known: Mask, centre: Array
    ) -> tuple[Posterior, Callable[[float], float]]:
        """The surrogate of values, (N,), where they are known, and how a bound of them is scaled.

        Far from everything that is known, it predicts their mean and standard deviation.
        """
        is_fitted = is_known & (np.arange(len(values)) < settled(history.is_pending))
        z = standardised(values[is_fitted], tail=False)
        kernel = model.kernel(history.unit[is_fitted], z)
        rows = np.flatnonzero(is_known)
        points = kernel.scaled(history.unit[rows])
        if len(rows) > self._options.max_points:
            none = np.zeros(len(rows), dtype=bool)
            chosen, _ = local_rows(
                points, kernel.scaled(centre[None, :])[0], values[rows], none, self._options.max_points
            )
            rows, points = rows[chosen], points[chosen]
        mean, spread = float(values[is_known].mean()), float(values[is_known].std()) or 1.0
        z = (values[rows] - mean) / spread
        posterior = Posterior(kernel, points, model.factor(kernel, points), z[:, None])
        return posterior, lambda bound: (bound - mean) / spread

    def _details(self, view: _View, history: History, weights: Array) -> dict[str, Any]:
        hyper = view.posterior.hyper
        kept: dict[str, Any] = {
            "length_scales": [float(f"{scale:.4g}") for scale in hyper.length_scales],
            "signal": float(f"{hyper.signal:.4g}"),
            "noise": float(f"{hyper.noise:.4g}"),
            "fitted": int(self._fit_rows(history).sum()),
            "conditioned": len(view.rows),
        }
        if len(weights) > 1:
            kept["weights"] = [float(f"{weight:.4g}") for weight in weights]
        if history.is_pending.any():
            kept["pending"] = str(self._options.pending)
        return kept


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
