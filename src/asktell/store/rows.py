"""Rows of the view: one for each terminal event, in the order of those events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from asktell.errors import JournalError
from asktell.records import Added, Asked, Ended, Record, SchemaSet, Submitted
from asktell.trial import Outcome, Status, Trial


@dataclass(frozen=True, slots=True)
class Row:
    """A trial that has come to its end. submitted_at: of the attempt that ended it; 0 where none was."""

    trial: Trial
    attempt: int
    outcome: Outcome
    told_at: float
    submitted_at: float = 0.0

    @property
    def is_completed(self) -> bool:
        return self.outcome.status is Status.COMPLETED


class RowBuilder:
    """Makes rows from a driver's records as they come."""

    def __init__(self) -> None:
        self._open: dict[int, Trial] = {}
        self._submitted: dict[int, dict[int, float]] = {}

    def take(self, record: Record) -> Row | None:
        """The row that this record completes, if it completes one."""
        match record:
            case Asked():
                self._open.update((trial.number, trial) for trial in record.trials)
            case Submitted():
                self._submitted.setdefault(record.number, {})[record.attempt] = record.at
            case Ended():
                trial = self._open.pop(record.number, None)
                if trial is None:
                    raise JournalError(f"trial {record.number} ends without being open; run `asktell verify`")
                submitted = self._submitted.pop(record.number, {}).get(record.attempt, 0.0)
                return Row(trial, record.attempt, record.outcome, record.at, submitted)
            case Added():
                return Row(record.trial, 0, record.outcome, record.at)
        return None


def rows_from(records: Iterable[Record]) -> tuple[list[Row], SchemaSet | None]:
    """All rows of a driver's records, and the outputs' schema once a trial has brought outputs."""
    builder, rows, schema = RowBuilder(), [], None
    for record in records:
        if isinstance(record, SchemaSet):
            schema = record
        elif (row := builder.take(record)) is not None:
            rows.append(row)
    return rows, schema
