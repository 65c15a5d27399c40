"""Bad luck in a row, which says that going on would only burn the budget.

A full disk or a broken installation loses one attempt after the other, a misspelt name in the
objective fails one trial after the other. Each session starts to count anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from asktell.trial import Outcome, Status

MANY_LOSSES = 12
MANY_FAILURES = 20


@dataclass(slots=True)
class Streaks:
    """Losses in a row that count, and failures before anything has completed; of each, the last."""

    n_losses: int = 0
    last_loss: str = ""
    n_failures: int = 0
    last_failure: str = ""

    def begin(self) -> None:
        """A session begins."""
        self.n_losses = self.n_failures = 0

    def lose(self, detail: str, *, counts: bool) -> None:
        self.n_losses += counts
        self.last_loss = detail

    def hear(self) -> None:
        """An attempt reported."""
        self.n_losses = 0

    def conclude(self, outcome: Outcome, *, is_first: bool) -> None:
        """A trial ended. is_first: none has completed so far."""
        if outcome.status is Status.FAILED and is_first:
            self.n_failures += 1
            self.last_failure = next(iter(outcome.error.splitlines()), str(outcome.cause))
        else:
            self.n_failures = 0

    def hopeless(self, width: int) -> str:
        """Why to give up, or ''. width: slots, which may all have lost or failed at once."""
        if self.n_losses >= max(MANY_LOSSES, 3 * width):
            return f"{self.n_losses} attempts in a row were lost, the last: {self.last_loss}"
        if self.n_failures >= max(MANY_FAILURES, 3 * width):
            return f"all of the first {self.n_failures} trials failed, the last: {self.last_failure}"
        return ""
