"""Hundreds of slots in batch jobs on the virtual clock, through the real loop and its journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import asktell
from asktell.directory import StudyDirectory
from asktell.execute.protocol import ExecutorEvent, SlotJoined, SlotLeft, Task
from asktell.execute.virtual import VirtualExecutor
from asktell.journal import replay_driver
from asktell.loop import Loop
from asktell.records import Ended, Lost, Submitted, Superseded
from asktell.run import Study
from asktell.session import Session
from asktell.trial import Cause, Outcome, Status

MINUTE, HOUR = 60.0, 3600.0
SLACK_S = 2 * MINUTE


class Cluster(VirtualExecutor):
    """A batch system: jobs queue, end with their walltime or before, and are replaced as long as wanted.

    A trial takes 20 to 60 minutes, longer for larger `x`; one in thirty fails.
    """

    def __init__(self, session: Session, *, slots: int, walltime_s: float, loss_every_s: float) -> None:
        super().__init__(self._evaluate, self._lasts_s, slots=0)
        self._study = session.study
        self._slots = slots
        self._walltime_s = walltime_s
        self._loss_every_s = loss_every_s
        self._rng = np.random.default_rng(5)
        self._n_jobs = 0
        self._is_queued: set[str] = set()
        self._ends_at: dict[str, float] = {}
        self._joined_at: dict[str, float] = {}
        self.live_s = 0.0
        self.violations: list[str] = []

    def start(self) -> None:
        self.want(self._slots)

    def want(self, slots: int) -> None:
        super().want(slots)
        for _ in range(slots - len(self._is_queued) - len(self._ends_at)):
            self._queue_job()

    def wait(self, timeout_s: float) -> Sequence[ExecutorEvent]:
        if timeout_s:  # the loop has nothing more to do
            self._look_for_idle_slots()
        events = super().wait(timeout_s)
        for event in events:
            match event:
                case SlotJoined(ends_at=float() as ends_at):
                    self._is_queued.remove(event.slot)
                    self._ends_at[event.slot], self._joined_at[event.slot] = ends_at, self.now()
                case SlotLeft():
                    del self._ends_at[event.slot]
                    self.live_s += self.now() - self._joined_at.pop(event.slot)
        return events

    def _queue_job(self) -> None:
        name, at = f"job-{self._n_jobs}", self.now() + self._rng.exponential(5 * MINUTE)
        self._n_jobs += 1
        self._is_queued.add(name)
        self.join(name, at, job=name, ends_at=at + self._walltime_s)
        cause = self._rng.choice([Cause.PREEMPTED, Cause.NODE_FAILURE, Cause.CANCELLED])
        self.leave(name, at + self._rng.exponential(self._loss_every_s), "it was taken away", Cause(cause))

    def _look_for_idle_slots(self) -> None:
        """A slot without a task, while points may be asked or wait that it would outlive."""
        busy = {task.slot for task in self._study.running.values()}
        waiting = [s.trial.params for s in self._study.trials.values() if s.status is Status.WAITING]
        total = self._study.rules.budget.trials
        is_budget_left = total is not None and self._study.n_counted < total
        for slot in self._study.slots.keys() - busy:
            left_s = self._ends_at[slot] - self.now()
            if is_budget_left and len(waiting) < self._slots:
                self.violations.append(f"{slot} idles with {left_s:.0f} s left while points may be asked")
            if any(left_s > 2 * lasts_s(params["x"]) + SLACK_S for params in waiting):
                self.violations.append(f"{slot} idles with {left_s:.0f} s left while a trial that fits waits")

    def _evaluate(self, task: Task) -> Outcome:
        if task.number % 30 == 17:
            return Outcome(Status.FAILED, Cause.OBJECTIVE_ERROR, error="ValueError: no")
        return Outcome(Status.COMPLETED, values={"f": float(task.params["x"])})

    def _lasts_s(self, task: Task) -> float:
        return lasts_s(task.params["x"]) * float(np.random.default_rng(task.number).uniform(0.97, 1.03))


def lasts_s(x: object) -> float:
    assert isinstance(x, float)
    return 20 * MINUTE + 40 * MINUTE * x


def played(
    folder: Path, *, slots: int, trials: int, is_aware: bool = True, loss_every_s: float
) -> tuple[Study, Cluster]:
    folder.mkdir()
    (folder / "objective.py").write_text("def evaluate(x, y): return x\n")
    study = Study.create(
        {
            "name": "virtual",
            "evaluate": {"call": "objective.py:evaluate", "folder": str(folder)},
            "space": {
                "x": {"type": "real", "low": 0.0, "high": 1.0},
                "y": {"type": "real", "low": 0.0, "high": 1.0},
            },
            "objectives": {"f": "minimize"},
            "optimizer": {"engine": "random", "seed": 3},
            "budget": {"trials": trials},
            "cluster": {"kind": "slurm", "jobs": slots, "walltime": "2h", "walltime_aware": is_aware},
        },
        folder / "s",
    )
    session = Session(StudyDirectory(study.path), study.config)
    try:
        cluster = Cluster(session, slots=slots, walltime_s=2 * HOUR, loss_every_s=loss_every_s)
        closed = Loop(session.ledger, cluster, tick_s=MINUTE).run()
    finally:
        session.close()
    assert closed.done, closed.reason
    return study, cluster


def lost_to_walltime(study: Study) -> list[tuple[float, int]]:
    """(when, number of results known at its submission) of each attempt that its walltime cut off."""
    n_ended, known, lost = 0, {}, []
    for record in replay_driver(study.path / "journal"):
        match record:
            case Submitted():
                known[record.number, record.attempt] = n_ended
            case Ended(outcome=Outcome(status=Status.COMPLETED)):
                n_ended += 1
            case Lost(cause=Cause.WALLTIME):
                lost.append((record.at, known[record.number, record.attempt]))
    return lost


def test_three_hundred_slots_come_and_go_and_every_promise_holds(tmp_path: Path) -> None:
    study, cluster = played(tmp_path / "a", slots=300, trials=1000, loss_every_s=20 * HOUR)
    assert not cluster.violations, cluster.violations[:5]
    records = replay_driver(study.path / "journal")
    ends = Counter(record.number for record in records if isinstance(record, Ended))
    assert ends == dict.fromkeys(range(1000), 1)
    assert not any(isinstance(record, Superseded) for record in records)
    assert not [item for item in lost_to_walltime(study) if item[1] >= 10]

    ds = asktell.open(study.path)
    causes = Counter(record.cause for record in records if isinstance(record, Lost))
    assert causes.keys() >= {Cause.PREEMPTED, Cause.NODE_FAILURE, Cause.CANCELLED}
    assert int(ds.n_lost.sum()) == causes.total()
    assert Counter(",".join(filter(None, ds.lost_causes.values.tolist())).split(",")) == causes
    assert (ds.n_attempts == ds.n_lost + 1).all()
    failed = ds.isel(trial=ds.status.values == 1)
    assert sorted(failed.trial.values.tolist()) == list(range(17, 1000, 30))


@pytest.mark.parametrize("loss_every_s", [1e9, 10 * HOUR])
def test_knowing_how_long_trials_take_saves_worker_time(loss_every_s: float, tmp_path: Path) -> None:
    useful = {}
    for is_aware in (True, False):
        study, cluster = played(
            tmp_path / str(is_aware), slots=20, trials=200, is_aware=is_aware, loss_every_s=loss_every_s
        )
        useful[is_aware] = cluster.busy_s / cluster.live_s
        n_lost = len([item for item in lost_to_walltime(study) if item[1] >= 10])
        assert (n_lost == 0) == is_aware
    assert useful[True] > useful[False] + 0.05, useful
