"""Points and results that people bring in: `enqueue`, `add`, `rerun`. On running and on stopped studies."""

from __future__ import annotations

import csv
import difflib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from asktell.cli.drive import resume_hint
from asktell.cli.options import number_argument, study_argument
from asktell.cli.output import note
from asktell.errors import ConfigError, Problem, SpaceError
from asktell.wording import assignments, count

if TYPE_CHECKING:
    from asktell.config import StudyConfig
    from asktell.overview import Overview
    from asktell.records import Enqueued, Known
    from asktell.space import Space
    from asktell.trial import Outcome, Value


@click.command()
@study_argument
@click.argument("assigned", metavar="NAME=VALUE...", nargs=-1, required=True)
def enqueue(study: Path, assigned: tuple[str, ...]) -> None:
    """Have the study evaluate this point next.

    \b
    asktell enqueue branin.study x1=3.1 x2=2.3
    """
    from asktell.overview import read_study
    from asktell.records import Enqueued

    found = read_study(study)
    space = found.config.build_space()
    texts = assigned_texts(assigned)
    point = read_point(space, texts)
    if unused := [name for name in texts if name not in point]:
        note(f"{', '.join(unused)} left out: not active at this point")
    _send(found, [Enqueued(point, time.time())])
    click.echo(f"enqueued {assignments(point)}; {_when(found, study)}")


@click.command()
@study_argument
@number_argument
def rerun(study: Path, number: int) -> None:
    """Evaluate the point of trial N again, as a new trial."""
    from asktell.overview import read_study
    from asktell.records import Enqueued

    found = read_study(study)
    params = found.trial(number).trial.params
    _send(found, [Enqueued(params, time.time(), note=f"rerun of {number}")])
    click.echo(f"enqueued the point of trial {number}, {assignments(params)}; {_when(found, study)}")


@click.command()
@study_argument
@click.argument("file", metavar="RESULTS.CSV", type=click.Path(path_type=Path))
def add(study: Path, file: Path) -> None:
    """Add known results from a CSV file.

    The file has a column per parameter and per objective (and per result that has a bound). An
    empty cell stands for a parameter that is not active. Every row is checked before any is added.
    Added trials do not count towards the budget.

    \b
    x1,x2,objective
    3.1,2.3,0.4012
    """
    from asktell.overview import read_study
    from asktell.records import Known

    found = read_study(study)
    rows, ignored = read_results(file, found.config)
    if ignored:
        note(f"columns that are neither parameter nor result are left out: {', '.join(ignored)}")
    now = time.time()
    _send(found, [Known(point, _outcome(values, now), now) for point, values in rows])
    where = "its driver takes them now" if found.driver is not None else f"taken in by {resume_hint(study)}"
    click.echo(f"added {count(len(rows), 'result')} to {study}; {where}")


def assigned_texts(assigned: Sequence[str]) -> dict[str, str]:
    """Name and text of 'NAME=VALUE' arguments."""
    texts = {}
    for item in assigned:
        name, equals, text = item.partition("=")
        if not equals:
            raise click.UsageError(f"{item!r} is no assignment; write NAME=VALUE, as in x1=3.1")
        if name in texts:
            raise click.UsageError(f"{name} is given twice; give it once")
        texts[name] = text
    return texts


def read_point(space: Space, texts: Mapping[str, str]) -> dict[str, Value]:
    """The point that these texts describe. Raises SpaceError if it is none, or is not allowed."""
    from asktell.config.dialect import read_plain

    values = {
        name: text if text in getattr(space.parameters.get(name), "choices", ()) else read_plain(text)
        for name, text in texts.items()
    }
    return allowed_point(space, values)


def allowed_point(space: Space, values: Mapping[str, object]) -> dict[str, Value]:
    """The point with these values. Raises SpaceError if it is none, or is not allowed."""
    point = space.validate(values)
    if broken := space.violated(point):
        raise SpaceError(f"{assignments(point)} does not fulfil {' and '.join(broken)}; choose another point")
    return point


Result = tuple[Mapping[str, "Value"], Mapping[str, float]]
"""A point, and what it came to."""


def read_results(file: Path, config: StudyConfig) -> tuple[list[Result], list[str]]:
    """The points and values of a CSV file, and its columns that mean nothing here.

    Raises ConfigError with everything that is wrong with it, each with its line.
    """
    space = config.build_space()
    results = list(dict.fromkeys([*config.objectives, *config.outcome_bounds()]))
    rows: list[Result] = []
    problems: list[Problem] = []
    with _open(file) as lines:
        reader = csv.DictReader(lines, skipinitialspace=True)
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        problems += _column_problems(file, columns, results)
        for row in () if problems else reader:
            texts = {name: (text or "").strip() for name, text in row.items() if isinstance(name, str)}
            if None in row:
                problems.append(_problem(file, reader.line_num, "", "has more cells than there are columns"))
                continue
            given = {name: text for name, text in texts.items() if name in space.parameters and text}
            found = list(_value_problems(file, reader.line_num, texts, results))
            try:
                point = read_point(space, given)
            except SpaceError as error:
                found.append(_problem(file, reader.line_num, "", str(error)))
            if not found:
                rows.append((point, {name: float(texts[name]) for name in results}))
            problems += found
    if not rows and not problems:
        problems.append(_problem(file, 0, "", "has no rows; give one for each result"))
    if problems:
        raise ConfigError(problems)
    return rows, [name for name in columns if name not in space.parameters and name not in results]


@contextmanager
def _open(file: Path) -> Iterator[IO[str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield lines
    except FileNotFoundError:
        raise ConfigError([_problem(file, 0, "", "there is no such file", "check its name")]) from None
    except UnicodeDecodeError:
        raise ConfigError([_problem(file, 0, "", "is not UTF-8 text", "save it as UTF-8")]) from None


def _column_problems(file: Path, columns: Sequence[str], wanted: Sequence[str]) -> Iterator[Problem]:
    for name in wanted:
        if name not in columns:
            close = difflib.get_close_matches(name, columns, n=1)
            remedy = f"did you mean it by {close[0]!r}?" if close else "add it"
            yield _problem(file, 1, name, "has no column", remedy)
    for name in dict.fromkeys(name for name in columns if columns.count(name) > 1):
        yield _problem(file, 1, name, "has several columns", "leave one")


def _value_problems(
    file: Path, line: int, texts: Mapping[str, str], results: Sequence[str]
) -> Iterator[Problem]:
    for name in results:
        try:
            is_finite = math.isfinite(float(texts[name]))
        except ValueError:
            is_finite = False
        if not is_finite:
            yield _problem(file, line, name, f"{texts[name]!r} is no finite number", "leave the row out")


def _problem(file: Path, line: int, place: str, message: str, remedy: str = "") -> Problem:
    return Problem(place, message, remedy, str(file), line)


def _outcome(values: Mapping[str, float], at: float) -> Outcome:
    from asktell.trial import Outcome, Status

    return Outcome(Status.COMPLETED, values=values, ended_at=at)


def _send(found: Overview, requests: Sequence[Enqueued | Known]) -> None:
    """Leave the requests, all or none, in a segment of our own; the study's driver follows those."""
    from asktell.journal import Segment

    segment = Segment.create(found.directory.journal, "user")
    try:
        segment.append_many(requests)
    finally:
        segment.close()


def _when(found: Overview, study: Path) -> str:
    """When an enqueued point gets its turn."""
    if found.driver is not None:
        return "its driver proposes it next"
    if found.is_done:
        return f"the study is done, so give it more trials: {resume_hint(study, '--trials N')}"
    return f"proposed first after {resume_hint(study)}"
