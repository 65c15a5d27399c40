"""Rows of the view: one for each terminal event, in the order of those events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from asktell.errors import JournalError
from asktell.records import Added, Asked, Ended, Lost, Record, Retried, SchemaSet, Submitted
from asktell.trial import Cause, Outcome, Status, Trial


@dataclass(frozen=True, slots=True)
class Earlier:
    """An attempt that did not end its trial: it was lost, or it failed and the trial was tried again.

    worker, job, host: '' where they are not known; ran_s: for how long it held its worker.
    """

    attempt: int
    worker: str
    job: str
    host: str
    ended_at: float
    ran_s: float
    cause: Cause
    is_lost: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A trial that has come to its end.

    submitted_at: of the attempt that ended it, 0 where none was; n_attempts, jobs: of all of them, in
    order, '' where it is not known; lost: why attempts were lost; earlier: those that did not end it,
    in the order in which they ended.
    """

    trial: Trial
    attempt: int
    outcome: Outcome
    told_at: float
    submitted_at: float = 0.0
    n_attempts: int = 0
    jobs: tuple[str, ...] = ()
    lost: tuple[Cause, ...] = ()
    earlier: tuple[Earlier, ...] = ()

    @property
    def is_completed(self) -> bool:
        return self.outcome.status is Status.COMPLETED


@dataclass(slots=True)
class _Course:
    """What has become of an open trial."""

    trial: Trial
    submitted: dict[int, Submitted] = field(default_factory=dict)
    lost: list[Cause] = field(default_factory=list)
    earlier: list[Earlier] = field(default_factory=list)


class RowBuilder:
    """Makes rows from a driver's records as they come."""

    def __init__(self) -> None:
        self._open: dict[int, _Course] = {}

    def take(self, record: Record) -> Row | None:
        """The row that this record completes, if it completes one."""
        match record:
            case Asked():
                self._open.update((trial.number, _Course(trial)) for trial in record.trials)
            case Submitted(number=number) if number in self._open:
                self._open[number].submitted[record.attempt] = record
            case Lost(number=number) if number in self._open:
                self._open[number].lost.append(record.cause)
                self._open[number].earlier.append(_lost(self._open[number], record))
            case Retried(number=number) if number in self._open:
                self._open[number].earlier.append(_retried(self._open[number], record))
            case Ended():
                course = self._open.pop(record.number, None)
                if course is None:
                    raise JournalError(f"trial {record.number} ends without being open; run `asktell verify`")
                return _row(course, record)
            case Added():
                return Row(record.trial, 0, record.outcome, record.at)
        return None


def _submitted(course: _Course, record: Ended | Lost | Retried) -> Submitted:
    return course.submitted.get(record.attempt, Submitted(record.number, record.attempt, "", 0.0))


def _lost(course: _Course, record: Lost) -> Earlier:
    task = _submitted(course, record)
    ran_s = record.ran_s
    if ran_s is None:
        ran_s = max(0.0, record.at - task.at) if task.at else 0.0
    return Earlier(
        record.attempt, task.slot, task.job, task.host, record.at, ran_s, record.cause, is_lost=True
    )


def _retried(course: _Course, record: Retried) -> Earlier:
    task, outcome = _submitted(course, record), record.outcome
    return Earlier(
        record.attempt,
        outcome.worker or task.slot,
        outcome.job or task.job,
        outcome.host or task.host,
        outcome.ended_at or record.at,
        outcome.duration_s,
        outcome.cause,
        is_lost=False,
    )


def _row(course: _Course, record: Ended) -> Row:
    task = _submitted(course, record)
    # An attempt that was lost has no report of its own to say where it ran.
    outcome = replace(
        record.outcome, job=record.outcome.job or task.job, host=record.outcome.host or task.host
    )
    return Row(
        course.trial,
        record.attempt,
        outcome,
        record.at,
        task.at,
        n_attempts=len(course.submitted),
        jobs=tuple(course.submitted[attempt].job for attempt in sorted(course.submitted)),
        lost=tuple(course.lost),
        earlier=tuple(course.earlier),
    )


def rows_from(records: Iterable[Record]) -> tuple[list[Row], SchemaSet | None]:
    """All rows of a driver's records, and the outputs' schema once a trial has brought outputs."""
    builder, rows, schema = RowBuilder(), [], None
    for record in records:
        if isinstance(record, SchemaSet):
            schema = record
        elif (row := builder.take(record)) is not None:
            rows.append(row)
    return rows, schema
