"""The executor that stands on dask: one worker is one slot, finished futures come from `as_completed`.

Three threads meet in one queue. dask's event loop puts in workers that join or leave and metrics,
the feeder puts in finished futures, signal handlers and timers put in wake-ups; the loop takes out.
All state is changed by the loop's thread alone.

Every task is pinned to the worker that the loop chose. dask would run a task again when its worker
dies, behind our back and perhaps while the first copy still runs; a pinned task cannot move, and the
departure of its worker is reported as `SlotLeft`. Where the pool can find out why a worker went (a batch
scheduler knows), the tasks that were on it are held back until it has, and are reported as `TaskLost`.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from distributed import Client, Future, KilledWorker, SchedulerPlugin, as_completed

from asktell import records
from asktell.errors import ExecutorError
from asktell.execute.protocol import (
    ExecutorEvent,
    MetricsLogged,
    SlotJoined,
    SlotLeft,
    Task,
    TaskEnded,
    TaskLost,
    Why,
    Woken,
)
from asktell.trial import Cause

logger = logging.getLogger(__name__)

RESULT_TIMEOUT_S = 30


class Pool(Protocol):
    """Where workers come from (`asktell.cluster`). explains: `why` has more to say than 'unknown'."""

    dashboard: str
    explains: bool

    @property
    def note(self) -> str:
        """How things stand with the workers, for people, or ''."""

    def connect(self) -> Client:
        """A client of a scheduler that workers will join."""

    def keep(self, slots: Collection[SlotJoined], wanted: int) -> None:
        """Called about once a second with the live slots and how many are of use: mend what is broken."""

    def why(self, slot: SlotJoined) -> Why | None:
        """Why a slot was lost; None while it may still become known, which takes a minute at most."""

    def release(self, slot: SlotJoined) -> None:
        """Nothing runs on this slot, and nothing will."""

    def close(self, *, hand_over: bool = False) -> None:
        """Stop the workers and the scheduler that this pool started; idempotent.

        hand_over: leave workers that can outlive this process to finish what they run.
        """


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A task whose slot is lost, while the pool finds out why."""

    task: Task
    slot: SlotJoined
    counts: bool
    detail: str


class DaskExecutor:
    """Runs tasks on the workers of a pool.

    work: (task, topic) → `records.encode`d `Reported`; runs on the worker, and sends metrics to the
    topic while it does.
    """

    def __init__(self, pool: Pool, work: Callable[[Task, str], Mapping[str, Any]]) -> None:
        self._pool = pool
        self._work = work
        self._id = uuid.uuid4().hex[:8]
        self._queue: queue.SimpleQueue[ExecutorEvent | Future[Any]] = queue.SimpleQueue()
        self._tasks: dict[str, tuple[Task, str, Future[Any]]] = {}
        self._live: dict[str, SlotJoined] = {}
        self._leaving: set[str] = set()  # `SlotLeft` is on its way
        self._unexplained: list[Unexplained] = []
        self._wanted = 0
        self._outstanding = threading.Semaphore(0)
        self._is_heard = threading.Event()
        self._is_closed = False
        self._kept_at = 0.0
        self._client: Client | None = None
        self._feeder: threading.Thread | None = None

    @property
    def dashboard(self) -> str:
        return self._pool.dashboard

    @property
    def note(self) -> str:
        return self._pool.note

    def start(self) -> None:
        self._client = self._pool.connect()
        self._completed = as_completed(loop=self._client.loop, with_results=False)
        self._feeder = threading.Thread(target=self._feed, name="asktell-feeder", daemon=True)
        self._feeder.start()
        topic = f"asktell-{self._id}"
        self._client.subscribe_topic(topic, self._take_message)
        self._await_subscription(self._client, topic)
        self._client.register_plugin(SlotWatch(topic), name=topic)

    def _await_subscription(self, client: Client, topic: str) -> None:
        """Return when a word of our own comes back.

        The subscription travels by another way than calls do, and events before it are lost: workers
        would join unseen.
        """
        until = time.monotonic() + RESULT_TIMEOUT_S
        while not self._is_heard.is_set():
            if time.monotonic() > until:
                raise ExecutorError("the dask scheduler does not pass events on; start it again and resume")
            client.log_event(topic, {"op": "hello"})
            self._is_heard.wait(0.05)

    def now(self) -> float:
        return time.time()

    def submit(self, task: Task, slot: str) -> None:
        if slot not in self._live or self._client is None:
            self._queue.put(TaskLost(task.number, task.attempt, f"worker {slot} is gone"))
            return
        # Never a key twice: dask answers a reused key with the old result, or the old error.
        key = f"trial-{self._id}-{task.number:09d}-{task.attempt}"
        future = self._client.submit(
            self._work,
            task,
            f"asktell-{self._id}",
            key=key,
            workers=[slot],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        self._tasks[key] = (task, slot, future)
        self._completed.add(future)
        self._outstanding.release()

    def wait(self, timeout_s: float) -> Sequence[ExecutorEvent]:
        until = time.monotonic() + timeout_s
        events: list[ExecutorEvent] = []
        while not events:
            self._check()
            left = until - time.monotonic()
            try:
                items = [self._queue.get(timeout=min(max(left, 0.0), 1.0))]
            except queue.Empty:
                if left <= 0:
                    break
                continue
            while not self._queue.empty():
                items.append(self._queue.get())
            for item in items:
                events.extend(self._translate(item))
        return events

    def want(self, slots: int) -> None:
        self._wanted = slots

    def release(self, slot: str) -> None:
        if (joined := self._live.get(slot)) is not None:
            self._pool.release(joined)

    def wake(self, reason: str) -> None:
        self._queue.put(Woken(reason))

    def close(self, *, hand_over: bool = False) -> None:
        """Let go of everything. An interrupt ends the waiting for that, and not the closing itself."""
        if self._is_closed:
            return
        self._is_closed = True
        closing = ThreadPoolExecutor(1, "asktell-closing")
        done = closing.submit(self._close, hand_over=hand_over)
        closing.shutdown(wait=False)
        done.result()

    def _close(self, *, hand_over: bool) -> None:
        if not hand_over:  # a released task that is running would be lost to whoever comes next
            for _, _, future in self._tasks.values():
                future.release()
            self._tasks.clear()
        if self._feeder is not None:
            self._completed.clear()
            self._outstanding.release()
            self._feeder.join(timeout=5)
        if self._client is not None:
            if self._client.status == "running":
                self._client.unregister_scheduler_plugin(f"asktell-{self._id}")
            self._client.close()
        self._pool.close(hand_over=hand_over)

    # ---- in other threads ----------------------------------------------------------------------

    def _feed(self) -> None:
        """Move finished futures from `as_completed` to the queue, for as long as this executor lives."""
        while True:
            # One permit for each future: `next` is never called on an empty collection, where it
            # would end the iteration for good.
            self._outstanding.acquire()
            if self._is_closed:
                return
            try:
                self._queue.put(next(self._completed))
            except StopIteration:
                return

    def _take_message(self, event: tuple[float, Any]) -> None:
        message = event[1]
        match message["op"]:
            case "hello":
                self._is_heard.set()
            case "join":
                self._queue.put(SlotJoined(**{key: item for key, item in message.items() if key != "op"}))
            case "leave":
                self._leaving.add(message["slot"])
                self._queue.put(SlotLeft(message["slot"], "the worker left the scheduler"))
            case "metrics":
                metrics = tuple((step, name, value) for step, name, value in message["metrics"])
                self._queue.put(MetricsLogged(message["number"], message["attempt"], metrics))

    # ---- in the loop's thread ------------------------------------------------------------------

    def _check(self) -> None:
        if self._client is None or self._client.status not in ("running", "connecting"):
            raise ExecutorError("the connection to the dask scheduler is lost; start it again and resume")
        if time.monotonic() - self._kept_at >= 1.0:
            self._kept_at = time.monotonic()
            self._pool.keep(self._live.values(), self._wanted)
            self._explain()

    def _explain(self) -> None:
        """Report the losses whose reason has become known."""
        for item in list(self._unexplained):
            if (why := self._pool.why(item.slot)) is not None:
                self._unexplained.remove(item)
                counts = item.counts and why.counts
                task, detail = item.task, why.detail or item.detail
                self._queue.put(TaskLost(task.number, task.attempt, detail, why.cause, counts))

    def _translate(self, item: ExecutorEvent | Future[Any]) -> Sequence[ExecutorEvent]:
        match item:
            case Future():
                return self._conclude(item)
            case SlotJoined():
                if item.slot in self._live:
                    return ()
                self._live[item.slot] = item
            case SlotLeft():
                return self._leave(item)
        return (item,)

    def _leave(self, event: SlotLeft) -> Sequence[ExecutorEvent]:
        self._leaving.discard(event.slot)
        joined = self._live.pop(event.slot, None)
        if joined is None:
            return ()
        on_it = [key for key, (_, slot, _) in self._tasks.items() if slot == event.slot]
        for place, key in enumerate(on_it):
            task, _, future = self._tasks.pop(key)
            # A pinned task whose worker is gone waits for ever unless it is cancelled.
            future.cancel(reason="worker-left")
            if self._pool.explains:
                # Only the oldest can have had a part in the loss; those queued behind it are innocent.
                self._unexplained.append(Unexplained(task, joined, place == 0, event.detail))
        # A worker that is told to end reports what it ran as lost, and leaves before the reason is known.
        follow = any(item.slot.slot == event.slot for item in self._unexplained)
        return (replace(event, losses_follow=follow),)

    def _conclude(self, future: Future[Any]) -> Sequence[ExecutorEvent]:
        key = str(future.key)
        if key not in self._tasks:
            return ()
        task, slot, _ = self._tasks[key]
        try:
            report = records.decode(self._fetch(future, slot))
        except SlotGone:
            return ()  # `SlotLeft`, which is on its way, stands for it
        except Exception as error:  # noqa: BLE001 - whatever dask raises here means that the result is not to be had
            del self._tasks[key]
            logger.warning("trial %d: its result could not be fetched: %r", task.number, error)
            return (TaskLost(task.number, task.attempt, _first_line(error)),)
        del self._tasks[key]
        assert isinstance(report, records.Reported)
        joined = self._live.get(slot)
        if report.outcome.cause is Cause.WORKER_LOST and self._pool.explains and joined is not None:
            self._unexplained.append(Unexplained(task, joined, True, report.outcome.error))
            return ()
        return (TaskEnded(task.number, task.attempt, report.outcome, report.token),)

    def _fetch(self, future: Future[Any], slot: str) -> Mapping[str, Any]:
        """A task's result, raised if it is an error. Raises SlotGone if its worker left before.

        dask then waits for the result to be computed again, which a pinned task never is, and the loop
        would stand still meanwhile: so the wait is broken into pieces, short ones first.
        """
        until = time.monotonic() + RESULT_TIMEOUT_S
        piece_s = 0.2
        while slot not in self._leaving:
            try:
                return cast(Mapping[str, Any], future.result(timeout=piece_s))
            except KilledWorker as error:
                raise SlotGone from error
            except TimeoutError:
                if future.status == "error" or time.monotonic() > until:
                    raise
                piece_s *= 2
        raise SlotGone


class SlotGone(Exception):
    """A worker left with a result that nobody had fetched."""


class SlotWatch(SchedulerPlugin):
    """Tells a topic which workers are there; lives in the scheduler."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.name = topic

    async def start(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        for address in list(scheduler.workers):
            self.add_worker(scheduler, address)

    def add_worker(self, scheduler: Any, worker: str) -> None:
        state = scheduler.workers[worker]
        # Workers in batch jobs say which job that is and when it ends.
        told = state.extra.get("asktell") or {}
        scheduler.log_event(self.topic, {"op": "join", "slot": worker, "host": state.host, **told})

    def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
        scheduler.log_event(self.topic, {"op": "leave", "slot": worker})


def _first_line(error: object) -> str:
    text = str(error) or repr(error)
    return text.splitlines()[0][:500]
