"""When a study asks for more points, and when it has had enough.

W      width: configured slots
open   trials that are asked and have no terminal state
left   trials that the budget still allows to ask
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from asktell.trial import Cause


class ScheduleKind(StrEnum):
    SEQUENTIAL = "sequential"
    BATCH = "batch"
    ASYNC = "async"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many points are asked together, and when.

    width: W, configured slots, not connected ones; k: the group of `hybrid`, 1 < k < W;
    ahead: tasks queued on each slot behind the running one, under `async` only. It hides the gap
    between two tasks and costs staleness, so it pays for evaluations of a few seconds or less.
    """

    kind: ScheduleKind = ScheduleKind.ASYNC
    width: int = 1
    k: int = 1
    ahead: int = 0

    @property
    def depth(self) -> int:
        """Tasks that one slot holds."""
        return 1 + (self.ahead if self.kind is ScheduleKind.ASYNC else 0)

    def wanted(self, *, n_open: int, n_waiting: int, capacity: int, left: int) -> int:
        """Points to ask for now, 0 if none.

        capacity: tasks that live slots could take at once; n_waiting: trials that none of them can take.
        """
        match self.kind:
            case ScheduleKind.SEQUENTIAL:
                want = 1 if n_open == 0 else 0
            case ScheduleKind.BATCH:
                want = self.width if n_open == 0 else 0
            case ScheduleKind.HYBRID if n_open == 0:
                want = self.width
            case ScheduleKind.HYBRID:
                finished = self.width - n_open
                want = min(self.k, left) if finished >= min(self.k, left) else 0
            case ScheduleKind.ASYNC:
                # What is too long for the free slots waits for others, W at most, as it grows stale.
                want = min(capacity, self.width - n_waiting)
        return max(0, min(want, left))


class Policy(StrEnum):
    """What follows from an attempt without a result."""

    FAIL = "fail"  # the trial has failed
    RETRY = "retry"  # it is tried again as often as `retries` says; after an unexplained loss, `max_lost`
    REQUEUE = "requeue"  # it is tried again, free of charge


POLICIES: Mapping[Cause, Policy] = {
    Cause.OBJECTIVE_ERROR: Policy.RETRY,
    Cause.INVALID_RESULT: Policy.RETRY,
    Cause.TIMEOUT: Policy.RETRY,
    Cause.OUT_OF_MEMORY: Policy.RETRY,
    Cause.WALLTIME: Policy.REQUEUE,
    Cause.PREEMPTED: Policy.REQUEUE,
    Cause.NODE_FAILURE: Policy.REQUEUE,
    Cause.CANCELLED: Policy.REQUEUE,
    Cause.WORKER_LOST: Policy.RETRY,
}
"""Causes that have a policy; any other loss is requeued."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Whichever comes first ends the asking; what runs then is finished and told.

    trials: total over all sessions; wall_time_s: sum of the sessions' durations; core_hours: of all
    attempts, lost ones included; target: of a single objective, in its own sign;
    patience: terminal trials in a row without a new incumbent.
    """

    trials: int | None = None
    wall_time_s: float | None = None
    core_hours: float | None = None
    target: float | None = None
    patience: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """All of a configuration that the state machine needs.

    signs: objective → 1 (minimised) or -1 (maximised); bounds: outcome constraint → (low, high).
    retries: further attempts for an objective that fails; max_lost: unexplained losses after which
    a trial fails with cause `worker_lost`; policies: by cause.
    walltime_s: of one job, None where there are none or the queue decides; is_walltime_aware: slots
    take only what they will outlive; timeout_s: the most that an evaluation takes; has_checkpoints: an
    attempt goes on where the last one of its trial was cut off.
    """

    signs: Mapping[str, int]
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    schedule: Schedule = Schedule()
    budget: Budget = Budget()
    retries: int = 0
    max_lost: int = 3
    cpus_per_trial: int = 1
    policies: Mapping[Cause, Policy] = field(default_factory=lambda: POLICIES)
    walltime_s: float | None = None
    is_walltime_aware: bool = True
    timeout_s: float | None = None
    has_checkpoints: bool = False


def is_feasible(values: Mapping[str, float], bounds: Mapping[str, tuple[float, float]]) -> bool:
    """Every outcome constraint has a value within its bounds (NaN is not)."""
    return all(low <= values.get(name, float("nan")) <= high for name, (low, high) in bounds.items())
