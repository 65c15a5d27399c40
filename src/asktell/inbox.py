"""What other processes have written for the driver: workers' reports and people's commands.

Each writes a journal segment of its own; the driver follows them all and takes each record into its
own journal once.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from asktell.execute.protocol import TaskEnded
from asktell.journal import Tail
from asktell.records import Enqueued, Known, Reported, StopRequested, WarmStarted

Request = Enqueued | Known | StopRequested | WarmStarted


class Inbox:
    """Follows the worker and user segments of a journal folder."""

    def __init__(self, folder: Path) -> None:
        self._workers = Tail(folder, "worker")
        self._users = Tail(folder, "user")

    def reports(self) -> list[TaskEnded]:
        """Results that became durable since the last call, by trial, then attempt."""
        reports = [record for _, record in self._workers.new() if isinstance(record, Reported)]
        return [
            TaskEnded(report.number, report.attempt, report.outcome, report.token)
            for report in sorted(reports, key=lambda report: (report.number, report.attempt))
        ]

    def requests(self, known: Collection[str]) -> list[tuple[str, Request]]:
        """Commands since the last call whose source is not known yet, each with its source."""
        return [
            (source, record)
            for source, record in self._users.new()
            if isinstance(record, Request) and source not in known
        ]
