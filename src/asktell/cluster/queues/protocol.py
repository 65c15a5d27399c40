"""What a batch system says of jobs, in words that are the same for all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from asktell.errors import ExecutorError


class Phase(StrEnum):
    """Where a job stands."""

    UNKNOWN = "unknown"  # submitted, and nothing heard of it yet
    QUEUED = "queued"  # for the first time, or again
    RUNNING = "running"
    ENDING = "ending"  # its processes are being ended; it may be queued again after that
    ENDED = "ended"


class End(StrEnum):
    """How a job ended, as the batch system sees it."""

    UNKNOWN = ""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    PREEMPTED = "preempted"
    NODE_FAIL = "node_fail"
    OUT_OF_MEMORY = "out_of_memory"


@dataclass(frozen=True, slots=True)
class JobState:
    """One job. reason: why it waits or how it ended, in the batch system's words.

    ends_at: end of its walltime, Unix seconds; None while it does not run, or has no limit.
    """

    id: str
    phase: Phase
    reason: str = ""
    host: str = ""
    ends_at: float | None = None
    end: End = End.UNKNOWN


class QueueSilent(ExecutorError):
    """The batch system did not answer. No news, and no failure of any job."""


class SubmitRefused(ExecutorError):
    """The batch system took no job. words: its own; is_permanent: it will not take the next one either.

    is_doubtful: its answer did not come, so that it may have taken the job all the same.
    """

    def __init__(self, words: str, *, is_permanent: bool = False, is_doubtful: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.is_permanent = is_permanent
        self.is_doubtful = is_doubtful


class Queue(Protocol):
    """A batch system. Every call may take long; none is made in the loop's thread.

    can_list: `jobs` has answers; otherwise only dask's view tells whether a job lives.
    """

    can_list: bool

    def jobs(self, ids: Collection[str]) -> Mapping[str, JobState]:
        """How these jobs stand; one command for all. Jobs that nobody knows any more are left out.

        Raises QueueSilent.
        """

    def named(self, name: str) -> Sequence[str]:
        """Jobs of this user with that name which wait or run. Raises QueueSilent."""

    def submit(self, script: Path) -> str:
        """Submit; returns the job's id as the job itself will see it. Raises SubmitRefused."""

    def cancel(self, ids: Collection[str]) -> None:
        """Ask for the end of jobs, waiting or running; `jobs` says what came of it. Raises QueueSilent."""
