"""The state of a study and what follows from it.

Three doors, none of which does I/O:

    on(event, at)   what an executor says    → the records that become true   (changes slots only)
    apply(record)   a record, just journaled → the new state                  (what replay does)
    plan(at)        the state and the slots  → the commands to carry out now  (changes nothing)

The loop journals what `on` returns before it applies it, and says of commands that leave no record
that they are `done`. Decisions are taken from the state, not from the event that led to it, so a
resumed study goes on by the same code as an unbroken one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

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
    WarmStarted,
)
from asktell.runtime import Runtime, RuntimeModel
from asktell.study.commands import Ask, Command, Finish, Release, Submit, Warn
from asktell.study.losses import MANY_REQUEUES, is_charged, is_requeue, verdict
from asktell.study.placement import Place, Placement, places
from asktell.study.results import schema_of, what_is_wrong, without_bytes
from asktell.study.rules import Policy, Rules, ScheduleKind, is_feasible
from asktell.study.state import TrialState
from asktell.study.streaks import Streaks
from asktell.trial import Cause, Origin, Outcome, Params, Status

Key = tuple[int, int]
"""(trial number, attempt)"""


class StudyMachine:
    """Owner of a study's state; only its methods change it.

    runtime: learns how long trials take, and decides with the slots' ends who may take which.
    """

    def __init__(self, rules: Rules, runtime: RuntimeModel | None = None) -> None:
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
        self._placement = Placement(rules, runtime)
        self._spared: frozenset[Key] = frozenset()
        self._ran_s: dict[Key, float] = {}
        self._warned: set[int] = set()
        self._open: dict[int, TrialState] = {}
        self._n_ended: dict[Status, int] = {}
        self._since_best = 0
        self._session_at: float | None = None
        self._last_at = 0.0
        self._heard: set[Key] = set()
        self._tokens: dict[Key, str] = {}
        self._streaks = Streaks()

    # ---- what happened -------------------------------------------------------------------------

    def on(self, event: ExecutorEvent, at: float) -> list[Record]:
        """The records that follow from what an executor says; to be journaled, then applied."""
        match event:
            case SlotJoined():
                self.slots[event.slot] = event
                self._placement.join(event, at)
            case SlotLeft():
                self.slots.pop(event.slot, None)
                # Of the tasks on a slot only the oldest ran, and can have had a part in its death; those
                # queued behind it are innocent.
                for place, key in enumerate(on_it := self._tasks_on(event.slot)):
                    self._ran_s[key] = at - self.running[key].at if place == 0 else 0.0
                if event.losses_follow:
                    return []
                return [
                    record
                    for place, key in enumerate(on_it)
                    for record in self._lost(key, at, event.detail, counts=place == 0)
                ]
            case TaskLost():
                key = (event.number, event.attempt)
                return self._lost(key, at, event.detail, counts=event.counts, cause=event.cause)
            case TaskEnded():
                return self._ended(event, at)
        return []

    def done(self, command: Release | Warn) -> None:
        """A command of which no record will tell was carried out."""
        match command:
            case Release():
                self.slots.pop(command.slot, None)
            case Warn():
                self._warned.add(command.number)

    def exhaust(self) -> None:
        """The engine has no new point."""
        self.is_exhausted = True

    def leave_out(self, source: str) -> None:
        """A request that does not fit is not to be heard again."""
        self.sources.add(source)

    def abandon(self, at: float, spare: Collection[Key] = ()) -> list[Record]:
        """Losses of all attempts that a driver which is no more had under way; free of charge.

        spare: attempts that go on without a driver. They stay under way, on slots that take nothing
        else, until they report or `TaskLost` says that they will not.
        """
        self._spared = frozenset(key for key in self.running if key in spare)
        return [
            Lost(number, attempt, Cause.DRIVER_LOST, counts=False, at=at, detail="the driver stopped")
            for number, attempt in self.running
            if (number, attempt) not in self._spared
        ]

    def _tasks_on(self, slot: str) -> list[Key]:
        return [key for key, task in self.running.items() if task.slot == slot and key not in self._spared]

    def _lost(
        self, key: Key, at: float, detail: str, *, counts: bool, cause: Cause = Cause.WORKER_LOST
    ) -> list[Record]:
        if key not in self.running:
            return []
        state = self.trials[key[0]]
        ran_s = max(0.0, self._ran_s.pop(key, at - self.running[key].at))
        lost = Lost(*key, cause, counts and is_charged(cause, self.rules), at, detail, ran_s)
        whole = counts and self._placement.is_whole(ran_s)
        outcome = verdict(state, lost, self.rules, had_whole_job=whole) if state.is_open else None
        return [lost] if outcome is None else [lost, Ended(*key, outcome, at)]

    def _ended(self, event: TaskEnded, at: float) -> list[Record]:
        key, state = (event.number, event.attempt), self.trials.get(event.number)
        if state is None or key in self._heard:
            return []  # heard already, as its report and its worker's journal both bring it
        if event.token != self._tokens.get(key):
            return []  # of an attempt that a driver submitted whose records do not count
        outcome = event.outcome
        if outcome.cause.is_infrastructure:
            return self._lost(key, at, outcome.error, counts=True, cause=outcome.cause)
        if not state.is_open:
            return [Superseded(*key, outcome, at)]
        if outcome.status is Status.COMPLETED:
            if problem := what_is_wrong(outcome, self.rules, self.schema):
                outcome = replace(outcome, status=Status.FAILED, cause=Cause.INVALID_RESULT, error=problem)
            elif self.schema is None and outcome.arrays:
                return [schema_of(outcome, at), Ended(*key, outcome, at)]
        if outcome.status is Status.FAILED:
            match self.rules.policies.get(outcome.cause, Policy.FAIL):
                case Policy.RETRY if state.failures < self.rules.retries:
                    return [Retried(*key, outcome, at)]
                case Policy.REQUEUE if state.requeues + 1 < MANY_REQUEUES:
                    return [Retried(*key, outcome, at, counts=False)]
        return [Ended(*key, outcome, at)]

    # ---- what is true --------------------------------------------------------------------------

    def apply(self, record: Record) -> None:
        """Take one journaled record into the state."""
        match record:
            case Opened():
                self._end_session(self._last_at)  # a driver that died is charged up to its last record
                self._session_at, self.stop_reason = record.at, ""
                self._streaks.begin()
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
                self._lose(record)
            case Retried():
                self._release(record.number, record.attempt, record.outcome)
                state = self.trials[record.number]
                state.failures += record.counts
                state.requeues += not record.counts
            case Superseded():
                self._release(record.number, record.attempt, record.outcome)
            case Ended():
                self._release(record.number, record.attempt, record.outcome)
                self._conclude(self.trials[record.number], record.outcome)
            case Added():
                self._add(TrialState(record.trial))
                self._conclude(self.trials[record.trial.number], record.outcome)
                self.sources.add(record.source)
            case Enqueued():
                self.queue.append(record.params)
                self.sources.add(record.source)
            case WarmStarted():
                self.sources.add(record.source)
            case SchemaSet():
                self.schema = record
            case StopRequested():
                self.stop_reason = "told to stop, by `asktell stop`, Ctrl-C or a signal"
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

    def _lose(self, record: Lost) -> None:
        task = self.running.get((record.number, record.attempt))
        ran_s = record.ran_s
        if ran_s is None:
            ran_s = max(0.0, record.at - task.at) if task is not None else 0.0
        self._release(record.number, record.attempt)
        self.busy_s += ran_s
        state = self.trials[record.number]
        is_unexplained = record.cause is Cause.WORKER_LOST
        state.losses += record.counts and is_unexplained
        state.failures += record.counts and not is_unexplained
        state.requeues += is_requeue(record)
        if record.cause is Cause.WALLTIME:
            state.ran_s = state.ran_s + ran_s if self.rules.has_checkpoints else max(state.ran_s, ran_s)
            self._placement.learn(state, Cause.WALLTIME)
        self.n_lost += 1
        self._streaks.lose(record.detail, counts=record.counts)

    def _release(self, number: int, attempt: int, outcome: Outcome | None = None) -> None:
        self.running.pop((number, attempt), None)
        state = self.trials[number]
        if outcome is not None and not _is_verdict(outcome):
            self._heard.add((number, attempt))
            self.busy_s += outcome.duration_s
            self._streaks.hear()
            self._placement.learn(state, outcome.cause, outcome.duration_s)
        if state.is_open and not any(key[0] == number for key in self.running):
            state.status = Status.WAITING

    def _conclude(self, state: TrialState, outcome: Outcome) -> None:
        assert state.is_open, f"trial {state.trial.number} is terminal already"
        state.status, state.outcome, state.row = outcome.status, without_bytes(outcome), self.n_rows
        self.n_rows += 1
        self._n_ended[outcome.status] = self._n_ended.get(outcome.status, 0) + 1
        del self._open[state.trial.number]
        self._streaks.conclude(outcome, is_first=not self._n_ended.get(Status.COMPLETED))
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
        if reason := self._streaks.hopeless(self.rules.schedule.width):
            return [Finish(reason, done=False)]
        waiting = [state for state in self._open.values() if state.status is Status.WAITING]
        warnings: list[Command] = [
            Warn(state.trial.number, self._placement.too_long(state))
            for state in waiting
            if state.trial.number not in self._warned and self._placement.too_long(state)
        ]
        free = self._places()
        submits: list[Command] = [
            Submit(state.trial.number, state.attempts, slot)
            for state, slot in self._placement.assign(waiting, free, at)
        ]
        if submits:
            return [*warnings, *submits]
        enough = self._enough(at)
        if enough and not self._open:
            return [*warnings, Finish(enough, done=True)]
        usable = [place for place in free if not self._placement.is_spent(place, at)]
        count = self.rules.schedule.wanted(
            n_open=len(self._open),
            n_waiting=len(waiting),
            capacity=0 if enough else len(usable),
            left=0 if enough else self._left(),
        )
        # What waits now fits no free slot, and unless points are asked for these slots, they are of no use.
        n_stuck = 0 if count else len(waiting)
        spares = self._endangered() if enough else None
        leaving = self._placement.leaving(free, usable, at, spares=spares, n_stuck=n_stuck)
        return [*warnings, *map(Release, leaving), *([self._ask(count)] if count else [])]

    def _ask(self, count: int) -> Ask:
        return Ask(count, joint=self.rules.schedule.kind is not ScheduleKind.ASYNC)

    def wanted_slots(self, at: float) -> int:
        """How many slots are of use from now on."""
        if self.stop_reason or self._streaks.hopeless(self.rules.schedule.width):
            return 0
        width = 1 if self.rules.schedule.kind is ScheduleKind.SEQUENTIAL else self.rules.schedule.width
        n_elsewhere = len(self._spared & self.running.keys())
        still = 0 if self._enough(at) else self._left()
        if not still and all(state.status is Status.RUNNING for state in self._open.values()):
            # What runs has its slots. Replacing a job that ends soon would bring one with nothing to do.
            return min(width, self._endangered())
        return min(width, len(self._open) - n_elsewhere + still)

    def _endangered(self) -> int:
        """Running trials that may need another slot."""
        return sum(
            self._placement.is_endangered(self.trials[key[0]], self.slots[task.slot], task.at)
            for key, task in self.running.items()
            if task.slot in self.slots and key not in self._spared
        )

    def estimate(self, number: int) -> Runtime | None:
        """How long an attempt of this trial is expected to run; None where nothing is known."""
        return self._placement.estimate(self.trials[number])

    def _places(self) -> list[Place]:
        loads: dict[str, list[TrialState]] = {slot: [] for slot in self.slots}
        for key, task in self.running.items():
            if task.slot in loads and key not in self._spared:
                loads[task.slot].append(self.trials[key[0]])
        return places(self.slots, loads, self.rules.schedule.depth)

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


def _is_verdict(outcome: Outcome) -> bool:
    """It ends a trial after a loss, and was reported by no attempt."""
    lost = outcome.cause.is_infrastructure or outcome.cause is Cause.OUT_OF_MEMORY
    return lost and not outcome.started_at


def replay(rules: Rules, records: Iterable[Record], runtime: RuntimeModel | None = None) -> StudyMachine:
    """The state after these records."""
    machine = StudyMachine(rules, runtime)
    for record in records:
        machine.apply(record)
    return machine
