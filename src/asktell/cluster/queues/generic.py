"""Batch systems that are only submitted to and cancelled from: LSF, OAR, HTCondor.

How their jobs stand is seen from dask's side alone: a job is there when its workers are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from asktell.cluster.queues import commands
from asktell.cluster.queues.protocol import JobState
from asktell.cluster.scripts import cancel_command, submit_command


class GenericQueue:
    """The commands of a job class of dask-jobqueue. job: one of its objects, whatever its script."""

    can_list = False

    def __init__(self, job: Any) -> None:
        self._job = job
        self._job_id = re.compile(job.job_id_regexp)

    def jobs(self, ids: Collection[str]) -> Mapping[str, JobState]:
        return {}

    def named(self, name: str) -> Sequence[str]:
        return []

    def submit(self, script: Path) -> str:
        *argv, _ = submit_command(self._job, script)
        return commands.submit(argv, script, self._job_id)

    def cancel(self, ids: Collection[str]) -> None:
        commands.cancel(cancel_command(self._job), ids)
