"""What stands in for a study's objective: a surrogate of its results, or a function drawn at random.

    q  points        d  columns of the unit cube        n  results that a surrogate knows

Objectives are minimised here: those of the study that are not are flipped before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from asktell.analysis.surrogate import MOST_TRIALS
from asktell.config import StudyConfig
from asktell.optimize.engines.gp_search import Region, Search
from asktell.optimize.pending import success
from asktell.optimize.surrogate import (
    Conditioner,
    Features,
    Hyperparameters,
    Kernel,
    Posterior,
    SamplePath,
    fit,
)
from asktell.optimize.surrogate.fit import representative
from asktell.simulation.functions import TestFunction
from asktell.space import Space
from asktell.study import TrialState
from asktell.trial import Params, Status

Array = NDArray[np.float64]

_LENGTH_SCALE = 0.3  # of random functions, times the root of d
_SEED = 0
_CENTRES, _SEARCHES = 8, 6  # for the optimum: points looked around at a time, rounds
_SAMPLED = 2048  # points whose worst values are the hypervolume's reference


def surrogate(config: StudyConfig, space: Space, states: Sequence[TrialState]) -> TestFunction:
    """The mean of a Gaussian process of the study's results, with the noise that it sees in them.

    Points fail as often as the trials around them did.
    """
    rng = np.random.default_rng(_SEED)
    done = [(s.trial.params, s.outcome) for s in states if s.status is Status.COMPLETED and s.outcome]
    failed = [
        s.trial.params
        for s in states
        if s.status is Status.FAILED and s.outcome is not None and not s.outcome.cause.is_infrastructure
    ]
    unit = space.to_unit_many([params for params, _ in done])
    signs = {name: 1 if item.direction == "minimize" else -1 for name, item in config.objectives.items()}
    values = {
        name: signs.get(name, 1) * np.array([outcome.values[name] for _, outcome in done])
        for name in (*config.objectives, *config.outcome_bounds())
    }
    rows = representative(values[next(iter(config.objectives))], rng)[:MOST_TRIALS]
    columns = {name: _learned(space, unit[rows], column[rows], rng) for name, column in values.items()}
    rate = partial(success, succeeded=unit, failed=space.to_unit_many(failed)) if failed else None
    return _StandIn(space, columns, config.outcome_bounds(), rate).function(
        f"{config.name} (surrogate)", tuple(config.objectives)
    )


def drawn(config: StudyConfig, space: Space) -> TestFunction:
    """Functions drawn at random, the same for every study of this space."""
    names = (*config.objectives, *config.outcome_bounds())
    columns = {name: _random(space, i) for i, name in enumerate(names)}
    return _StandIn(space, columns, config.outcome_bounds()).function(
        f"{config.name} (random)", tuple(config.objectives)
    )


@dataclass(frozen=True, slots=True)
class _Column:
    """A quantity as a function of a point: centre + spread * path, and the deviation of its noise."""

    path: Posterior | SamplePath
    scales: Array
    centre: float = 0.0
    spread: float = 1.0
    noise: float = 0.0

    def __call__(self, unit: Array) -> Array:
        """unit: (q, d); returns (q,)."""
        return np.asarray(self.centre + self.spread * self.path.predict(unit).mean[:, 0])


def _learned(space: Space, unit: Array, values: Array, rng: np.random.Generator) -> _Column:
    features = Features(space)
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    z = (values - centre) / spread
    kernel = Kernel(features, fit(features, unit, z, rng))
    points = kernel.scaled(unit)
    posterior = Posterior(kernel, points, Conditioner().factor(kernel, points), z[:, None])
    hyper = kernel.hyper
    return _Column(posterior, hyper.length_scales, centre, spread, spread * math.sqrt(hyper.noise))


def _random(space: Space, seed: int) -> _Column:
    """Drawn from a Gaussian process with nothing to condition on."""
    scales = np.full(space.dims, _LENGTH_SCALE * math.sqrt(space.dims))
    kernel = Kernel(Features(space), Hyperparameters(scales, 1.0, 1e-6))
    rng = np.random.default_rng([seed, space.dims])
    point = kernel.scaled(np.full((1, space.dims), 0.5))
    lower = Conditioner().factor(kernel, point)
    value = rng.standard_normal(1)
    return _Column(SamplePath(Posterior(kernel, point, lower, value[:, None]), value, rng), scales)


@dataclass(frozen=True, slots=True)
class _StandIn:
    """columns: objectives and bounded outcomes; success: (q, d) -> (q,) how likely a trial has a result."""

    space: Space
    columns: Mapping[str, _Column]
    bounds: Mapping[str, tuple[float, float]]
    success: Callable[[Array], Array] | None = None

    def function(self, name: str, objectives: tuple[str, ...]) -> TestFunction:
        def exact(params: Params) -> float:
            return float(self.columns[objectives[0]](self._place(params))[0])

        is_single = len(objectives) == 1
        return TestFunction(
            name,
            self.space,
            self.evaluate,
            self._optimum(self.columns[objectives[0]]) if is_single else None,
            objectives,
            self.bounds,
            reference=() if is_single else self._worst(objectives),
            exact=exact if is_single else None,
        )

    def evaluate(self, params: Params, rng: np.random.Generator) -> Mapping[str, float] | None:
        unit = self._place(params)
        if self.success is not None and rng.random() > self.success(unit)[0]:
            return None
        return {
            name: float(column(unit)[0] + column.noise * rng.standard_normal())
            for name, column in self.columns.items()
        }

    def is_allowed(self, unit: Array) -> NDArray[np.bool_]:
        """(q,): every outcome is within its bounds, and a result is likelier than none."""
        found = np.ones(len(unit), dtype=bool) if self.success is None else self.success(unit) > 0.5
        for name, (low, high) in self.bounds.items():
            column = self.columns[name](unit)
            found &= (low <= column) & (column <= high)
        return found

    def _place(self, params: Params) -> Array:
        return np.asarray(self.space.to_unit(params))[None, :]

    def _optimum(self, objective: _Column) -> float | None:
        """The lowest value that is found where everything is allowed; None where nothing is."""
        rng, search, d = np.random.default_rng(_SEED), Search(self.space), self.space.dims
        centres, lowest = self.space.to_unit_many(self.space.sample(rng, _CENTRES)), None
        for _ in range(_SEARCHES):
            region = Region(centres, np.minimum(objective.scales, 1.0), np.zeros(d), np.ones(d))
            found, depth = search.survey(_Depth(objective, self.is_allowed), region, rng)
            if len(found):
                centres, lowest = found[:_CENTRES], -float(depth[0])
        return lowest

    def _worst(self, objectives: Sequence[str]) -> tuple[float, ...]:
        sampled = self.space.to_unit_many(self.space.sample(np.random.default_rng(_SEED), _SAMPLED))
        return tuple(float(self.columns[name](sampled).max()) for name in objectives)


@dataclass(frozen=True, slots=True)
class _Depth:
    """What `Search` makes large: the objective's negative, nothing where it does not count."""

    objective: _Column
    is_allowed: Callable[[Array], NDArray[np.bool_]]

    def value(self, unit: Array) -> Array:
        return np.where(self.is_allowed(unit), -self.objective(unit), -np.inf)

    def with_gradient(self, unit: Array) -> tuple[Array, Array]:
        found = self.objective.path.predict(unit)
        slope = found.pull(np.full((len(unit), 1), -self.objective.spread), np.zeros(len(unit)))
        return -self.objective.centre - self.objective.spread * found.mean[:, 0], slope
