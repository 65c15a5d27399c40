"""What is simulated: a test function, or a study's space with something to stand in for its objective."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from asktell.config import StudyConfig, load
from asktell.directory import StudyDirectory
from asktell.errors import ConfigError, Problem
from asktell.overview import Overview, read_study
from asktell.runtime import RuntimeModel
from asktell.simulation.functions import FUNCTIONS, TestFunction
from asktell.simulation.laws import Law, learned
from asktell.simulation.stand_ins import drawn, surrogate
from asktell.study import replay
from asktell.trial import Status

MIN_RESULTS = 5
"""Fewer finished trials say too little to stand in for their objective, or of runtimes."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is simulated. runtime: as its trials took where it has run; config: of a study."""

    function: TestFunction
    runtime: Law | None = None
    config: StudyConfig | None = None


def subject(name: str) -> Subject:
    """What a test function's name, a study file or a study's directory stands for.

    A directory with results brings a surrogate of its objective, of where its trials failed and of how
    long they took. A study that never ran gets a function drawn at random over its space. Raises
    ConfigError.
    """
    if name in FUNCTIONS:
        return Subject(FUNCTIONS[name])
    path = Path(name)
    if StudyDirectory(path).config.is_file():
        return _of_results(read_study(path))
    if path.is_file():
        config = load(path)
        return Subject(drawn(config, config.build_space()), config=config)
    close = difflib.get_close_matches(name, FUNCTIONS, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    message = f"{name!r} is neither a study nor a test function"
    raise ConfigError([Problem("", message, f"{hint}test functions: {', '.join(FUNCTIONS)}")])


def _of_results(found: Overview) -> Subject:
    config, space = found.config, found.config.build_space()
    states = list(found.study.trials.values())
    completed = [state.outcome for state in states if state.status is Status.COMPLETED and state.outcome]
    durations_s = [outcome.duration_s for outcome in completed if outcome.duration_s > 0]  # not those added
    law = None
    if len(durations_s) >= MIN_RESULTS:
        model = RuntimeModel(space)
        replay(found.study.rules, found.records, model)
        model.end()
        law = learned(model, durations_s)
    if len(completed) < MIN_RESULTS:
        return Subject(drawn(config, space), law, config)
    return Subject(surrogate(config, space, states), law, config)
