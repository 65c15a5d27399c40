"""The preflight's job, as its batch system tells."""

from __future__ import annotations

import time
from collections.abc import Callable

from asktell.cluster.queues import Phase, Queue, QueueSilent
from asktell.preflight import diagnosis

_FIRST_PAUSE_S = 1.0
_END_S = 15.0
"""How long the end of a cancelled job is waited for."""
_MISSING_LOOKS = 3


class Watch:
    """Looks at one job, at first often, then no more often than every `most_s` seconds.

    say: is told when it waits for something else than before.
    """

    def __init__(self, queue: Queue, job: str, most_s: float, say: Callable[[str], None]) -> None:
        self.job = job
        self.phase = Phase.UNKNOWN
        self.host = ""
        self._queue = queue
        self._most_s = most_s
        self._say = say
        self._said = ""
        self._pause_s = _FIRST_PAUSE_S
        self._look_at = 0.0
        self._missing = 0
        self._reason = ""

    @property
    def trouble(self) -> str:
        """Why its worker will not come: it has ended, or will not start; '' while there is hope."""
        if time.monotonic() >= self._look_at:
            self._look()
            self._look_at = time.monotonic() + self._pause_s
            self._pause_s = min(1.5 * self._pause_s, self._most_s)
        if self.phase is Phase.ENDED or diagnosis.remedy(self._reason, diagnosis.NEVER_STARTS):
            return self._reason or "without a reason"
        return ""

    def cancel(self) -> None:
        """End the job, and wait a moment for it; raises QueueSilent."""
        self._queue.cancel([self.job])
        until = time.monotonic() + _END_S
        while self._queue.can_list and self.phase is not Phase.ENDED and time.monotonic() < until:
            time.sleep(_FIRST_PAUSE_S)
            self._look()

    def _look(self) -> None:
        if not self._queue.can_list:
            self._tell(f"job {self.job} is waited for; this kind of batch system is not asked how it stands")
            return
        try:
            state = self._queue.jobs([self.job]).get(self.job)
        except QueueSilent as silence:
            self._tell(f"the batch system does not answer: {silence}")
            return
        if state is None:
            self._missing += 1
            if self._missing >= _MISSING_LOOKS:
                self.phase, self._reason = Phase.ENDED, "the batch system knows it no more"
            return
        self._missing = 0
        self.phase, self.host = state.phase, state.host
        self._reason = state.reason or state.end.value
        if self.phase is Phase.QUEUED:
            self._tell(f"job {self.job} waits{f': {self._reason}' if self._reason else ''}")
        elif self.phase is Phase.RUNNING:
            self._tell(
                f"job {self.job} runs{f' on {state.host}' if state.host else ''}; its worker is to come"
            )

    def _tell(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._say(text)
