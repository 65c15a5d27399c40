"""A trial and where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from asktell.trial import Outcome, Status, Trial


@dataclass(slots=True)
class TrialState:
    """A trial and what has become of it so far; `StudyMachine` alone changes it.

    attempts: begun so far; failures, losses: those that count towards `retries` and `max_lost`;
    requeues: those that count towards neither; ran_s: what attempts that their walltime cut off had run,
    the longest of them, or with checkpoints their sum; row: in the store, once terminal.
    """

    trial: Trial
    status: Status = Status.WAITING
    attempts: int = 0
    failures: int = 0
    losses: int = 0
    requeues: int = 0
    ran_s: float = 0.0
    outcome: Outcome | None = None
    row: int | None = None

    @property
    def is_open(self) -> bool:
        return not self.status.is_terminal
