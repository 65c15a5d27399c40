"""Whole studies in batch jobs, through the command line, to be watched and harmed by tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psutil
import xarray as xr
import yaml

import asktell

REPOSITORY = Path(__file__).parents[2]
TESTBED = REPOSITORY / "hpc" / "testbed"
GRID_ENGINE = TESTBED / "sge-run.sh"
"""Runs a command where the testbed's Grid Engine is."""
OBJECTIVES = REPOSITORY / "tests" / "objectives"
PATIENCE_S = 90
NOTHING: Mapping[str, Any] = {}
CLUSTER = {
    "memory": "400MB",
    "walltime": "10min",
    "interface": "lo",
    "query_every": "1s",
    "submit_every": "0s",
}
"""Of every study here: small jobs, a testbed on loopback, and a scheduler that may be asked often."""


@dataclass(frozen=True)
class Evaluation:
    """One line of the objective `in_jobs`."""

    event: str
    trial: int
    attempt: int
    job: str


@dataclass
class BatchStudy:
    """One study, its folder, its command line and its jobs.

    kind: the cluster's; environ: with which its commands run. The PBS commands have SLURM beneath, so that
    its jobs, too, are looked at with SLURM's own commands.
    """

    folder: Path
    kind: str
    environ: Mapping[str, str]
    name: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:4]}")
    prefix: Sequence[str] = ()
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "study.yaml"

    @property
    def directory(self) -> Path:
        return self.folder / "s"

    @property
    def output(self) -> str:
        """What the drivers have written so far."""
        path = self.folder / "output"
        return path.read_text() if path.exists() else ""

    # ---- before it runs ------------------------------------------------------------------------

    def write(
        self,
        *,
        trials: int = 4,
        function: str = "evaluate",
        seconds: float = 0.1,
        evaluate: Mapping[str, Any] = NOTHING,
        **cluster: Any,
    ) -> None:
        """The study file. evaluate, cluster: further keys of these sections."""
        notes = {"NOTES": str(self.folder), "SECONDS": seconds}
        study = {
            "name": self.name,
            "evaluate": {
                "call": f"in_jobs.py:{function}",
                "folder": str(OBJECTIVES),
                "timeout": "5min",
                "env": notes,
                **evaluate,
            },
            "space": {name: {"type": "real", "low": 0, "high": 1} for name in ("x", "y")},
            "objectives": {"f": "minimize"},
            "optimizer": {"engine": "random", "seed": 5},
            "budget": {"trials": trials},
            "cluster": {"kind": self.kind, **CLUSTER, **cluster},
            "store": {"publish_every": "0.2s"},
        }
        self.file.write_text(yaml.safe_dump(study, sort_keys=False))

    def hold(self) -> None:
        """Evaluations that begin do not end until `release`."""
        (self.folder / "hold").touch()

    def release(self) -> None:
        (self.folder / "hold").unlink()

    # ---- its command line ----------------------------------------------------------------------

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`asktell ...` as a process of its own."""
        with (self.folder / "output").open("ab") as output:
            process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "asktell", *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=self.environ,
                # Ctrl-C has its usual effect, also where the tests run in the background of a shell.
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            )
        self._started.append(process)
        return process

    def run(self) -> subprocess.Popen[bytes]:
        return self.start("run", str(self.file), "--dir", str(self.directory))

    def run_quickstart(self) -> subprocess.Popen[bytes]:
        """The repository's own first study, in two jobs."""
        cluster = {**CLUSTER, "jobs": 2, "workers": 2}
        settings = [f"name={self.name}", *(f"cluster.{key}={value}" for key, value in cluster.items())]
        return self.start(
            *("run", str(REPOSITORY / "configs" / "branin" / "study.yaml"), "--dir", str(self.directory)),
            *("--cluster", self.kind, *(word for item in settings for word in ("--set", item))),
        )

    def resume(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self.start("resume", str(self.directory), *arguments)

    def command(self, *command: str) -> str:
        """What a command writes to stdout; it has to succeed."""
        done = subprocess.run(
            [*self.prefix, *command],
            capture_output=True,
            check=False,
            text=True,
            cwd=self.folder,
            env=self.environ,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tell(self, *arguments: str) -> str:
        """What `asktell ...` writes to stdout."""
        return self.command(sys.executable, "-m", "asktell", *arguments)

    def attempts(self, trial: int) -> list[dict[str, Any]]:
        """What `asktell show` says of a trial's attempts."""
        shown = json.loads(self.tell("show", str(self.directory), str(trial), "--json"))
        found: list[dict[str, Any]] = shown["attempts"]
        return found

    def results(self) -> xr.Dataset:
        return asktell.open(self.directory).sortby("trial").load()

    # ---- what it does --------------------------------------------------------------------------

    def evaluations(self, event: str = "start") -> list[Evaluation]:
        """What the objective noted, in order."""
        path = self.folder / "evaluations.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [Evaluation(**json.loads(line)) for line in lines]
        return [item for item in found if item.event == event]

    def jobs(self) -> dict[str, str]:
        """Its jobs that have not ended: id -> state and reason."""
        listed = run("squeue", "--noheader", "--format=%A|%j|%T %r")
        rows = (line.split("|") for line in listed.splitlines())
        return {job: state for job, name, state in rows if self.name in name}

    def cancel(self, job: str) -> None:
        subprocess.run(["scancel", job], check=False)

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for it on this machine, which all of the testbed's nodes are."""
        return [item for item in psutil.process_iter() if self._is_ours(item)]

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.pid == os.getpid():
            return False
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            told = [*process.cmdline(), process.cwd(), process.environ().get("NOTES", "")]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False
        return any(str(self.folder) in text for text in told)

    def until(self, condition: Callable[[], Any], within_s: float = PATIENCE_S) -> None:
        """Return when the condition holds; fails with the drivers' output if it never does."""
        given_up_at = time.monotonic() + within_s
        while not condition():
            is_late = time.monotonic() > given_up_at
            if is_late or any(process.poll() in (1, 2) for process in self._started):
                what = f"still waiting after {within_s} s" if is_late else "a driver failed"
                raise AssertionError(f"{what}\n{self.account()}")
            time.sleep(0.1)

    def account(self) -> str:
        """How things stand, for whoever reads a failed test."""
        processes = "\n".join(f"  {item}" for item in self.processes())
        logs = "\n".join(
            f"---- {path.name}\n{path.read_text(errors='replace')[-2000:]}"
            for path in sorted((self.directory / "jobs").glob("*.log"))[-4:]
        )
        return f"jobs: {self.jobs()}\nprocesses:\n{processes}\noutput:\n{self.output}\n{logs}"

    # ---- afterwards ----------------------------------------------------------------------------

    def is_gone(self) -> bool:
        return not self.jobs() and not self.processes()

    def end(self) -> None:
        """Nothing of the study may be left: what is, is ended, and told."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if self._is_gone_within(20):
            return
        account = self.account()
        for job in self.jobs():
            self.cancel(job)
        if not self._is_gone_within(20):
            for item in self.processes():
                item.kill()
        raise AssertionError(f"jobs or processes of the study are left\n{account}")

    def _is_gone_within(self, seconds: float) -> bool:
        given_up_at = time.monotonic() + seconds
        while not self.is_gone() and time.monotonic() < given_up_at:
            time.sleep(0.1)
        return self.is_gone()


@dataclass
class GridEngineStudy(BatchStudy):
    """The same in the testbed's Grid Engine."""

    prefix: Sequence[str] = (str(GRID_ENGINE),)

    def jobs(self) -> dict[str, str]:
        listed = ElementTree.fromstring(self.command("qstat", "-xml"))
        rows = (
            (item.findtext("JB_job_number"), item.findtext("JB_name"), item)
            for item in listed.iter("job_list")
        )
        return {str(job): str(item.get("state")) for job, name, item in rows if name and self.name in name}

    def cancel(self, job: str) -> None:
        subprocess.run([*self.prefix, "qdel", job], check=False)


def run(*command: str) -> str:
    """What a command writes to stdout; it has to succeed."""
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def run_testbed(script: str, *arguments: str) -> None:
    """Run a script of hpc/testbed."""
    run(str(TESTBED / script), *arguments)
