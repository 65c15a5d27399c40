"""Engines by name. None is imported before it is asked for."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from asktell.errors import EngineError
from asktell.optimize.engines.options import (
    BoTorchOptions,
    GaussianProcessOptions,
    GridOptions,
    Options,
    OptunaOptions,
    RandomOptions,
    ScikitOptimizeOptions,
    SobolOptions,
)
from asktell.optimize.history import Engine
from asktell.space import Space

ENGINES: Mapping[str, type[Options]] = {
    "botorch": BoTorchOptions,
    "gp": GaussianProcessOptions,
    "grid": GridOptions,
    "optuna": OptunaOptions,
    "random": RandomOptions,
    "skopt": ScikitOptimizeOptions,
    "sobol": SobolOptions,
}


def create(
    name: str,
    space: Space,
    objectives: int,
    seed: int,
    initial: int,
    options: Mapping[str, Any] | None = None,
) -> Engine:
    """The engine of that name.

    objectives: how many; initial: points of the space-filling design before the first from a model.
    Raises EngineError with everything that is wrong.
    """
    problems = check_options(name, options or {}, objectives)
    if problems:
        raise EngineError("\n".join(problems))
    chosen = ENGINES[name](**(options or {}))
    match chosen:
        case BoTorchOptions():
            from asktell.optimize.engines.botorch_acquisitions import BoTorch

            return BoTorch(space, seed, initial, chosen)
        case GaussianProcessOptions():
            from asktell.optimize.engines.gp import GaussianProcess

            return GaussianProcess(space, seed, initial, chosen)
        case OptunaOptions():
            from asktell.optimize.engines.optuna_samplers import OptunaSamplers

            return OptunaSamplers(space, seed, initial, chosen)
        case ScikitOptimizeOptions():
            from asktell.optimize.engines.scikit_optimize import ScikitOptimize

            return ScikitOptimize(space, seed, initial, chosen)
        case GridOptions():
            from asktell.optimize.engines.designs import GridEngine

            return GridEngine(space, seed, chosen)
        case SobolOptions():
            from asktell.optimize.engines.designs import SobolEngine

            return SobolEngine(space, seed)
        case _:
            from asktell.optimize.engines.designs import RandomEngine

            return RandomEngine(space, seed)


def check_options(name: str, options: Mapping[str, Any], objectives: int = 1) -> list[str]:
    """What keeps the engine from running with these options, in sentences; empty when nothing does."""
    if name not in ENGINES:
        return [f"there is no engine '{name}'{_did_you_mean(name, ENGINES)}; engines: {', '.join(ENGINES)}"]
    try:
        chosen = ENGINES[name](**options)
    except ValidationError as error:
        return [_explain(name, item["loc"], item["type"], item["msg"]) for item in error.errors()]
    problems = [f"engine '{name}'{what}" for what in (*_misfits(chosen, objectives), *_missing(chosen))]
    if not problems and isinstance(chosen, ScikitOptimizeOptions):
        from asktell.optimize.engines.scikit_optimize import why_unusable

        problems = why_unusable(chosen)
    return problems


def _misfits(chosen: Options, objectives: int) -> Iterator[str]:
    """Options that do not go with so many objectives."""
    match chosen:
        case GaussianProcessOptions() if len(chosen.noise) not in (0, objectives):
            yield (
                f": option noise: {len(chosen.noise)} names for {objectives} objectives; "
                "give the standard error of each"
            )
        case ScikitOptimizeOptions() if objectives > 1:
            yield (
                f": scikit-optimize handles one objective, this study has {objectives}; "
                "use gp, random, sobol or grid"
            )
        case OptunaOptions(sampler="cmaes") if objectives > 1:
            yield f": CMA-ES handles one objective, this study has {objectives}; use sampler: tpe"
        case BoTorchOptions(acquisition="qlogei" | "qlognei") if objectives > 1:
            yield f": {chosen.acquisition} is for one objective; use qlognehvi or qlognparego"
        case BoTorchOptions(acquisition="qlognehvi" | "qlognparego") if objectives == 1:
            yield f": {chosen.acquisition} is for several objectives; use qlognei or qlogei"


def _missing(chosen: Options) -> Iterator[str]:
    """What is not installed, and how to install it."""
    match chosen:
        case ScikitOptimizeOptions():
            needed = {"skopt": "scikit-optimize"}
        case OptunaOptions(sampler="cmaes"):
            needed = {"optuna": "'asktell[optuna]'", "cmaes": "'asktell[optuna]'"}
        case OptunaOptions(sampler="gp"):
            needed = {"optuna": "'asktell[optuna]'", "torch": "torch"}
        case OptunaOptions():
            needed = {"optuna": "'asktell[optuna]'"}
        case BoTorchOptions():
            needed = {"botorch": "'asktell[botorch]'"}
        case _:
            needed = {}
    for module, package in needed.items():
        if importlib.util.find_spec(module) is None:
            yield f": {module} is not installed; pip install {package}"


def _explain(name: str, place: tuple[int | str, ...], kind: str, message: str) -> str:
    option = ".".join(map(str, place))
    if kind != "extra_forbidden":
        return f"engine '{name}': option {option}: {message}"
    known = ENGINES[name].model_fields
    listing = f"it knows {', '.join(known)}" if known else "it has none"
    return f"engine '{name}' has no option '{option}'{_did_you_mean(option, known)}; {listing}"


def _did_you_mean(word: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f", did you mean '{close[0]}'?" if close else ""
