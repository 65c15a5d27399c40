"""One contract for every executor: what the loop relies on."""

import os
import signal
from collections.abc import Callable, Iterator

import executor_work
import pytest

from asktell.cluster.local import LocalPool
from asktell.execute.dask import DaskExecutor
from asktell.execute.protocol import (
    Executor,
    ExecutorEvent,
    SlotJoined,
    SlotLeft,
    Task,
    TaskEnded,
    TaskLost,
    Woken,
)
from asktell.execute.virtual import VirtualExecutor

PATIENCE_S = 60.0


class Rig:
    """An executor with two slots, and a way to take one of them away by force."""

    def __init__(self, executor: Executor, kill: Callable[[str], None]) -> None:
        self.executor = executor
        self.kill = kill
        self.seen: list[ExecutorEvent] = []

    def until(self, condition: Callable[[ExecutorEvent], bool]) -> ExecutorEvent:
        """Wait for an event that fulfils the condition; it must come."""
        for event in self.seen:
            if condition(event):
                return event
        deadline = self.executor.now() + PATIENCE_S
        while self.executor.now() < deadline:
            for event in self.executor.wait(1.0):
                self.seen.append(event)
            for event in self.seen:
                if condition(event):
                    return event
        raise AssertionError(f"it never came; seen: {self.seen}")

    def slots(self, count: int = 2) -> list[str]:
        def joined() -> list[str]:
            return [event.slot for event in self.seen if isinstance(event, SlotJoined)]

        self.until(lambda _: len(joined()) >= count)
        return joined()


@pytest.fixture
def virtual() -> Iterator[Rig]:
    executor = VirtualExecutor(
        executor_work.values, lambda task: 600.0 if task.params.get("hang") else 1.0, slots=2
    )
    executor.start()
    yield Rig(executor, lambda slot: executor.leave(slot, executor.now()))
    executor.close()


@pytest.fixture
def dask() -> Iterator[Rig]:
    executor = DaskExecutor(LocalPool(2), executor_work.work)
    executor.start()

    def kill(slot: str) -> None:
        nannies = executor._pool._cluster.workers.values()  # type: ignore[attr-defined]
        os.kill(next(n.process.pid for n in nannies if n.worker_address == slot), signal.SIGKILL)

    yield Rig(executor, kill)
    executor.close()


@pytest.fixture(params=["virtual", "dask"])
def rig(request: pytest.FixtureRequest) -> Rig:
    return request.getfixturevalue(request.param)


def _ends(event: ExecutorEvent, number: int) -> bool:
    return isinstance(event, TaskEnded) and event.number == number


def test_slots_join_and_each_task_ends_once_with_its_result(rig: Rig) -> None:
    slots = rig.slots()
    for number in range(6):
        rig.executor.submit(Task(number, 0, {"x": number}, "token"), slots[number % 2])
    for number in range(6):
        event = rig.until(lambda event, number=number: _ends(event, number))
        assert isinstance(event, TaskEnded)
        assert event.outcome.values == {"y": 2.0 * number}
    assert sum(isinstance(event, TaskEnded) for event in rig.seen) == 6


def test_a_slot_that_dies_leaves_and_stands_for_all_its_tasks(rig: Rig) -> None:
    victim, other = rig.slots()[:2]
    rig.executor.submit(Task(0, 0, {"x": 0, "hang": True}, "token"), victim)
    rig.executor.submit(Task(1, 0, {"x": 1}, "token"), victim)
    rig.executor.wait(0.5)
    rig.kill(victim)
    rig.until(lambda event: isinstance(event, SlotLeft) and event.slot == victim)
    rig.executor.submit(Task(2, 0, {"x": 2}, "token"), other)
    rig.until(lambda event: _ends(event, 2))
    assert not any(isinstance(event, TaskEnded) and event.number in (0, 1) for event in rig.seen)


def test_a_task_for_a_slot_that_is_gone_is_lost_not_an_error(rig: Rig) -> None:
    rig.slots()
    rig.executor.submit(Task(0, 3, {"x": 1}, "token"), "nowhere")
    event = rig.until(lambda event: isinstance(event, TaskLost))
    assert (event.number, event.attempt) == (0, 3)  # type: ignore[union-attr]


def test_a_wake_up_comes_through_with_its_reason(rig: Rig) -> None:
    rig.slots()
    rig.executor.wake("stop: SIGTERM")
    assert rig.until(lambda event: isinstance(event, Woken)) == Woken("stop: SIGTERM")


def test_waiting_ends_when_the_time_is_over_and_the_clock_has_moved(rig: Rig) -> None:
    rig.slots()
    before = rig.executor.now()
    assert rig.executor.wait(0.2) == []
    assert rig.executor.now() >= before + 0.19


def test_closing_twice_is_one_close(rig: Rig) -> None:
    rig.executor.close()
    rig.executor.close()


def test_dask_a_task_that_raises_on_the_worker_is_lost_and_says_why(dask: Rig) -> None:
    slot = dask.slots()[0]
    dask.executor.submit(Task(0, 0, {"x": 1, "crash": True}, "token"), slot)
    event = dask.until(lambda event: isinstance(event, TaskLost))
    assert "the disk is full" in event.detail  # type: ignore[union-attr]


def test_dask_a_killed_worker_is_replaced(dask: Rig) -> None:
    victim = dask.slots()[0]
    dask.kill(victim)
    dask.until(lambda event: isinstance(event, SlotLeft))
    assert dask.slots(3)[2] != victim


def test_dask_a_worker_that_is_lost_with_its_nanny_is_replaced(dask: Rig) -> None:
    victim = dask.slots()[0]
    cluster = dask.executor._pool._cluster  # type: ignore[attr-defined]
    nanny = next(nanny for nanny in cluster.workers.values() if nanny.worker_address == victim)
    cluster.sync(nanny.close)
    dask.until(lambda event: isinstance(event, SlotLeft) and event.slot == victim)
    assert victim not in dask.slots(3)[2:]


def test_dask_a_frozen_worker_is_given_up_and_replaced() -> None:
    executor = DaskExecutor(LocalPool(1, heartbeat_s=2.0), executor_work.work)
    executor.start()
    rig = Rig(executor, lambda _: None)
    try:
        (victim,) = rig.slots(1)
        nanny = next(iter(executor._pool._cluster.workers.values()))  # type: ignore[attr-defined]
        frozen = nanny.process.pid
        os.kill(frozen, signal.SIGSTOP)
        rig.until(lambda event: isinstance(event, SlotLeft) and event.slot == victim)
        assert rig.slots(2)[1] != victim
        with pytest.raises(ProcessLookupError):
            os.kill(frozen, 0)
    finally:
        executor.close()
