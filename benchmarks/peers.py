"""Other optimisers behind one ask and tell, each used as its documentation says, for benchmarks/regret.py.

An adapter is told the pending points too, where its library has a place for them. `ask` gives native
values by parameter name. Nothing here is part of asktell. Mango only runs in groups: see groups.py.
"""

from __future__ import annotations

import importlib.util
import math
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from botorch_peer import BoTorch

import asktell
from asktell.optimize.design import design_point
from asktell.simulation.functions import TestFunction
from asktell.space import Boolean, Categorical, Integer, Real, Space
from asktell.trial import Params


class Peer(Protocol):
    """ask: the next point and a handle for it; tell: its values by name, None where it failed."""

    def ask(self) -> tuple[Any, Params]: ...

    def begin(self, params: Params) -> Any:
        """A handle for a point that was not asked: of the shared initial design."""

    def tell(self, handle: Any, values: Mapping[str, float] | None) -> None: ...


def native(space: Space, values: Mapping[str, Any]) -> Params:
    """The point in the order of the space, with Python's numbers instead of numpy's."""
    found = {name: values[name] for name in space.columns}
    return {name: value.item() if hasattr(value, "item") else value for name, value in found.items()}


def require_plain(function: TestFunction, library: str) -> None:
    """Raise NotImplementedError for what has outcome constraints or several objectives."""
    if function.bounds or len(function.objectives) > 1:
        raise NotImplementedError(f"{library} knows no outcome constraints, or is not used with objectives")


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

    def ask_group(self, n: int) -> list[tuple[int, Params]]:
        """Points that are to be evaluated together."""
        return [(trial.number, trial.params) for trial in self._optimizer.ask(n)]

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
        require_plain(function, "scikit-optimize")
        from skopt.space import Categorical as Choice
        from skopt.space import Integer as Whole
        from skopt.space import Real as Number

        self._space, self._seed, self._estimator = function.space, seed, estimator
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
        params = native(self._space, dict(zip(self._names, point, strict=True)))
        return self.begin(params), params

    def begin(self, params: Params) -> int:
        self._points.append([params[name] for name in self._names])
        self._losses.append(math.nan)
        return len(self._points) - 1

    def tell(self, handle: int, values: Mapping[str, float] | None) -> None:
        known = [value for value in self._losses if not math.isnan(value)]
        self._losses[handle] = max(known, default=0.0) if values is None else values["loss"]


class Smac:
    """SMAC3's ask and tell, on one of its facades with their defaults.

    The shared first points are its initial design. It never proposes a running configuration again, and
    takes no other notice of it. A failure is told as crashed, with the worst value so far.
    """

    def __init__(self, function: TestFunction, seed: int, initial: int, facade: str) -> None:
        require_plain(function, "SMAC3")
        import smac
        from ConfigSpace import Categorical as Choice
        from ConfigSpace import Configuration, ConfigurationSpace, Float
        from ConfigSpace import Integer as Whole

        self._space = function.space
        configurations = ConfigurationSpace(seed=seed)
        for name in self._space.columns:
            parameter = self._space.parameters[name]
            match parameter:
                case Real():
                    configurations.add(Float(name, (parameter.low, parameter.high)))
                case Integer():
                    configurations.add(Whole(name, (parameter.low, parameter.high)))
                case Categorical():
                    configurations.add(Choice(name, list(parameter.choices)))
        first = [dict(design_point(self._space, seed, index)) for index in range(initial)]
        self._directory = tempfile.TemporaryDirectory()
        scenario = smac.Scenario(
            configurations,
            output_directory=Path(self._directory.name),
            deterministic=True,
            n_trials=1000,
            seed=seed,
        )
        kind = getattr(smac, facade)
        design = kind.get_initial_design(
            scenario,
            n_configs=0,
            additional_configs=[Configuration(configurations, values=values) for values in first],
        )
        self._facade = kind(scenario, initial_design=design, logging_level=False)
        self._worst = 0.0

    def ask(self) -> tuple[Any, Params]:
        trial = self._facade.ask()
        return trial, native(self._space, trial.config)

    def begin(self, params: Params) -> Any:
        return self.ask()[0]

    def tell(self, handle: Any, values: Mapping[str, float] | None) -> None:
        from smac.runhistory.dataclasses import TrialValue
        from smac.runhistory.enumerations import StatusType

        if values is None:
            value = TrialValue(cost=self._worst, status=StatusType.CRASHED)
        else:
            self._worst = max(self._worst, values["loss"])
            value = TrialValue(cost=values["loss"])
        self._facade.tell(handle, value, save=False)


class DeepHyper:
    """DeepHyper's centralised search with its defaults: one ask after each tell, failures told as "F".

    Of what is pending it only knows that it was asked. multi_point_strategy as in its examples of
    parallel search.
    """

    def __init__(self, function: TestFunction, seed: int, initial: int) -> None:
        require_plain(function, "DeepHyper")
        from deephyper.hpo import CBO, HpProblem

        warnings.simplefilter("ignore")
        self._space = function.space
        problem = HpProblem()
        for name in self._space.columns:
            parameter = self._space.parameters[name]
            match parameter:
                case Real() | Integer():
                    problem.add((parameter.low, parameter.high), name)
                case Categorical():
                    problem.add(list(parameter.choices), name)
        self._directory = tempfile.TemporaryDirectory()
        self._search = CBO(
            problem,
            random_state=seed,
            log_dir=self._directory.name,
            n_initial_points=initial,
            multi_point_strategy="qUCBd",
        )

    def ask(self) -> tuple[Params, Params]:
        params = native(self._space, self._search.ask(1)[0])
        return params, params

    def begin(self, params: Params) -> Params:
        return params

    def tell(self, handle: Params, values: Mapping[str, float] | None) -> None:
        self._search.tell([(dict(handle), "F" if values is None else -values["loss"])])


PEERS: Mapping[str, tuple[str, Callable[[TestFunction, int, int], Peer]]] = {
    "gp": ("asktell", partial(Asktell, engine="gp")),
    "gp-believer": ("asktell", partial(Asktell, engine="gp", pending="believer")),
    "gp-no-pending": ("asktell", partial(Asktell, engine="gp", pending="none")),
    "gp-ucb": ("asktell", partial(Asktell, engine="gp", acquisition="ucb")),
    "gp-random-ucb": ("asktell", partial(Asktell, engine="gp", acquisition="random_ucb")),
    "gp-gibbon": ("asktell", partial(Asktell, engine="gp", acquisition="gibbon")),
    "gp-thompson": ("asktell", partial(Asktell, engine="gp", acquisition="thompson")),
    "skopt-engine": ("asktell", partial(Asktell, engine="skopt")),
    "sobol": ("asktell", partial(Asktell, engine="sobol")),
    "optuna-tpe": ("optuna", partial(Optuna, sampler="tpe")),
    "optuna-gp": ("optuna+torch", partial(Optuna, sampler="gp")),
    "skopt-gp": ("skopt", partial(ScikitOptimize, estimator="GP")),
    "skopt-et": ("skopt", partial(ScikitOptimize, estimator="ET")),
    "botorch": ("botorch", BoTorch),
    "smac-rf": ("smac", partial(Smac, facade="HyperparameterOptimizationFacade")),
    "smac-gp": ("smac", partial(Smac, facade="BlackBoxFacade")),
    "deephyper": ("deephyper", DeepHyper),
}
"""Name -> the modules that it needs, joined by +, and how it is made of (function, seed, initial points)."""


def installed(modules: str) -> bool:
    """Whether libraries, their modules joined by +, are there."""
    return all(importlib.util.find_spec(module) is not None for module in modules.split("+"))
