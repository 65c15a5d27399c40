"""An executor on a virtual clock: the same loop, a given runtime model, no sleeping.

Time moves only in `wait`, to the next event. Slots can be told to join and to leave at set times,
so a test or a simulation plays any history of a cluster in milliseconds.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from asktell.execute.protocol import ExecutorEvent, SlotJoined, SlotLeft, Task, TaskEnded, TaskLost, Woken
from asktell.trial import Outcome


class VirtualExecutor:
    """Runs tasks on virtual slots.

    work: task → outcome, called in this process when a task starts; runtime_s: task → seconds that
    it takes on the clock. slots: how many join at `start_at`.
    """

    dashboard = ""
    note = ""

    def __init__(
        self,
        work: Callable[[Task], Outcome],
        runtime_s: Callable[[Task], float],
        *,
        slots: int = 1,
        start_at: float = 0.0,
    ) -> None:
        self._work = work
        self._runtime_s = runtime_s
        self._now = start_at
        self._counter = itertools.count()
        self._agenda: list[tuple[float, int, ExecutorEvent]] = []
        self._queues: dict[str, list[Task]] = {}
        self._n_initial = slots
        self.wanted = 0
        self.busy_s = 0.0

    def start(self) -> None:
        for index in range(self._n_initial):
            self.join(f"slot-{index}", self._now)

    def join(self, slot: str, at: float) -> None:
        """Let a slot join at a time."""
        self._post(at, SlotJoined(slot, host="virtual"))

    def leave(self, slot: str, at: float, detail: str = "the virtual slot left") -> None:
        """Let a slot go, and all that is on it."""
        self._post(at, SlotLeft(slot, detail))

    def now(self) -> float:
        return self._now

    def submit(self, task: Task, slot: str) -> None:
        if slot not in self._queues:
            self._post(self._now, TaskLost(task.number, task.attempt, "its slot is gone"))
            return
        queue = self._queues[slot]
        queue.append(task)
        if len(queue) == 1:
            self._begin(task)

    def wait(self, timeout_s: float) -> Sequence[ExecutorEvent]:
        """The events of the next instant at which anything happens, if that is within the timeout."""
        until = self._now + timeout_s
        while self._agenda and self._agenda[0][0] <= until:
            self._now = max(self._now, self._agenda[0][0])
            events: list[ExecutorEvent] = []
            while self._agenda and self._agenda[0][0] <= self._now:
                events.extend(self._happen(heapq.heappop(self._agenda)[2]))
            if events:
                return events
        self._now = until
        return []

    def wake(self, reason: str) -> None:
        self._post(self._now, Woken(reason))

    def want(self, slots: int) -> None:
        self.wanted = slots

    def release(self, slot: str) -> None:
        self._post(self._now, SlotLeft(slot, "it was released"))

    def close(self, *, hand_over: bool = False) -> None:
        self._agenda.clear()
        self._queues.clear()

    def _post(self, at: float, event: ExecutorEvent) -> None:
        heapq.heappush(self._agenda, (at, next(self._counter), event))

    def _begin(self, task: Task) -> None:
        duration = self._runtime_s(task)
        outcome = replace(
            self._work(task),
            started_at=self._now,
            ended_at=self._now + duration,
            duration_s=duration,
            host="virtual",
        )
        self._post(self._now + duration, TaskEnded(task.number, task.attempt, outcome, task.token))

    def _happen(self, event: ExecutorEvent) -> Iterable[ExecutorEvent]:
        match event:
            case SlotJoined():
                self._queues[event.slot] = []
            case SlotLeft():
                if self._queues.pop(event.slot, None) is None:
                    return ()
            case TaskEnded():
                slot = self._slot_of(event)
                if slot is None:
                    return ()  # its slot left in the meantime
                queue = self._queues[slot]
                queue.pop(0)
                self.busy_s += event.outcome.duration_s
                if queue:
                    self._begin(queue[0])
        return (event,)

    def _slot_of(self, event: TaskEnded) -> str | None:
        for slot, queue in self._queues.items():
            if queue and (queue[0].number, queue[0].attempt) == (event.number, event.attempt):
                return slot
        return None
