"""What is simulated: a test function, or a study's space with something to stand in for its objective."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asktell.config import StudyConfig, load
from asktell.directory import StudyDirectory
from asktell.errors import ConfigError, Problem
from asktell.optimize.surrogate import (
    Conditioner,
    Features,
    Hyperparameters,
    Kernel,
    Posterior,
    SamplePath,
    fit,
)
from asktell.overview import read_study
from asktell.simulation.functions import FUNCTIONS, TestFunction
from asktell.simulation.laws import Law, lognormal
from asktell.space import Space
from asktell.trial import Params, Status

Array = NDArray[np.float64]

MIN_RESULTS = 5
"""Fewer finished trials say too little to stand in for their objective."""

_LENGTH_SCALE = 0.3


def problem(name: str) -> tuple[TestFunction, Law | None]:
    """What a test function's name, a study file or a study's directory stands for.

    A directory with results brings a surrogate of its objective, and the law of its runtimes. A study
    that never ran gets a function drawn at random over its space. Raises ConfigError.
    """
    if name in FUNCTIONS:
        return FUNCTIONS[name], None
    path = Path(name)
    if StudyDirectory(path).config.is_file():
        return _of_results(path)
    if path.is_file():
        config = load(path)
        return _stand_in(config, config.build_space()), None
    close = difflib.get_close_matches(name, FUNCTIONS, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    message = f"{name!r} is neither a study nor a test function"
    raise ConfigError([Problem("", message, f"{hint}test functions: {', '.join(FUNCTIONS)}")])


def _of_results(path: Path) -> tuple[TestFunction, Law | None]:
    found = read_study(path)
    config, space = found.config, found.config.build_space()
    done = [
        (state.trial.params, state.outcome)
        for state in found.study.trials.values()
        if state.status is Status.COMPLETED and state.outcome is not None
    ]
    durations = np.array([outcome.duration_s for _, outcome in done if outcome.duration_s > 0])
    law = None
    if len(durations) >= MIN_RESULTS:
        text = f"lognormal as measured: {durations.mean():.3g} s ± {durations.std():.3g} s"
        law = lognormal(text, float(durations.mean()), float(durations.std()) or 1e-9)
    if len(done) < MIN_RESULTS:
        return _stand_in(config, space), law
    unit = space.to_unit_many([params for params, _ in done])
    signs = {name: 1 if item.direction == "minimize" else -1 for name, item in config.objectives.items()}
    names = (*config.objectives, *config.outcome_bounds())
    values = {
        name: signs.get(name, 1) * np.array([outcome.values[name] for _, outcome in done]) for name in names
    }
    means = {name: _posterior_mean(space, unit, column) for name, column in values.items()}
    return _function(config, space, means, "surrogate"), law


def _stand_in(config: StudyConfig, space: Space) -> TestFunction:
    """Functions drawn at random, the same for every study of this name and space."""
    names = (*config.objectives, *config.outcome_bounds())
    return _function(
        config, space, {name: _random_function(space, i) for i, name in enumerate(names)}, "random"
    )


class _Predicted:
    """A column of values as a function of a point."""

    def __init__(self, path: Posterior | SamplePath, centre: float, spread: float) -> None:
        self._path = path
        self._centre = centre
        self._spread = spread

    def __call__(self, unit: Array) -> Array:
        """unit: (n, d); returns (n,)."""
        return np.asarray(self._centre + self._spread * self._path.predict(unit).mean[:, 0])


def _posterior_mean(space: Space, unit: Array, values: Array) -> _Predicted:
    features = Features(space)
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    z = (values - centre) / spread
    kernel = Kernel(features, fit(features, unit, z, np.random.default_rng(0)))
    points = kernel.scaled(unit)
    lower = Conditioner().factor(kernel, points)
    return _Predicted(Posterior(kernel, points, lower, z[:, None]), centre, spread)


def _random_function(space: Space, seed: int) -> _Predicted:
    """Drawn from a Gaussian process with nothing to condition on."""
    scales = np.full(space.dims, _LENGTH_SCALE * math.sqrt(space.dims))
    kernel = Kernel(Features(space), Hyperparameters(scales, 1.0, 1e-6))
    rng = np.random.default_rng([seed, space.dims])
    point = kernel.scaled(np.full((1, space.dims), 0.5))
    lower = Conditioner().factor(kernel, point)
    value = rng.standard_normal(1)
    return _Predicted(SamplePath(Posterior(kernel, point, lower, value[:, None]), value, rng), 0.0, 1.0)


def _function(config: StudyConfig, space: Space, means: Mapping[str, _Predicted], kind: str) -> TestFunction:
    """Every objective is minimised here: signs were flipped before."""
    objectives: Sequence[str] = tuple(config.objectives)

    def evaluate(params: Params, rng: np.random.Generator) -> Mapping[str, float]:
        unit = space.to_unit(params)[None, :]
        return {name: float(mean(unit)[0]) for name, mean in means.items()}

    bounds = config.outcome_bounds()
    optimum = None
    if len(objectives) == 1:
        candidates = space.to_unit_many(space.sample(np.random.default_rng(0), 4096))
        is_allowed = np.ones(len(candidates), dtype=bool)
        for name, (low, high) in bounds.items():
            column = means[name](candidates)
            is_allowed &= (low <= column) & (column <= high)
        losses = means[objectives[0]](candidates)
        optimum = float(losses[is_allowed].min()) if is_allowed.any() else float(losses.min())
    return TestFunction(f"{config.name} ({kind})", space, evaluate, optimum, tuple(objectives), bounds)
