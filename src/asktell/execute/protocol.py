"""What the loop and an executor say to each other; they meet only here.

An executor owns slots (a dask worker is one slot). It announces them, takes tasks for a given slot,
and reports each task's end exactly once, unless the slot leaves first: then `SlotLeft` stands for
all tasks that were on it. Where the reason of a departure can be found out, which takes a while,
`SlotLeft` says so, and a `TaskLost` with the cause follows for each of those tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from asktell.trial import Cause, Outcome, Params


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt, as it is sent to a slot. token: what an attempt's fence is marked with."""

    number: int
    attempt: int
    params: Params
    token: str


@dataclass(frozen=True, slots=True)
class SlotJoined:
    """A slot is there. job: the batch job that it belongs to; ends_at: when that ends, Unix seconds."""

    slot: str
    host: str = ""
    job: str = ""
    ends_at: float | None = None


@dataclass(frozen=True, slots=True)
class SlotLeft:
    """The slot is gone, and every task on it with it. detail: what is known of the reason.

    losses_follow: the tasks are not lost yet; a `TaskLost` with its cause comes for each of them.
    """

    slot: str
    detail: str = ""
    losses_follow: bool = False


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """A task reported. Its outcome was durable in the worker's journal before. token: the task's."""

    number: int
    attempt: int
    outcome: Outcome
    token: str = ""


@dataclass(frozen=True, slots=True)
class TaskLost:
    """A task will not report (killed, cancelled, result not to be had), though its slot may live.

    counts: it may have had a part in the loss; one that was only queued on the slot had none.
    """

    number: int
    attempt: int
    detail: str = ""
    cause: Cause = Cause.WORKER_LOST
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Why:
    """Why a slot was lost, as far as anyone knows. detail: the scheduler's words, for people.

    counts: what ran on the slot may have had a part in it.
    """

    cause: Cause
    detail: str = ""
    counts: bool = True


@dataclass(frozen=True, slots=True)
class MetricsLogged:
    """Lines that a running task has logged: (step, name, value)."""

    number: int
    attempt: int
    metrics: tuple[tuple[float, str, float], ...]


@dataclass(frozen=True, slots=True)
class Woken:
    """Something outside wants the loop's attention: a signal, another process's request, a timer."""

    reason: str


ExecutorEvent = SlotJoined | SlotLeft | TaskEnded | TaskLost | MetricsLogged | Woken


class Executor(Protocol):
    """Where trials run. The contract suite in tests/integration runs on every implementation."""

    @property
    def dashboard(self) -> str:
        """Address of a dashboard for people, or ''."""

    @property
    def note(self) -> str:
        """How the slots stand, for people ('3 running, 7 pending: Priority'), or ''."""

    def start(self) -> None:
        """Bring the slots up; returns at once, slots are announced as they join."""

    def now(self) -> float:
        """Unix seconds on the executor's clock (a virtual one may jump)."""

    def submit(self, task: Task, slot: str) -> None:
        """Queue the task on the slot. A slot that is gone yields `TaskLost`, never an exception."""

    def wait(self, timeout_s: float) -> Sequence[ExecutorEvent]:
        """Events since the last call, in order; blocks until there is one or the time is over."""

    def want(self, slots: int) -> None:
        """So many slots are of use from now on; fewer may be kept, live ones are never taken away."""

    def release(self, slot: str) -> None:
        """Let a slot go on which nothing runs; where slots cost nothing it may stay."""

    def wake(self, reason: str) -> None:
        """Put `Woken` into the queue; callable from a signal handler and from other threads."""

    def close(self, *, hand_over: bool = False) -> None:
        """Stop everything that this executor started; idempotent.

        hand_over: another driver follows soon: slots that can outlive this one finish what they run.
        """
