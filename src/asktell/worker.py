"""What runs on a worker for one attempt: fence, evaluate, encode, journal, and only then report.

A worker process keeps one evaluator (with its launcher), one journal segment and one spool for each
session of a study that it serves.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asktell import records
from asktell.cluster.alive import Attempt, SignOfLife
from asktell.config import StudyConfig, from_resolved
from asktell.directory import StudyDirectory
from asktell.evaluate import Evaluator
from asktell.execute.protocol import Task
from asktell.journal import Segment
from asktell.store import Spool, encode_output
from asktell.trial import Cause, Outcome, Status

Metrics = tuple[tuple[float, str, float], ...]


@dataclass(frozen=True, slots=True)
class WorkSpec:
    """What every attempt of a study has in common; hashable, as each worker keeps one bench for it.

    session: the driver's token, as a new session starts with a fresh bench; config: the resolved
    configuration as JSON.
    """

    study_dir: str
    session: int
    config: str


class Bench:
    """The evaluator, journal segment and spool of one session in one worker process.

    job: the batch job that the process belongs to; '' where it dies with its driver. Attempts in a
    batch job give signs of life.
    """

    def __init__(self, spec: WorkSpec, job: str = "") -> None:
        self.directory = StudyDirectory(Path(spec.study_dir))
        self.evaluator = evaluator_of(from_resolved(json.loads(spec.config)), self.directory.root)
        self.segment = Segment.create(self.directory.journal, "worker")
        self.spool = Spool(self.directory.root, self.segment.name)
        self._job = job

    def attempt(
        self, task: Task, on_metrics: Callable[[Metrics], None] | None = None, worker: str = ""
    ) -> records.Reported:
        """Evaluate; when this returns, the result is durable, if there is one."""
        with self._sign_of_life(task):
            return self._attempt(task, on_metrics, worker)

    def _sign_of_life(self, task: Task) -> AbstractContextManager[object]:
        if not self._job:
            return nullcontext()
        return SignOfLife(self.directory.alive, Attempt(task.number, task.attempt, task.token), self._job)

    def _attempt(
        self, task: Task, on_metrics: Callable[[Metrics], None] | None, worker: str
    ) -> records.Reported:
        folder = self.directory.attempt(task.number, task.attempt)
        if not fence(folder, task.token):
            error = f"attempt {task.attempt} was begun already by another process"
            return no_result(task, Cause.FENCED, error, worker)
        evaluation = self.evaluator.run(task, folder, on_metrics)
        arrays = {
            name: encode_output(name, array.data, array.dims, array.attrs, self.spool)
            for name, array in evaluation.arrays.items()
        }
        outcome = replace(evaluation.outcome, arrays=arrays, worker=worker)
        reported = records.Reported(task.number, task.attempt, task.token, outcome, time.time())
        if not outcome.cause.is_infrastructure:  # that is no result; whoever hears of it finds out more
            self.segment.append(reported)
        return reported


class Benches:
    """The benches of this process, and what is in hand on them. Thread-safe.

    dask forgets a task as soon as its scheduler is gone. Whether an evaluation runs is known here.
    """

    def __init__(self) -> None:
        self.job = ""
        self._benches: dict[WorkSpec, Bench] = {}
        self._in_hand = 0
        self._is_retired = False
        self._lock = threading.Lock()

    def attempt(
        self, spec: WorkSpec, task: Task, on_metrics: Callable[[Metrics], None] | None, worker: str
    ) -> records.Reported:
        """As `Bench.attempt`, on the bench of this session."""
        with self._lock:
            if self._is_retired:
                return no_result(task, Cause.WORKER_LOST, "its worker takes nothing new", worker)
            self._in_hand += 1
        try:
            return self._bench(spec).attempt(task, on_metrics, worker)
        finally:
            with self._lock:
                self._in_hand -= 1

    def retire(self) -> None:
        """Take nothing new; what is in hand goes on."""
        with self._lock:
            self._is_retired = True

    @property
    def is_idle(self) -> bool:
        """Nothing is in hand."""
        with self._lock:
            return self._in_hand == 0

    def warn(self, of: Cause) -> None:
        """Tell evaluations in hand that their job is about to end, for the reason given."""
        for bench in self._present():
            bench.evaluator.warn(of)

    def end(self) -> None:
        """End what is in hand, and every helper process; returns when they have ended."""
        self.retire()
        for bench in self._present():
            bench.evaluator.close()

    def _bench(self, spec: WorkSpec) -> Bench:
        with self._lock:
            if spec not in self._benches:
                self._benches[spec] = Bench(spec, self.job)
            return self._benches[spec]

    def _present(self) -> list[Bench]:
        with self._lock:
            return list(self._benches.values())


BENCHES = Benches()
"""Of this process: dask hands a task over as a function, which has to find them."""


def evaluator_of(config: StudyConfig, study_dir: Path) -> Evaluator:
    """The evaluator of a study."""
    return Evaluator(
        config.evaluate,
        tuple(config.objectives),
        config.outputs,
        config.cluster.cpus_per_trial,
        study_dir,
        config.name,
        constraints=tuple(config.outcome_bounds()),
        parameters=tuple(config.space),
        gpus=config.cluster.gpus_per_trial,
        launcher=config.cluster.launcher,
    )


def work(spec: WorkSpec, task: Task, topic: str = "") -> Mapping[str, Any]:
    """Run one attempt on a dask worker and return its `Reported` record as JSON values.

    topic: where metrics are sent while the attempt runs, as events of the worker.
    """
    from distributed import get_worker

    worker = get_worker()

    def send(metrics: Metrics) -> None:
        message = {"op": "metrics", "number": task.number, "attempt": task.attempt, "metrics": metrics}
        worker.log_event(topic, message)

    return records.encode(BENCHES.attempt(spec, task, send, worker=str(worker.address)))


def no_result(task: Task, cause: Cause, error: str, worker: str) -> records.Reported:
    """The report of an attempt that was not begun."""
    outcome = Outcome(Status.FAILED, cause, error=error, worker=worker)
    return records.Reported(task.number, task.attempt, task.token, outcome, time.time())


def fence(folder: Path, token: str) -> bool:
    """Claim an attempt's folder; False if another process has claimed it.

    A network file system may repeat a request whose answer was lost, so finding one's own mark
    there is success.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = f"{token} {uuid.uuid4().hex}"
    draft = folder / f".fence-{mark[-32:]}"
    draft.write_text(mark)
    try:
        os.link(draft, folder / "fence")
    except FileExistsError:
        return (folder / "fence").read_text() == mark
    finally:
        draft.unlink()
    return True
