"""One study on the virtual clock: the product's own loop, state machine and engines, no waiting.

Every random number has an address (seed, what it is for, number), so that two schedules with the same
seed meet the same runtimes, queue waits and failures, and differ in what they make of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asktell.errors import AsktellError
from asktell.execute.protocol import ExecutorEvent, SlotLeft, Task
from asktell.execute.virtual import VirtualExecutor
from asktell.loop import Ledger, Loop
from asktell.optimize.optimizer import Optimizer
from asktell.records import Ended, Record
from asktell.runtime import RuntimeModel
from asktell.simulation.functions import TestFunction
from asktell.simulation.laws import Law
from asktell.study import Budget, Rules, Schedule, StudyMachine, is_feasible
from asktell.trial import Cause, Outcome, Status, Trial

_TICK_S = 3600.0  # of virtual time: nothing but events moves a simulated study
_NOISE, _RUNTIME, _QUEUE, _CRASH, _FAILURE, _STARTUP = range(6)  # what a random number is for
_STILLBORN = 100  # jobs in a row that end before their worker is there: none ever will


@dataclass(frozen=True, slots=True)
class ClusterModel:
    """The cluster that is simulated; each job holds one worker.

    queue: how long a job waits before it runs; startup: how long it has run before its worker is there;
    walltime_s: after which it is ended, None for never; crash_every_s: mean time after which a job is
    lost for another reason; failure_rate: share of evaluations that fail.
    """

    queue: Law
    startup: Law
    walltime_s: float | None = None
    crash_every_s: float = math.inf
    failure_rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One study to be played. is_charged: proposals take as long on the virtual clock as they take here.

    asking_s: time on that clock after which nothing more is proposed.
    """

    function: TestFunction
    engine: str
    schedule: Schedule
    seed: int
    trials: int
    runtime: Law
    cluster: ClusterModel
    initial: int = 10
    options: Mapping[str, Any] = field(default_factory=dict)
    is_charged: bool = False
    asking_s: float = math.inf
    is_walltime_aware: bool = True


@dataclass(slots=True)
class Played:
    """What came of a cell. Times: seconds on the virtual clock since the study began.

    ended_s, regret: (n,) by terminal trials, in the order in which they ended; regret NaN where a trial
    failed or is not allowed; losses: (n, m) the objectives, NaN likewise.
    spent_s: (n,) in which jobs had run by then, summed over them.
    busy_s: in which workers evaluated what was not lost; live_s: in which jobs ran;
    ask_s: CPU seconds of all proposals; reason: why the study ended.
    """

    ended_s: list[float] = field(default_factory=list)
    regret: list[float] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)
    spent_s: list[float] = field(default_factory=list)
    busy_s: float = 0.0
    live_s: float = 0.0
    ask_s: float = 0.0
    n_lost: int = 0
    n_failed: int = 0
    reason: str = ""

    @property
    def makespan_s(self) -> float:
        return self.ended_s[-1] if self.ended_s else math.nan


def play(cell: Cell) -> Played:
    """Run the cell to its end."""
    cluster = SimulatedCluster(cell)
    function = cell.function
    study = StudyMachine(
        Rules(
            signs=dict.fromkeys(function.objectives, 1),
            bounds=function.bounds,
            schedule=cell.schedule,
            budget=Budget(trials=cell.trials),
            walltime_s=cell.cluster.walltime_s,
            is_walltime_aware=cell.is_walltime_aware,
        ),
        RuntimeModel(function.space) if cell.cluster.walltime_s is not None else None,
    )
    optimizer = Optimizer(
        function.space,
        dict.fromkeys(function.objectives, "minimize"),
        engine=cell.engine,
        seed=cell.seed,
        initial=cell.initial,
        options=cell.options,
        outcome_bounds=dict(function.bounds),
    )
    ledger = TimedLedger(study, optimizer, cluster if cell.is_charged else None, cell.asking_s)
    played = Played()
    ledger.observers.append(Scribe(played, study, function, cluster.live_s))
    played.reason = Loop(ledger, cluster, tick_s=_TICK_S).run().reason
    played.live_s, played.ask_s, played.n_lost = cluster.live_s(), ledger.ask_s, study.n_lost
    return played


class TimedLedger(Ledger):
    """Measures what proposals cost, and lets the clock of `charged` go on by it."""

    def __init__(
        self, study: StudyMachine, optimizer: Optimizer, charged: SimulatedCluster | None, asking_s: float
    ) -> None:
        super().__init__(study, optimizer)
        self.ask_s = 0.0
        self._asking_s = asking_s
        self._charged = charged

    def ask(self, count: int, clock: Callable[[], float], *, joint: bool = True) -> list[Trial]:
        if clock() > self._asking_s:
            self.study.exhaust()
            return []
        begun = time.thread_time()
        asked = super().ask(count, clock, joint=joint)
        spent = time.thread_time() - begun
        self.ask_s += spent
        if self._charged is not None:
            self._charged.advance(spent)
        return asked


class Scribe:
    """An observer of the loop that writes down what the comparison is about."""

    def __init__(
        self, played: Played, study: StudyMachine, function: TestFunction, live_s: Callable[[], float]
    ) -> None:
        self._played = played
        self._study = study
        self._function = function
        self._live_s = live_s

    def on_event(self, event: ExecutorEvent, at: float) -> None:
        """Nothing: records say it all."""

    def on_tick(self, at: float) -> None:
        """Nothing."""

    def on_record(self, record: Record) -> None:
        if not isinstance(record, Ended):
            return
        function, outcome, played = self._function, record.outcome, self._played
        values = outcome.values
        is_good = outcome.status is Status.COMPLETED and is_feasible(values, function.bounds)
        played.ended_s.append(record.at)
        played.spent_s.append(self._live_s())
        played.n_failed += outcome.status is Status.FAILED
        played.busy_s += outcome.duration_s
        played.losses.append([values[name] if is_good else math.nan for name in function.objectives])
        regret = math.nan
        if is_good and function.optimum is not None:
            params = self._study.trials[record.number].trial.params
            regret = function.regret(params, values[function.objectives[0]])
        played.regret.append(regret)


class SimulatedCluster(VirtualExecutor):
    """Virtual slots that wait in a queue, end with their walltime or before, and are replaced."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(self._evaluate, self._runtime_s, slots=0)
        self._cell = cell
        self._width = cell.schedule.width
        self._n_jobs = 0
        self._began_at: dict[str, float] = {}  # jobs that are queued, or run
        self._left_s = 0.0

    def start(self) -> None:
        for _ in range(self._width):
            self._submit_job()

    def advance(self, seconds: float) -> None:
        """Let the clock go on, as while a proposal is made; what happens meanwhile is heard afterwards."""
        self._now += seconds

    def wait(self, timeout_s: float) -> Sequence[ExecutorEvent]:
        events = super().wait(timeout_s)
        for event in events:
            if isinstance(event, SlotLeft):
                self._left_s += self._now - self._began_at.pop(event.slot)
                if len(self._began_at) < self.wanted:
                    self._submit_job()
        return events

    def live_s(self) -> float:
        """Time for which jobs have run, summed over them."""
        return self._left_s + sum(max(0.0, self._now - at) for at in self._began_at.values())

    def _submit_job(self) -> None:
        """Queue a job, and others after it until one lives to see its worker."""
        model, at = self._cell.cluster, self._now
        for _ in range(_STILLBORN):
            number, slot = self._n_jobs, f"job-{self._n_jobs}"
            self._n_jobs += 1
            at += model.queue.draw({}, self._rng(_QUEUE, number))
            joins_at = at + model.startup.draw({}, self._rng(_STARTUP, number))
            ends_at = None if model.walltime_s is None else at + model.walltime_s
            crashes_at = math.inf
            if math.isfinite(model.crash_every_s):
                crashes_at = at + float(self._rng(_CRASH, number).exponential(model.crash_every_s))
            dies_at = min(crashes_at, math.inf if ends_at is None else ends_at)
            if joins_at < dies_at:
                self._began_at[slot] = at
                self.join(slot, joins_at, job=slot, ends_at=ends_at)
                if crashes_at == dies_at < math.inf:
                    self.leave(slot, crashes_at, "the job crashed")
                return
            self._left_s += dies_at - at
            at = dies_at
        raise AsktellError(
            f"{_STILLBORN} simulated jobs in a row ended before their worker was there; let them start up "
            "faster, run for longer or crash less often"
        )

    def _rng(self, purpose: int, *place: int) -> np.random.Generator:
        return np.random.default_rng([self._cell.seed, purpose, *place])

    def _evaluate(self, task: Task) -> Outcome:
        cell = self._cell
        if self._rng(_FAILURE, task.number).random() < cell.cluster.failure_rate:
            return Outcome(Status.FAILED, Cause.OBJECTIVE_ERROR, "it failed at random")
        values = cell.function.evaluate(task.params, self._rng(_NOISE, task.number))
        if values is None:
            return Outcome(Status.FAILED, Cause.OBJECTIVE_ERROR, "it fails at this point")
        return Outcome(Status.COMPLETED, values=values)

    def _runtime_s(self, task: Task) -> float:
        return self._cell.runtime.draw(task.params, self._rng(_RUNTIME, task.number))
