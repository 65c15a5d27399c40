"""What lies where in a study directory.

study.yaml        the configuration as resolved
journal/          the truth: one segment per process
results.zarr/     the view that xarray opens
spool/            encoded output chunks on their way into the store
trials/           one folder per attempt: 000017/0
logs/             the driver's log
jobs/             batch jobs: scripts as submitted, their logs, last words, jobs.jsonl
alive/            one file per worker in a batch job, rewritten while it evaluates without a driver
tls/              the study's own certificates, for nobody else's eyes
scheduler.json    where the driver's dask scheduler listens, for the workers in batch jobs
progress.json     counts, incumbent, estimated end; rewritten atomically
best.json         at the end
retold.py         what a trial of a study runs that `retell` made: what source.yaml says, then a function
source.yaml       the study file of the study before it
earlier/          both files of that study, if it was made so itself
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asktell.durable import replace_files


@dataclass(frozen=True, slots=True)
class StudyDirectory:
    root: Path

    @property
    def config(self) -> Path:
        return self.root / "study.yaml"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def store(self) -> Path:
        return self.root / "results.zarr"

    @property
    def trials(self) -> Path:
        return self.root / "trials"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def alive(self) -> Path:
        return self.root / "alive"

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def scheduler(self) -> Path:
        return self.root / "scheduler.json"

    @property
    def driver_jobs(self) -> Path:
        """What `asktell submit` began; absent where the study was never submitted."""
        return self.jobs / "driver.json"

    @property
    def progress(self) -> Path:
        return self.root / "progress.json"

    @property
    def best(self) -> Path:
        return self.root / "best.json"

    def trial(self, number: int) -> Path:
        return self.trials / f"{number:06d}"

    def attempt(self, number: int, attempt: int) -> Path:
        return self.trial(number) / str(attempt)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Replace a JSON file atomically; a reader sees the old one or the new one.

    NaN and infinities become null, which every JSON reader takes.
    """
    replace_files([(path, (json.dumps(_finite(data), indent=2) + "\n").encode())])


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
