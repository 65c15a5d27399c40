"""What runs on a worker for one attempt: fence, evaluate, encode, journal, and only then report.

A worker process keeps one evaluator (with its launcher), one journal segment and one spool for each
study that it serves.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from asktell import records
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
    """The evaluator, journal segment and spool of one study in one worker process."""

    def __init__(self, spec: WorkSpec) -> None:
        self.directory = StudyDirectory(Path(spec.study_dir))
        self.evaluator = evaluator_of(from_resolved(json.loads(spec.config)), self.directory.root)
        self.segment = Segment.create(self.directory.journal, "worker")
        self.spool = Spool(self.directory.root, self.segment.name)

    def attempt(
        self, task: Task, on_metrics: Callable[[Metrics], None] | None = None, worker: str = ""
    ) -> records.Reported:
        """Evaluate; when this returns, the result is durable, if there is one."""
        folder = self.directory.attempt(task.number, task.attempt)
        if not fence(folder, task.token):
            error = f"attempt {task.attempt} was begun already by another process"
            outcome = Outcome(Status.FAILED, Cause.FENCED, error=error, worker=worker)
            return records.Reported(task.number, task.attempt, task.token, outcome, time.time())
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


_bench = cache(Bench)


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

    return records.encode(_bench(spec).attempt(task, send, worker=str(worker.address)))


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
