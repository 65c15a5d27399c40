"""An executor on a virtual clock: the same loop, a given runtime model, no sleeping.

Time moves only in `wait`, to the next event. Slots can be told to join and to leave at set times, and
leave by themselves when their job ends, so a test or a simulation plays any history of a cluster in
milliseconds.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from asktell.execute.protocol import (
    ExecutorEvent,
    SlotJoined,
    SlotLeft,
    Task,
    TaskEnded,
    TaskLost,
    Why,
    Woken,
)
from asktell.trial import Cause, Outcome


@dataclass(frozen=True, slots=True)
class _Departure:
    """A slot is to go. why: what its pool would find out, None where it finds out nothing."""

    slot: str
    detail: str
    why: Why | None = None


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
        self._agenda: list[tuple[float, int, ExecutorEvent | _Departure]] = []
        self._queues: dict[str, list[Task]] = {}
        self._n_initial = slots
        self.wanted = 0
        self.busy_s = 0.0

    def start(self) -> None:
        for index in range(self._n_initial):
            self.join(f"slot-{index}", self._now)

    def join(self, slot: str, at: float, *, job: str = "", ends_at: float | None = None) -> None:
        """Let a slot join at a time, and leave when its job ends."""
        self._post(at, SlotJoined(slot, host="virtual", job=job, ends_at=ends_at))
        if ends_at is not None:
            self._post(ends_at, _Departure(slot, "its job ended", Why(Cause.WALLTIME, "its job ended")))

    def leave(
        self, slot: str, at: float, detail: str = "the virtual slot left", cause: Cause | None = None
    ) -> None:
        """Let a slot go, and all that is on it. cause: what becomes known of the reason."""
        self._post(at, _Departure(slot, detail, Why(cause, detail) if cause is not None else None))

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
        self._post(self._now, _Departure(slot, "it was released"))

    def close(self, *, hand_over: bool = False) -> None:
        self._agenda.clear()
        self._queues.clear()

    def _post(self, at: float, event: ExecutorEvent | _Departure) -> None:
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

    def _happen(self, event: ExecutorEvent | _Departure) -> Iterable[ExecutorEvent]:
        match event:
            case SlotJoined():
                self._queues[event.slot] = []
            case _Departure():
                return self._depart(event)
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

    def _depart(self, event: _Departure) -> Iterable[ExecutorEvent]:
        tasks = self._queues.pop(event.slot, None)
        if tasks is None:
            return
        yield SlotLeft(event.slot, event.detail, losses_follow=bool(tasks) and event.why is not None)
        if event.why is not None:
            for place, task in enumerate(tasks):
                yield TaskLost(
                    task.number, task.attempt, event.why.detail, event.why.cause, counts=place == 0
                )

    def _slot_of(self, event: TaskEnded) -> str | None:
        for slot, queue in self._queues.items():
            if queue and (queue[0].number, queue[0].attempt) == (event.number, event.attempt):
                return slot
        return None
