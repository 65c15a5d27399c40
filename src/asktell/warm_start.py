"""What earlier studies found, for one that starts warm: checked before anything is made or submitted."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from asktell.config import StudyConfig, did_you_mean, from_resolved
from asktell.errors import AsktellError, ConfigError, Problem, SpaceError
from asktell.journal import replay_driver
from asktell.records import EarlierTrial, WarmStarted
from asktell.session import study_directory
from asktell.space import Constant, Space
from asktell.store import Row, rows_from

_PLACE = "optimizer.warm_start"


def warm_starts(config: StudyConfig) -> list[WarmStarted]:
    """What each study under `optimizer.warm_start` has to say, in their order.

    Trials that are not completed, lie outside this study's space or lack one of its results are left
    out, and counted. Raises ConfigError with everything that is wrong: a folder that is no study,
    parameters that do not match, an objective that is another one there, a study of which nothing fits.
    """
    found: list[WarmStarted] = []
    problems: list[Problem] = []
    for path in config.optimizer.warm_start:
        try:
            one = _read(Path(path), config)
        except ConfigError as error:
            problems += error.problems
        except AsktellError as error:
            problems.append(Problem(_PLACE, str(error)))
        else:
            found.append(one)
    if problems:
        raise ConfigError(problems)
    return found


def _read(path: Path, config: StudyConfig) -> WarmStarted:
    directory = study_directory(path)
    theirs, space = from_resolved(directory.config), config.build_space()
    required = [*config.objectives, *config.outcome_bounds()]
    problems = [
        *_parameter_problems(path, theirs.build_space(), space),
        *_direction_problems(path, theirs, config),
    ]
    if problems:
        raise ConfigError(problems)
    rows = [row for row in rows_from(replay_driver(directory.journal))[0] if row.is_completed]
    results = {name for row in rows for name in row.outcome.values}
    if rows and (lacking := [name for name in required if name not in results]):
        remedy = did_you_mean(lacking[0], results, f"its results are {', '.join(sorted(results))}")
        raise ConfigError([Problem(_PLACE, f"no trial of {path} has a result {lacking[0]!r}", remedy)])
    trials = tuple(trial for row in rows if (trial := _fitting(row, space, required)) is not None)
    if not trials:
        why = f"none of its {len(rows)} lies in this study's space" if rows else "it has none yet"
        raise ConfigError([Problem(_PLACE, f"no completed trial of {path} is of use: {why}", "leave it out")])
    return WarmStarted(str(directory.root), trials, len(rows) - len(trials), time.time())


def _parameter_problems(path: Path, theirs: Space, ours: Space) -> Iterator[Problem]:
    """Parameters of either space that the other lacks, and that are not constant there."""
    for name in _not_in(ours.parameters, theirs):
        what = f"{path} has a parameter {name!r}, which this study does not have"
        yield Problem(_PLACE, what, "add it as a constant, to say which of its trials are of use here")
    for name in _not_in(theirs.parameters, ours):
        what = f"{path} has no parameter {name!r}, so its trials have no place in this space"
        yield Problem(_PLACE, what, f"make {name} a constant, or leave that study out")


def _not_in(known: Collection[str], space: Space) -> list[str]:
    return [
        name
        for name, parameter in space.parameters.items()
        if name not in known and not isinstance(parameter, Constant)
    ]


def _direction_problems(path: Path, theirs: StudyConfig, ours: StudyConfig) -> Iterator[Problem]:
    for name, objective in ours.objectives.items():
        there = theirs.objectives.get(name)
        if there is not None and there.direction != objective.direction:
            what = f"{path} is to {there.direction} {name!r}, this study to {objective.direction} it"
            yield Problem(_PLACE, what, "give the same direction, or another name to what is another thing")


def _fitting(row: Row, space: Space, required: Sequence[str]) -> EarlierTrial | None:
    """The trial with what this study knows, None where it lacks a result or a place in the space."""
    known = {name: value for name, value in row.trial.params.items() if name in space.parameters}
    try:
        params = space.validate(known)
        values = {name: row.outcome.values[name] for name in required}
    except (SpaceError, KeyError):
        return None
    return EarlierTrial(row.trial.number, params, values) if space.is_feasible(params) else None
