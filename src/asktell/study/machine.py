"""The state of a study and what follows from it.

Three doors, none of which does I/O:

    on(event, at)   what an executor says    → the records that become true   (changes slots only)
    apply(record)   a record, just journaled → the new state                  (what replay does)
    plan(at)        the state and the slots  → the commands to carry out now  (changes nothing)

The loop journals what `on` returns before it applies it. Decisions are taken from the state, not
from the event that led to it, so a resumed study goes on by the same code as an unbroken one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from asktell.execute.protocol import ExecutorEvent, SlotJoined, SlotLeft, TaskEnded, TaskLost
from asktell.records import (
    Added,
    Asked,
    Closed,
    Ended,
    Enqueued,
    Known,
    Lost,
    Opened,
    Record,
    Reported,
    Retried,
    SchemaSet,
    StopRequested,
    Submitted,
    Superseded,
)
from asktell.study.results import schema_of, what_is_wrong, without_bytes
from asktell.study.rules import Rules, is_feasible
from asktell.trial import Cause, Origin, Outcome, Params, Status, Trial

Key = tuple[int, int]
"""(trial number, attempt)"""

MANY_LOSSES = 12
MANY_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Ask:
    """Propose `count` trials together."""

    count: int


@dataclass(frozen=True, slots=True)
class Submit:
    number: int
    attempt: int
    slot: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Close the study's session. done: the budget is used or a stopping rule is met."""

    reason: str
    done: bool


Command = Ask | Submit | Finish


@dataclass(slots=True)
class TrialState:
    """A trial and where it stands. attempts: begun so far; row: in the store, once terminal."""

    trial: Trial
    status: Status = Status.WAITING
    attempts: int = 0
    failures: int = 0
    losses: int = 0
    outcome: Outcome | None = None
    row: int | None = None

    @property
    def is_open(self) -> bool:
        return not self.status.is_terminal


class StudyMachine:
    """Owner of a study's state; only its methods change it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.trials: dict[int, TrialState] = {}
        self.queue: deque[Params] = deque()
        self.sources: set[str] = set()
        self.schema: SchemaSet | None = None
        self.best: int | None = None
        self.n_rows = 0
        self.n_counted = 0
        self.stop_reason = ""
        self.running: dict[Key, Submitted] = {}
        self.busy_s = 0.0
        self.wall_s = 0.0
        self.slots: dict[str, SlotJoined] = {}
        self.is_exhausted = False
        self.n_lost = 0
        self._open: dict[int, TrialState] = {}
        self._n_ended: dict[Status, int] = {}
        self._since_best = 0
        self._session_at: float | None = None
        self._last_at = 0.0
        self._heard: set[Key] = set()
        self._tokens: dict[Key, str] = {}
        self._losses_in_a_row, self._last_loss = 0, ""
        self._failures_at_first, self._last_failure = 0, ""

    # ---- what happened -------------------------------------------------------------------------

    def on(self, event: ExecutorEvent, at: float) -> list[Record]:
        """The records that follow from what an executor says; to be journaled, then applied."""
        match event:
            case SlotJoined():
                self.slots[event.slot] = event
            case SlotLeft():
                self.slots.pop(event.slot, None)
                if event.losses_follow:
                    return []
                # Of the tasks on a slot only the oldest can have had a part in its death; those queued
                # behind it are innocent.
                return [
                    record
                    for place, key in enumerate(self._tasks_on(event.slot))
                    for record in self._lost(key, at, event.detail, counts=place == 0)
                ]
            case TaskLost():
                key = (event.number, event.attempt)
                return self._lost(key, at, event.detail, counts=event.counts, cause=event.cause)
            case TaskEnded():
                return self._ended(event, at)
        return []

    def exhaust(self) -> None:
        """The engine has no new point."""
        self.is_exhausted = True

    def leave_out(self, source: str) -> None:
        """A request that does not fit is not to be heard again."""
        self.sources.add(source)

    def abandon(self, at: float, spare: Collection[Key] = ()) -> list[Record]:
        """Losses of all attempts that a driver which is no more had under way; free of charge.

        spare: attempts that go on without it; their reports are taken when they come.
        """
        return [
            Lost(*key, Cause.DRIVER_LOST, counts=False, at=at, detail="the driver stopped")
            for key in self.running
            if key not in spare
        ]

    def _tasks_on(self, slot: str) -> list[Key]:
        return [key for key, task in self.running.items() if task.slot == slot]

    def _lost(
        self, key: Key, at: float, detail: str, *, counts: bool, cause: Cause = Cause.WORKER_LOST
    ) -> list[Record]:
        if key not in self.running:
            return []
        state = self.trials[key[0]]
        found: list[Record] = [Lost(*key, cause, counts=counts, at=at, detail=detail)]
        losses = state.losses + counts
        if counts and state.is_open and losses >= self.rules.max_lost:
            times = "once" if losses == 1 else f"{losses} times"
            error = (
                f"its worker was lost {times} while it ran (max_lost: {self.rules.max_lost}); last: {detail}"
            )
            found.append(Ended(*key, Outcome(Status.FAILED, Cause.WORKER_LOST, error=error), at))
        return found

    def _ended(self, event: TaskEnded, at: float) -> list[Record]:
        key, state = (event.number, event.attempt), self.trials.get(event.number)
        if state is None or key in self._heard:
            return []  # heard already, as its report and its worker's journal both bring it
        if event.token != self._tokens.get(key):
            return []  # of an attempt that a driver submitted whose records do not count
        outcome = event.outcome
        if outcome.cause.is_infrastructure:
            counts = outcome.cause is Cause.WORKER_LOST
            return self._lost(key, at, outcome.error, counts=counts, cause=outcome.cause)
        if not state.is_open:
            return [Superseded(*key, outcome, at)]
        if outcome.status is Status.COMPLETED:
            if problem := what_is_wrong(outcome, self.rules, self.schema):
                outcome = replace(outcome, status=Status.FAILED, cause=Cause.INVALID_RESULT, error=problem)
            elif self.schema is None and outcome.arrays:
                return [schema_of(outcome, at), Ended(*key, outcome, at)]
        if outcome.status is Status.FAILED and state.failures < self.rules.retries:
            return [Retried(*key, outcome, at)]
        return [Ended(*key, outcome, at)]

    # ---- what is true --------------------------------------------------------------------------

    def apply(self, record: Record) -> None:
        """Take one journaled record into the state."""
        match record:
            case Opened():
                self._end_session(self._last_at)  # a driver that died is charged up to its last record
                self._session_at, self.stop_reason = record.at, ""
                self._losses_in_a_row = self._failures_at_first = 0
            case Closed():
                self._end_session(record.at)
            case Asked():
                for trial in record.trials:
                    if trial.origin is Origin.QUEUED and self.queue:
                        self.queue.popleft()
                    self._add(TrialState(trial))
                self.n_counted += len(record.trials)
            case Submitted():
                state = self.trials[record.number]
                state.status, state.attempts = Status.RUNNING, record.attempt + 1
                self.running[record.number, record.attempt] = record
                self._tokens[record.number, record.attempt] = record.token
            case Lost():
                self._release(record.number, record.attempt, record.at)
                self.trials[record.number].losses += record.counts
                self.n_lost += 1
                self._losses_in_a_row += record.counts
                self._last_loss = record.detail
            case Retried():
                self._release(record.number, record.attempt, record.at, record.outcome)
                self.trials[record.number].failures += 1
            case Superseded():
                self._release(record.number, record.attempt, record.at, record.outcome)
            case Ended():
                self._release(record.number, record.attempt, record.at, record.outcome)
                self._conclude(self.trials[record.number], record.outcome)
            case Added():
                self._add(TrialState(record.trial))
                self._conclude(self.trials[record.trial.number], record.outcome)
                self.sources.add(record.source)
            case Enqueued():
                self.queue.append(record.params)
                self.sources.add(record.source)
            case SchemaSet():
                self.schema = record
            case StopRequested():
                self.stop_reason = "a stop was requested"
                self.sources.add(record.source)
            case Reported() | Known():
                raise TypeError(f"{type(record).__name__} belongs in a worker's or a person's journal")
        self._last_at = record.at

    def _end_session(self, at: float) -> None:
        if self._session_at is not None:
            self.wall_s += max(0.0, at - self._session_at)
            self._session_at = None

    def _add(self, state: TrialState) -> None:
        self.trials[state.trial.number] = self._open[state.trial.number] = state

    def _release(self, number: int, attempt: int, at: float, outcome: Outcome | None = None) -> None:
        task = self.running.pop((number, attempt), None)
        if outcome is not None:
            self.busy_s += outcome.duration_s
            if outcome.cause is not Cause.WORKER_LOST:
                self._heard.add((number, attempt))
                self._losses_in_a_row = 0
        elif task is not None:
            self.busy_s += max(0.0, at - task.at)
        state = self.trials[number]
        if state.is_open and not any(key[0] == number for key in self.running):
            state.status = Status.WAITING

    def _conclude(self, state: TrialState, outcome: Outcome) -> None:
        assert state.is_open, f"trial {state.trial.number} is terminal already"
        state.status, state.outcome, state.row = outcome.status, without_bytes(outcome), self.n_rows
        self.n_rows += 1
        self._n_ended[outcome.status] = self._n_ended.get(outcome.status, 0) + 1
        del self._open[state.trial.number]
        if outcome.status is Status.FAILED and not self._n_ended.get(Status.COMPLETED):
            self._failures_at_first += 1
            self._last_failure = next(iter(outcome.error.splitlines()), str(outcome.cause))
        else:
            self._failures_at_first = 0
        if self._is_better(outcome):
            self.best, self._since_best = state.trial.number, 0
        else:
            self._since_best += 1

    def _is_better(self, outcome: Outcome) -> bool:
        if len(self.rules.signs) != 1 or outcome.status is not Status.COMPLETED:
            return False
        if not is_feasible(outcome.values, self.rules.bounds):
            return False
        return self.best is None or self.loss(outcome) < self.loss(self.trials[self.best].outcome)

    def loss(self, outcome: Outcome | None) -> float:
        """The single objective, minimised; infinite where there is none."""
        ((name, sign),) = self.rules.signs.items()
        return sign * outcome.values[name] if outcome is not None and name in outcome.values else math.inf

    # ---- what to do ----------------------------------------------------------------------------

    def plan(self, at: float) -> list[Command]:
        """The commands that the state calls for now; empty when there is nothing to do but wait."""
        if self.stop_reason:
            return [Finish(self.stop_reason, done=False)]
        if reason := self._hopeless():
            return [Finish(reason, done=False)]
        waiting = [state for state in self._open.values() if state.status is Status.WAITING]
        submits: list[Command] = [
            Submit(state.trial.number, state.attempts, slot)
            for state, slot in zip(waiting, self._free_slots(), strict=False)
        ]
        if submits:
            return submits
        reason = self._enough(at)
        if reason:
            return [] if self._open else [Finish(reason, done=True)]
        count = self.rules.schedule.wanted(
            n_open=len(self._open),
            n_waiting=len(waiting),
            capacity=sum(1 for _ in self._free_slots()),
            left=self._left(),
        )
        return [Ask(count)] if count else []

    def _hopeless(self) -> str:
        """Why going on would only burn the budget, or ''.

        A full disk or a broken installation loses one attempt after the other, a misspelt name in the
        objective fails one trial after the other. Each session starts to count anew.
        """
        width = self.rules.schedule.width
        if self._losses_in_a_row >= max(MANY_LOSSES, 3 * width):
            return f"{self._losses_in_a_row} attempts in a row were lost, the last: {self._last_loss}"
        if self._failures_at_first >= max(MANY_FAILURES, 3 * width):
            return f"all of the first {self._failures_at_first} trials failed, the last: {self._last_failure}"
        return ""

    def _free_slots(self) -> Iterator[str]:
        """Slots in the order in which to fill them, once for each task that they can take."""
        load = dict.fromkeys(self.slots, 0)
        for task in self.running.values():
            if task.slot in load:
                load[task.slot] += 1
        for depth in range(self.rules.schedule.depth):
            yield from (slot for slot, tasks in load.items() if tasks <= depth)

    def _left(self) -> int:
        """Trials that may still be asked."""
        budget = self.rules.budget
        return max(0, budget.trials - self.n_counted) if budget.trials is not None else 10**9

    def _enough(self, at: float) -> str:
        """Why no more trials are asked, or ''."""
        budget = self.rules.budget
        if self._left() == 0:
            return f"all {budget.trials} trials are done"
        if self.is_exhausted:
            return "every point of the space was proposed"
        if budget.wall_time_s is not None and self.elapsed_s(at) >= budget.wall_time_s:
            return "the wall time of the budget is used"
        if budget.core_hours is not None and self.core_hours >= budget.core_hours:
            return "the core-hours of the budget are used"
        if self.best is not None and budget.target is not None:
            ((_, sign),) = self.rules.signs.items()
            if self.loss(self.trials[self.best].outcome) <= sign * budget.target:
                return "the target is reached"
        if budget.patience is not None and self.best is not None and self._since_best >= budget.patience:
            return f"no improvement in {budget.patience} trials"
        return ""

    # ---- what people ask -----------------------------------------------------------------------

    @property
    def core_hours(self) -> float:
        """Core-hours of all attempts that ended."""
        return self.busy_s * self.rules.cpus_per_trial / 3600

    def elapsed_s(self, at: float) -> float:
        """Wall time of all sessions."""
        return self.wall_s + (at - self._session_at if self._session_at is not None else 0.0)

    @property
    def counts(self) -> Mapping[Status, int]:
        """Trials by status."""
        counts = dict.fromkeys(Status, 0) | self._n_ended
        for state in self._open.values():
            counts[state.status] += 1
        return counts


def replay(rules: Rules, records: Iterable[Record]) -> StudyMachine:
    """The state after these records."""
    machine = StudyMachine(rules)
    for record in records:
        machine.apply(record)
    return machine
