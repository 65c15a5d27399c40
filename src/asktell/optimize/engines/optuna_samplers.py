"""Optuna's samplers behind the engine protocol: the only module that knows it.

Each proposal is drawn from a study of its own, into which the history is put; nothing outlives it.

    u  places of points in the unit cube        p  population of CMA-ES

CMA-ES comes from the package that Optuna takes it from. Optuna itself keeps its state from trial to
trial in its storage; here the state is made again from what was told, by number, p at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial
from threadpoolctl import threadpool_limits

from asktell.errors import EngineError
from asktell.optimize.engines.designs import DesignThenModel, state_of
from asktell.optimize.engines.options import OptunaOptions
from asktell.optimize.history import History, Proposal
from asktell.optimize.pending import Taken, unused_point
from asktell.space import Constant, Integer, Ordinal, Parameter, Real, Space
from asktell.space.parameters import Choice
from asktell.trial import Origin, Params, Value

optuna.logging.set_verbosity(optuna.logging.ERROR)

_DRAWS = {"tpe": 32, "cmaes": 256, "gp": 4}
"""How often a point is drawn again that is taken or breaks a constraint."""


class OptunaSamplers:
    """Optuna's tree-structured Parzen estimators, Gaussian process, or CMA-ES.

    Outcomes out of bounds are constraints to the first two, and rank behind all others for CMA-ES.
    """

    name = "optuna"
    reads = ()

    def __init__(self, space: Space, seed: int, initial: int, options: OptunaOptions) -> None:
        self._space = space
        self._seed = seed
        self._sampler = options.sampler
        self._sequence = DesignThenModel(space, seed, initial)
        self._distributions = {name: _distribution(space.parameters[name]) for name in space.columns}
        # CMA-ES moves numbers that always exist; the others are drawn uniformly.
        self._is_moved = np.array([_is_number(space.parameters[name]) for name in space.columns])
        if options.sampler == "cmaes" and self._is_moved.sum() < 2:
            raise EngineError(
                "engine 'optuna': CMA-ES needs two numbers that are not conditional; use sampler: tpe"
            )

    def at_once(self, history: History) -> int:
        return self._sequence.at_once(history)

    def propose(self, history: History, number: int, count: int) -> list[Proposal]:
        def from_model(history: History, taken: Taken, number: int, _: int) -> list[Proposal]:
            # One thread of linear algebra: more are slower at these sizes, and change the last bits.
            with threadpool_limits(1):
                return [self._from_model(history, taken, number)]

        return self._sequence.propose(history, number, count, from_model)

    def _from_model(self, history: History, taken: Taken, number: int) -> Proposal:
        rng = np.random.default_rng([self._seed, number])
        state = state_of(self._seed, number)
        is_cmaes = self._sampler == "cmaes"
        draw = self._evolution(history, state, rng) if is_cmaes else self._study(history, state)
        details: dict[str, Any] = {"sampler": self._sampler}
        for _ in range(_DRAWS[self._sampler]):
            params = draw()
            if self._space.is_feasible(params) and self._space.to_unit(params) not in taken:
                return Proposal(params, Origin.MODEL, details=details)
        details["fallback"] = "what was drawn was proposed before, or broke a constraint"
        return Proposal(unused_point(self._space, taken, rng), Origin.RANDOM, details=details)

    def _study(self, history: History, state: int) -> Callable[[], Params]:
        """Draws from a study that knows the history."""
        sampler = (
            optuna.samplers.TPESampler(seed=state, n_startup_trials=0, constant_liar=True)
            if self._sampler == "tpe"
            else optuna.samplers.GPSampler(seed=state, n_startup_trials=0)
        )
        study = optuna.create_study(sampler=sampler, directions=["minimize"] * history.losses.shape[1])
        study.add_trials([self._frozen(history, row) for row in range(len(history.params))])
        return lambda: self._suggested(study.ask())

    def _frozen(self, history: History, row: int) -> FrozenTrial:
        names = [name for name in self._space.columns if name in history.params[row]]
        known: dict[str, Any] = {}
        if history.is_told[row]:
            known = {"values": history.losses[row].tolist(), "constraints": _violations(history, row)}
        ended = TrialState.COMPLETE if history.is_told[row] else TrialState.FAIL
        return create_trial(
            state=TrialState.RUNNING if history.is_pending[row] else ended,
            params={
                name: _encoded(self._space.parameters[name], history.params[row][name]) for name in names
            },
            distributions={name: self._distributions[name] for name in names},
            **known,
        )

    def _suggested(self, trial: optuna.Trial) -> Params:
        """The point of an Optuna trial, parameter by parameter: which exist depends on those before."""
        found: dict[str, Value] = {}
        while missing := [name for name in self._space.active(found) if name not in found]:
            for name in missing:
                found[name] = _suggested(trial, name, self._space.parameters[name])
        return self._space.validate(found)

    def _evolution(self, history: History, state: int, rng: np.random.Generator) -> Callable[[], Params]:
        """Draws from the distribution to which the trials told have moved."""
        from cmaes import CMA

        d = int(self._is_moved.sum())
        bounds = np.tile([0.0, 1.0], (d, 1))
        evolution = CMA(np.full(d, 0.5), 1.0 / 6.0, bounds=bounds, seed=state)
        told = np.flatnonzero(history.is_told)
        excess = np.array([sum(np.maximum([*_violations(history, row).values()], 0.0)) for row in told])
        # Only the order counts: by loss, behind them by how far they are out of bounds.
        order = np.lexsort([history.losses[told, 0] * (excess == 0), excess])
        rank = np.argsort(order).astype(np.float64)
        size = evolution.population_size
        for start in range(0, len(told) - size + 1, size):
            rows = range(start, start + size)
            evolution.tell([(history.unit[told[i]][self._is_moved], rank[i]) for i in rows])

        def draw() -> Params:
            u = rng.random(self._space.dims)
            u[self._is_moved] = evolution.ask()
            return self._space.from_unit(u)

        return draw


def _distribution(parameter: Parameter) -> BaseDistribution:
    match parameter:
        case Real():
            return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
        case Integer():
            return IntDistribution(parameter.low, parameter.high, log=parameter.log)
        case Ordinal():
            return IntDistribution(0, len(parameter.choices) - 1)
        case Choice():
            return CategoricalDistribution(range(len(parameter.choices)))
        case _:
            raise _unknown(parameter)


def _encoded(parameter: Parameter, value: Value) -> Value:
    """A value as its distribution has it: a choice is its place among the choices."""
    return parameter.choices.index(value) if isinstance(parameter, Choice) else value


def _suggested(trial: optuna.Trial, name: str, parameter: Parameter) -> Value:
    value: Value
    match parameter:
        case Real():
            value = trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)
        case Integer():
            value = trial.suggest_int(name, parameter.low, parameter.high, log=parameter.log)
        case Ordinal():
            value = parameter.choices[trial.suggest_int(name, 0, len(parameter.choices) - 1)]
        case Choice():
            value = parameter.choices[trial.suggest_categorical(name, range(len(parameter.choices)))]
        case Constant():
            value = parameter.value
        case _:
            raise _unknown(parameter)
    return value


def _unknown(parameter: Parameter) -> EngineError:
    return EngineError(f"engine 'optuna' knows no parameter of type {parameter.kind}; use skopt or gp")


def _is_number(parameter: Parameter) -> bool:
    return isinstance(parameter, Real | Integer | Ordinal) and parameter.when is None


def _violations(history: History, row: np.int64 | int) -> dict[str, float]:
    """By how much the row breaks each bound; 0 or less where it does not."""
    found: dict[str, float] = {}
    for name, (low, high) in history.outcome_bounds.items():
        value = float(history.outcomes[name][row])
        found |= {f"{name} > {low}": low - value, f"{name} < {high}": value - high}
    return {bound: excess for bound, excess in found.items() if np.isfinite(excess)}
