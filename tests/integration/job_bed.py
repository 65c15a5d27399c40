"""A bed for tests of batch jobs: a study, drivers in processes of their own, and jobs as plain processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import job_driver
import studies

import asktell
from asktell.cluster.certificates import study_security
from asktell.directory import StudyDirectory
from asktell.inbox import Inbox
from asktell.trial import Status

PATIENCE_S = 60.0
NOWHERE = "tls://127.0.0.1:9"


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition; it must come true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


class Driver:
    """A scheduler in a process of its own."""

    def __init__(self, directory: StudyDirectory, session: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, job_driver.__file__, str(directory.root), str(session)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, command: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


class Bed:
    """A study, its drivers and jobs."""

    def __init__(self, path: Path) -> None:
        file = studies.write_study(path, trials=9)
        settings = [
            "evaluate.call=waiting.py:evaluate",
            "evaluate.checkpoint_signal=SIGUSR1",
            "evaluate.grace=2s",
            "cluster={kind: slurm, walltime: 1h}",
        ]
        self.directory = StudyDirectory(asktell.Study.create(file, path / "a study", overrides=settings).path)
        study_security(self.directory)  # as a driver does before it submits a job
        self.log = path / "job.log"
        self.drivers: list[Driver] = []
        self.jobs: list[subprocess.Popen[bytes]] = []

    def driver(self) -> Driver:
        """A driver that has announced itself."""
        driver = Driver(self.directory, len(self.drivers) + 1)
        self.drivers.append(driver)
        assert driver.ask("hello") == "ok"
        return driver

    def job(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "asktell.job", NOWHERE, "--name", "j", "--nthreads", "1"]
        command += ["--memory-limit", "1GiB", "--no-nanny", "--study", str(self.directory.root)]
        command += ["--death-timeout", str(PATIENCE_S), *options]
        with self.log.open("ab") as log:
            job = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "ASKTELL_JOB": "77", **environment}
            )
        self.jobs.append(job)
        return job

    def let_go(self) -> None:
        """Let evaluations return."""
        (self.directory.root / "go").touch()

    def began(self, number: int) -> bool:
        return (self.directory.attempt(number, 0) / "began").exists()

    def journaled(self) -> list[tuple[int, Status, str]]:
        reports = Inbox(self.directory.journal).reports()
        return [(report.number, report.outcome.status, report.token) for report in reports]

    def evaluations(self) -> list[int]:
        return [int(line) for line in (self.directory.root / "evaluations").read_text().split()]

    def close(self) -> None:
        """End every driver and job."""
        for driver in self.drivers:
            driver.kill()
        for job in self.jobs:
            studies.kill_tree(job)
