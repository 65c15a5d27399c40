"""Carries out what the study machine says, and journals before it acts.

    executor's events ─► study.on ─► records ─► journal ─► study.apply, optimizer, publisher
                                                              │
    executor.submit, optimizer.ask ◄── commands ◄── study.plan ◄┘

A record is durable before anything follows from it. Proposals, submissions and tells all happen in
this one thread, so their order is the order of the journal, and a replay of it ends in the same
state.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from asktell.errors import SpaceError, SpaceExhausted, TrialError
from asktell.execute.protocol import (
    Executor,
    ExecutorEvent,
    MetricsLogged,
    SlotLeft,
    Task,
    TaskLost,
    Woken,
)
from asktell.foster import Foster
from asktell.heart import Heart
from asktell.inbox import Inbox, Request
from asktell.journal import DriverJournal
from asktell.optimize.optimizer import Optimizer
from asktell.publisher import Publisher
from asktell.records import (
    Added,
    Asked,
    Closed,
    Ended,
    Enqueued,
    Known,
    Record,
    SchemaSet,
    StopRequested,
    Submitted,
    WarmStarted,
)
from asktell.store import RowBuilder
from asktell.study import Ask, Command, Finish, Key, Release, StudyMachine, Submit, Warn
from asktell.trial import Cause, Outcome, Status, Trial

logger = logging.getLogger(__name__)

STOP = "stop"
"""`Executor.wake(STOP)` ends the loop in an orderly way."""

HAND_OVER = "hand over"
"""`Executor.wake(HAND_OVER)` ends it too, and leaves what outlives this driver to the next one."""

TICK_S = 1.0


class Observer(Protocol):
    """Sees what the loop sees (progress, the command line's display)."""

    def on_event(self, event: ExecutorEvent, at: float) -> None: ...

    def on_record(self, record: Record) -> None: ...

    def on_tick(self, at: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the loop works with; `asktell.run` puts it together."""

    study: StudyMachine
    optimizer: Optimizer
    journal: DriverJournal
    heart: Heart
    inbox: Inbox
    foster: Foster
    rows: RowBuilder
    publisher: Publisher
    observers: list[Observer] = field(default_factory=list)


class Ledger:
    """The study's owner: every change to it goes through `commit`, in the order in which it became true.

    This one keeps nothing but the present state; what it holds is lost with the process.
    """

    def __init__(self, study: StudyMachine, optimizer: Optimizer) -> None:
        self.study = study
        self.optimizer = optimizer
        self.observers: list[Observer] = []

    def commit(self, records: Sequence[Record]) -> None:
        """Make records true."""
        for record in records:
            learn(record, self.study, self.optimizer)
            for observer in self.observers:
                observer.on_record(record)

    def ask(self, count: int, clock: Callable[[], float], *, joint: bool = True) -> list[Trial]:
        """Propose together; each joint group is one record. Fewer when the space is exhausted.

        joint: see `Ask`.
        """
        asked: list[Trial] = []
        if count > 1 and not joint:
            count = min(count, self.optimizer.at_once())
        while len(asked) < count:
            try:
                group = self.optimizer.propose(count - len(asked))
            except SpaceExhausted as error:
                logger.info("%s", error)
                self.study.exhaust()
                break
            at = clock()
            group = [replace(trial, asked_at=at) for trial in group]
            self.commit([Asked(tuple(group), at)])
            asked += group
        return asked

    def check(self) -> None:
        """Raise StudyLocked if the study is another's by now."""

    def adopt(self, at: float) -> None:
        """Take in what people have asked for."""

    def harvest(self, at: float) -> None:
        """Take in results that nobody has told yet."""

    def living(self) -> Collection[tuple[int, int, str]]:
        """(number, attempt, token) of attempts of earlier drivers that go on without them."""
        return ()


class JournaledLedger(Ledger):
    """A ledger whose records are durable before they are true."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.study, parts.optimizer)
        self.parts = parts
        self.observers = parts.observers

    def commit(self, records: Sequence[Record]) -> None:
        """Make records durable, then true. Raises StudyLocked once another driver has the study."""
        if not records:
            return
        self.parts.heart.check()
        self.parts.journal.append_many(records)
        for record in records:
            take(record, self.parts)

    def check(self) -> None:
        self.parts.heart.check()

    def adopt(self, at: float) -> None:
        """Take people's commands into the journal; one that does not fit is reported and left out."""
        for source, request in self.parts.inbox.requests(self.study.sources):
            if isinstance(request, StopRequested) and request.at < self.parts.journal.opened.at:
                continue  # it was asked of an earlier driver
            try:
                record = self._adopted(source, request, at)
            except (SpaceError, TrialError) as error:
                logger.error("%s: a request was left out: %s", source, error)
                self.study.leave_out(source)
            else:
                self.commit([record])

    def _adopted(self, source: str, request: Request, at: float) -> Record:
        match request:
            case Known():
                trial = self.parts.optimizer.known(request.params, request.outcome.values)
                return Added(replace(trial, asked_at=at), request.outcome, at, source)
            case Enqueued():
                return replace(
                    request, params=self.parts.optimizer.checked_point(request.params), source=source
                )
            case StopRequested() | WarmStarted():
                return replace(request, source=source)

    def harvest(self, at: float) -> None:
        """Take the results that workers have journaled and nobody has told yet."""
        for report in self.parts.inbox.reports():
            self.commit(self.study.on(report, at))

    def living(self) -> Collection[tuple[int, int, str]]:
        return self.parts.foster.living()


def take(record: Record, parts: Parts) -> None:
    """What follows from a durable record, in a live study and in a replay alike."""
    learn(record, parts.study, parts.optimizer)
    if isinstance(record, SchemaSet):
        parts.publisher.put(record)
    row = parts.rows.take(record)
    if row is not None:
        parts.publisher.put(row)
    for observer in parts.observers:
        observer.on_record(record)


def learn(record: Record, study: StudyMachine, optimizer: Optimizer) -> None:
    """What the study's state and the optimizer make of a record."""
    study.apply(record)
    match record:
        case Asked():
            for trial in record.trials:
                optimizer.restore(trial)
        case Ended():
            _conclude(record.number, record.outcome, optimizer)
        case Enqueued():
            optimizer.enqueue(record.params)
        case Added():
            optimizer.restore(record.trial)
            _conclude(record.trial.number, record.outcome, optimizer)
        case WarmStarted():
            optimizer.warm_start((trial.params, trial.values) for trial in record.trials)


def _conclude(number: int, outcome: Outcome, optimizer: Optimizer) -> None:
    if outcome.status is Status.COMPLETED:
        optimizer.tell(number, outcome.values)
    else:
        optimizer.fail(number)


class Loop:
    """One driver's session of a study."""

    def __init__(
        self,
        ledger: Ledger,
        executor: Executor,
        on_hand_over: Callable[[], str] | None = None,
        *,
        tick_s: float = TICK_S,
    ) -> None:
        """on_hand_over: sees to a successor, says what came of it; without it there is no handing over.

        tick_s: how long the loop waits for an event before it looks at the clock again.
        """
        self._ledger = ledger
        self._study = ledger.study
        self._executor = executor
        self._on_hand_over = on_hand_over
        self._is_handing_over = False
        self._fostered: set[Key] = set()
        self._tick_s = tick_s
        self._adopted_at = float("-inf")

    def run(self) -> Closed:
        """Work until the budget is used, a stopping rule is met or a stop is asked for.

        Raises StudyLocked if another driver has taken the study over; ExecutorError if the
        scheduler is gone. The study can be resumed after either.
        """
        executor = self._executor
        now = executor.now
        self._begin(now())
        try:
            commands = self._study.plan(now())
            if not self._finish(commands):
                executor.start()
            while not (finish := self._finish(commands)):
                self._carry_out(commands)
                # What has ended during a proposal is told before the next one is made.
                for event in executor.wait(0.0 if commands else self._tick_s):
                    self._handle(event)
                self._tick(now())
                commands = self._study.plan(now())
            if self._is_handing_over and self._on_hand_over is not None:
                finish = replace(finish, reason=self._on_hand_over())
        finally:
            executor.close(hand_over=self._is_handing_over)
        self._ledger.harvest(now())
        closing = Closed(now(), finish.reason, finish.done)
        spare = self._outliving() if self._is_handing_over else ()
        self._ledger.commit([*self._study.abandon(now(), spare), closing])
        return closing

    def _begin(self, at: float) -> None:
        living = self._ledger.living()  # before the results: what has ended since has left one
        self._ledger.harvest(at)
        running = self._study.running
        self._fostered = {
            (number, attempt)
            for number, attempt, token in living
            if (number, attempt) in running and running[number, attempt].token == token
        }
        if self._fostered:
            logger.info(
                "%d attempts of an earlier driver go on; their results are awaited", len(self._fostered)
            )
        self._ledger.commit(self._study.abandon(at, self._fostered))
        self._ledger.adopt(at)

    def _outliving(self) -> set[Key]:
        """Attempts that go on when this driver ends: those in batch jobs."""
        return self._fostered | {key for key, task in self._study.running.items() if task.job}

    def _look_after(self, at: float) -> None:
        """Take results of fostered attempts, and give up those that show no sign of life."""
        living = {(number, attempt) for number, attempt, _ in self._ledger.living()}
        self._ledger.harvest(at)
        for key in sorted(self._fostered - living):
            self._fostered.discard(key)
            detail = "it ran on without its driver, and gives no sign of life any more"
            self._ledger.commit(self._study.on(TaskLost(*key, detail, Cause.DRIVER_LOST, counts=False), at))

    def _handle(self, event: ExecutorEvent) -> None:
        at = self._executor.now()
        if isinstance(event, SlotLeft | TaskLost):
            # The worker may have finished, and died before it could say so.
            self._ledger.harvest(at)
        for observer in self._ledger.observers:
            observer.on_event(event, at)
        match event:
            case Woken(reason=reason) if reason.startswith(STOP):
                self._ledger.commit([StopRequested(at)])
            case Woken(reason=reason) if reason == HAND_OVER:
                self._is_handing_over = self._on_hand_over is not None
            case Woken() | MetricsLogged():
                pass
            case _:
                self._ledger.commit(self._study.on(event, at))

    def _tick(self, at: float) -> None:
        if not 0 <= at - self._adopted_at < TICK_S:
            self._adopted_at = at
            self._ledger.adopt(at)
            if self._fostered:
                self._look_after(at)
        self._ledger.check()
        for observer in self._ledger.observers:
            observer.on_tick(at)

    def _finish(self, commands: Sequence[Command]) -> Finish | None:
        finish = next((command for command in commands if isinstance(command, Finish)), None)
        if finish is None and self._is_handing_over:
            return Finish("handed over to the next driver", done=False)
        self._is_handing_over = self._is_handing_over and finish is None
        return finish

    def _carry_out(self, commands: Sequence[Command]) -> None:
        self._submit([command for command in commands if isinstance(command, Submit)])
        for command in commands:
            match command:
                case Ask():
                    self._ledger.ask(command.count, self._executor.now, joint=command.joint)
                case Release():
                    self._executor.release(command.slot)
                    self._study.done(command)
                case Warn():
                    logger.warning("trial %d: %s", command.number, command.text)
                    self._study.done(command)
        self._executor.want(self._study.wanted_slots(self._executor.now()))

    def _submit(self, submits: Sequence[Submit]) -> None:
        at = self._executor.now()
        tasks = [
            Submitted(
                item.number,
                item.attempt,
                item.slot,
                at,
                token=uuid.uuid4().hex,
                job=self._study.slots[item.slot].job,
                host=self._study.slots[item.slot].host,
            )
            for item in submits
        ]
        self._ledger.commit(tasks)
        for task in tasks:
            params = self._study.trials[task.number].trial.params
            self._executor.submit(Task(task.number, task.attempt, params, task.token), task.slot)
