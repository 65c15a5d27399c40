"""Bayesian optimisation with a Gaussian process of our own: quick, whatever runs at the same time.

    p  points to keep away from        d  columns of the unit cube        k  points of a joint group

A proposal is a function of (space, options, seed, history, number): all randomness is drawn from
(seed, number). What the surrogates see is in `gp_view`, what they are asked for in `gp_criterion`, how
its largest value is found in `gp_search`, and how points of a group come to differ in `gp_batch`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from asktell.optimize.acquisition import (
    Valued,
    information,
    log_confidence_bound,
    log_expected_improvement,
    log_probability_of_improvement,
    sample_minima,
)
from asktell.optimize.engines.designs import DesignThenModel
from asktell.optimize.engines.gp_batch import (
    INDEPENDENT,
    TOGETHER,
    are_in_turn,
    best_in_turn,
    best_of_clusters,
    joint,
)
from asktell.optimize.engines.gp_criterion import Penaliser, Predicts, Repulsion, Sum, Term
from asktell.optimize.engines.gp_losses import draw_weights
from asktell.optimize.engines.gp_search import Search
from asktell.optimize.engines.gp_view import Surrogates, Task, View, imagined
from asktell.optimize.engines.options import Batch, GaussianProcessOptions, Pending
from asktell.optimize.history import History, Proposal
from asktell.optimize.pending import Taken, unused_point
from asktell.optimize.surrogate import SamplePath
from asktell.space import Space
from asktell.trial import Origin, Params

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

_PROBES = 128
_SPREAD, _MINIMA = 1024, 10  # GIBBON: places at which the minimum may be, samples of it
_BASE_KEY = 4  # keeps what a joint group's fantasies are drawn from apart from what single points draw


class GaussianProcess:
    """Failures and outcomes out of bounds are predicted, and avoided, not given a loss.

    Several objectives are one loss, weighted anew for each proposal (`gp_losses`); points that are chosen
    in turn share their weights.
    """

    name = "gp"

    def __init__(self, space: Space, seed: int, initial: int, options: GaussianProcessOptions) -> None:
        self._space = space
        self._seed = seed
        self._sequence = DesignThenModel(space, seed, initial)
        self._options = options
        self.reads = options.noise
        self._search = Search(space)
        self._surrogates = Surrogates(space, seed)
        # One thread of linear algebra: more are slower at these sizes, and change the last bits.
        self._threads = ThreadpoolController()

    def at_once(self, history: History) -> int:
        if self._sequence.is_modelled(history) and are_in_turn(self._options, len(history.unit)):
            return TOGETHER
        return self._sequence.at_once(history)

    def propose(self, history: History, number: int, count: int) -> list[Proposal]:
        before, first = history, number

        def from_model(history: History, taken: Taken, number: int, wanted: int) -> list[Proposal]:
            if count == 1:
                task, wanted = self._task(history, number), 1
            else:
                task = self._task_of_group(before, history, first, number)
                wanted = self._at_once(len(history.unit), wanted)
            with self._threads.limit(limits=1), np.errstate(all="ignore"):
                return self._from_model(task, taken, number, wanted)

        return self._sequence.propose(history, number, count, from_model)

    def _at_once(self, asked: int, wanted: int) -> int:
        """How many of the points wanted come from one look at the surrogate."""
        if self._options.batch is Batch.KMEANS:
            return wanted
        return min(wanted, TOGETHER) if are_in_turn(self._options, asked) else 1

    def _task(self, history: History, number: int) -> Task:
        rng = np.random.default_rng([self._seed, number])
        is_penalised = self._options.pending is Pending.LOCAL_PENALISATION
        return Task(
            history=history,
            options=self._options,
            weights=draw_weights(history.losses.shape[1], self._seed, number),
            apart=history.unit[history.is_pending if is_penalised else []],
            rng=rng,
            base=rng,
        )

    def _task_of_group(self, before: History, history: History, first: int, number: int) -> Task:
        """The same for a point of the group that began with number `first` and the history `before`."""
        batch = self._options.batch
        task = self._task(before if batch in INDEPENDENT else history, number)
        if batch is Batch.LOCAL_PENALISATION:
            task = replace(task, apart=np.vstack([task.apart, history.unit[len(before.unit) :]]))
        if batch is Batch.QEI:
            key = np.random.SeedSequence([self._seed, first], spawn_key=(_BASE_KEY,))
            task = replace(task, base=np.random.default_rng(key))
        return replace(task, options=joint(self._options))

    def _from_model(self, task: Task, taken: Taken, number: int, wanted: int) -> list[Proposal]:
        """1 to `wanted` points; a random one where the model has none."""
        details: dict[str, Any]
        try:
            view = self._surrogates.view(task)
            found = self._find(view, self._criterion(view, task), task, taken, wanted)
            details = self._details(view, task)
        except np.linalg.LinAlgError as error:
            logger.warning(
                "trial %d: the Gaussian process failed (%s); a random point instead", number, error
            )
            found, details = [], {"fallback": f"the covariance is indefinite: {error}"[:200]}
        else:
            if not found:
                details["fallback"] = "every candidate was proposed before"
        if not found:
            return [Proposal(unused_point(self._space, taken, task.rng), Origin.RANDOM, details=details)]
        return [Proposal(params, Origin.MODEL, acquisition, details) for params, acquisition in found]

    def _find(
        self, view: View, criterion: Sum, task: Task, taken: Taken, wanted: int
    ) -> list[tuple[Params, float]]:
        """Up to `wanted` new points of large criterion, the best first, and their criteria."""
        if wanted == 1:
            best = self._search.best(criterion, view.region, taken, task.rng)
            return [] if best is None else [best]
        unit, values = self._search.survey(criterion, view.region, task.rng)
        is_new = taken.free(unit)
        unit, values = unit[is_new], values[is_new]
        log_values = criterion.logarithm(unit, values)
        if task.options.batch is Batch.GREEDY:
            found = best_in_turn(
                criterion,
                view.posterior,
                unit,
                log_values,
                imagined(task, wanted),
                counts=not task.history.outcome_bounds,
            )
            return [(self._space.from_unit(unit[i]), value) for i, value in found]
        rows = best_of_clusters(view.posterior.kernel.scaled(unit), log_values, wanted, task.rng)
        return [(self._space.from_unit(unit[i]), float(values[i])) for i in rows]

    def _criterion(self, view: View, task: Task) -> Sum:
        options, rng = task.options, task.rng
        objective: Predicts = view.posterior
        best = np.zeros(1) if view.best is None else view.best
        utility: Callable[[Array, Array, Array], Valued]
        match options.acquisition:
            case "log_ei" | "ei":
                utility = log_expected_improvement
            case "pi":
                utility = log_probability_of_improvement
            case "ucb":
                utility = partial(log_confidence_bound, kappa=options.kappa)
            case "random_ucb":
                utility = partial(log_confidence_bound, kappa=rng.exponential(options.kappa))
            case "thompson":
                objective = SamplePath(view.posterior, view.values[:, 0], rng)
                utility = partial(log_confidence_bound, kappa=0.0)
            case "gibbon":
                objective, best = view.told, self._minima(view, rng)
                utility = partial(information, noise=view.posterior.hyper.noise)
        apart: list[Term] = []
        if view.told is not view.posterior:
            apart.append(Repulsion(view.told, view.posterior))
        if len(task.apart):
            probes = np.concatenate([rng.random((_PROBES, self._space.dims)), view.region.centres])
            improved = 0.0 if view.best is None else float(view.best.mean())
            apart.append(Penaliser(view.posterior, improved, task.apart, probes))
        return Sum(
            objective=None if view.best is None else objective,
            utility=utility,
            best=best,
            limits=self._surrogates.limits(task, view.centre),
            apart=apart,
            is_linear=options.acquisition in ("ei", "pi"),
        )

    def _minima(self, view: View, rng: np.random.Generator) -> Array:
        """Samples of the objective's minimum, one from each of as many equal parts of its distribution."""
        probes = np.concatenate([rng.random((_SPREAD, self._space.dims)), view.region.centres])
        found = view.told.predict(probes)
        quantiles = (np.arange(_MINIMA) + rng.random(_MINIMA)) / _MINIMA
        return sample_minima(found.mean[:, 0], found.std, quantiles)

    def _details(self, view: View, task: Task) -> dict[str, Any]:
        hyper = view.posterior.hyper
        kept: dict[str, Any] = {
            "length_scales": [float(f"{scale:.4g}") for scale in hyper.length_scales],
            "signal": float(f"{hyper.signal:.4g}"),
            "noise": float(f"{hyper.noise:.4g}"),
            "fitted": view.fitted,
            "conditioned": len(view.rows),
        }
        if len(task.weights) > 1:
            kept["weights"] = [float(f"{weight:.4g}") for weight in task.weights]
        if task.history.is_pending.any():
            kept["pending"] = str(task.options.pending)
        return kept
