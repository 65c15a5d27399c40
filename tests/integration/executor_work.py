"""What the executors' contract suite runs; importable by dask's workers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from asktell import records
from asktell.execute.protocol import Task
from asktell.trial import Outcome, Status


def values(task: Task) -> Outcome:
    return Outcome(Status.COMPLETED, values={"y": float(task.params["x"]) * 2})


def work(task: Task, topic: str) -> Mapping[str, Any]:
    if task.params.get("hang"):
        time.sleep(600)
    if task.params.get("crash"):
        raise RuntimeError("the disk is full")
    return records.encode(records.Reported(task.number, task.attempt, task.token, values(task), 0.0))
