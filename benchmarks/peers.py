"""Other optimisers behind one ask and tell, each used as its documentation says, for benchmarks/regret.py.

An adapter is told the pending points too, where its library has a place for them. `ask` gives native
values by parameter name. Nothing here is part of asktell.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

import asktell
from asktell.simulation.functions import TestFunction
from asktell.space import Boolean, Categorical, Integer, Real
from asktell.trial import Params


class Peer(Protocol):
    """ask: the next point and a handle for it; tell: its values by name, None where it failed."""

    def ask(self) -> tuple[Any, Params]: ...

    def begin(self, params: Params) -> Any:
        """A handle for a point that was not asked: of the shared initial design."""

    def tell(self, handle: Any, values: Mapping[str, float] | None) -> None: ...


class Asktell:
    """An engine of this project, through its public Optimizer."""

    def __init__(self, function: TestFunction, seed: int, initial: int, engine: str, **options: Any) -> None:
        self._optimizer = asktell.Optimizer(
            function.space,
            dict.fromkeys(function.objectives, "minimize"),
            engine=engine,
            seed=seed,
            initial=initial,
            options=options,
            outcome_bounds=dict(function.bounds),
        )

    def ask(self) -> tuple[int, Params]:
        trial = self._optimizer.ask()
        return trial.number, trial.params

    def begin(self, params: Params) -> int:
        self._optimizer.enqueue(params)
        return self._optimizer.ask().number

    def tell(self, handle: int, values: Mapping[str, float] | None) -> None:
        if values is None:
            self._optimizer.fail(handle)
        else:
            self._optimizer.tell(handle, values)


class Optuna:
    """Optuna's study.ask and study.tell. Constraints through `constraints_func`, failures as FAIL."""

    def __init__(self, function: TestFunction, seed: int, initial: int, sampler: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore")
        self._optuna, self._function = optuna, function
        options: dict[str, Any] = {"seed": seed, "n_startup_trials": initial}
        if function.bounds:
            options["constraints_func"] = lambda trial: trial.user_attrs["violations"]
        match sampler:
            case "tpe":
                # As documented for parallel use: pending trials are taken for bad ones.
                made = optuna.samplers.TPESampler(constant_liar=True, multivariate=True, **options)
            case "gp":
                made = optuna.samplers.GPSampler(**options)
        self._study = optuna.create_study(directions=["minimize"] * len(function.objectives), sampler=made)
        self._distributions = {name: self._distribution(function, name) for name in function.space.columns}

    def _distribution(self, function: TestFunction, name: str) -> Any:
        distributions, parameter = self._optuna.distributions, function.space.parameters[name]
        match parameter:
            case Real():
                return distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)
            case Integer():
                return distributions.IntDistribution(parameter.low, parameter.high, log=parameter.log)
            case Boolean():
                return distributions.CategoricalDistribution([False, True])
            case Categorical():
                return distributions.CategoricalDistribution(parameter.choices)
        raise TypeError(f"{name}: {type(parameter).__name__} is not known to this adapter")

    def ask(self) -> tuple[Any, Params]:
        trial = self._study.ask(self._distributions)
        return trial, trial.params

    def begin(self, params: Params) -> Any:
        self._study.enqueue_trial(dict(params))
        return self.ask()[0]

    def tell(self, handle: Any, values: Mapping[str, float] | None) -> None:
        bounds = self._function.bounds.items()
        violations = [math.inf] * len(bounds)
        if values is not None:
            violations = [max(low - values[name], values[name] - high) for name, (low, high) in bounds]
        if bounds:
            handle.set_user_attr("violations", violations)
        if values is None:
            self._study.tell(handle, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(handle, [values[name] for name in self._function.objectives])


class ScikitOptimize:
    """scikit-optimize's Optimizer, told the mean of what is known for each pending point.

    Its `ask` returns the same point until it is told; one fit on results and lies together is what its
    own `ask(n, strategy="cl_mean")` does step by step. A failure is told the worst value so far.
    """

    def __init__(self, function: TestFunction, seed: int, initial: int, estimator: str) -> None:
        if function.bounds or len(function.objectives) > 1:
            raise NotImplementedError("scikit-optimize knows neither constraints nor several objectives")
        from skopt.space import Categorical as Choice
        from skopt.space import Integer as Whole
        from skopt.space import Real as Number

        self._function, self._seed, self._estimator = function, seed, estimator
        self._names = function.space.columns
        self._dimensions: list[Any] = []
        for name in self._names:
            parameter = function.space.parameters[name]
            match parameter:
                case Real():
                    self._dimensions.append(Number(parameter.low, parameter.high))
                case Integer():
                    self._dimensions.append(Whole(parameter.low, parameter.high))
                case Categorical():
                    self._dimensions.append(Choice(list(parameter.choices)))
        self._points: list[list[Any]] = []
        self._losses: list[float] = []

    def ask(self) -> tuple[int, Params]:
        from skopt import Optimizer

        known = [value for value in self._losses if not math.isnan(value)]
        lie = float(np.mean(known)) if known else 0.0
        losses = [lie if math.isnan(value) else value for value in self._losses]
        optimizer = Optimizer(
            self._dimensions,
            base_estimator=self._estimator,
            n_initial_points=len(losses),
            random_state=self._seed * 100_003 + len(losses),
            acq_func="EI",
            model_queue_size=1,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer.tell(self._points, losses)
            point = optimizer.ask()
        params = {
            name: value.item() if hasattr(value, "item") else value
            for name, value in zip(self._names, point, strict=True)
        }
        return self.begin(params), params

    def begin(self, params: Params) -> int:
        self._points.append([params[name] for name in self._names])
        self._losses.append(math.nan)
        return len(self._points) - 1

    def tell(self, handle: int, values: Mapping[str, float] | None) -> None:
        known = [value for value in self._losses if not math.isnan(value)]
        self._losses[handle] = max(known, default=0.0) if values is None else values["loss"]


PEERS: Mapping[str, tuple[str, Callable[[TestFunction, int, int], Peer]]] = {
    "gp": ("asktell", lambda *a: Asktell(*a, "gp")),
    "gp-believer": ("asktell", lambda *a: Asktell(*a, "gp", pending="believer")),
    "gp-no-pending": ("asktell", lambda *a: Asktell(*a, "gp", pending="none")),
    "gp-ucb": ("asktell", lambda *a: Asktell(*a, "gp", acquisition="ucb")),
    "gp-random-ucb": ("asktell", lambda *a: Asktell(*a, "gp", acquisition="random_ucb")),
    "skopt-engine": ("asktell", lambda *a: Asktell(*a, "skopt")),
    "sobol": ("asktell", lambda *a: Asktell(*a, "sobol")),
    "optuna-tpe": ("optuna", lambda *a: Optuna(*a, "tpe")),
    "optuna-gp": ("optuna", lambda *a: Optuna(*a, "gp")),
    "skopt-gp": ("skopt", lambda *a: ScikitOptimize(*a, "GP")),
    "skopt-et": ("skopt", lambda *a: ScikitOptimize(*a, "ET")),
}
"""Name -> the module that it needs, and how it is made of (function, seed, initial points)."""


def installed(name: str) -> bool:
    """Whether the library behind a name is there (Optuna's GP needs torch as well)."""
    needs = [PEERS[name][0], *(["torch"] if name == "optuna-gp" else [])]
    return all(importlib.util.find_spec(module) is not None for module in needs)
