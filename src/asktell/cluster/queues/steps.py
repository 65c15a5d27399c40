"""Workers inside one allocation, for sites that forbid jobs to submit jobs.

A "job" is then a step: a process that the driver starts on the allocation's nodes and watches itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from asktell.cluster.queues.protocol import End, JobState, Phase, SubmitRefused

STEP = "ASKTELL_JOB"
"""Environment variable with a step's id: the surrounding job's is the same for all."""

Launcher = Callable[[int, str], Sequence[str]]
"""Number of a step's place, from 0, and the step's id → what to put before its script."""


def srun(cpus: int) -> Launcher:
    """SLURM: each step gets cores of its own, on whichever node has them, beside the driver."""
    options = ("--exact", "--overlap", "--ntasks=1", "--nodes=1", f"--cpus-per-task={cpus}", "--mem=0")
    return lambda place, step: ("srun", *options)


def pbsdsh() -> Launcher:
    """PBS: one place of the node file for each step; the first is the driver's."""
    # A program that pbsdsh starts has the bare environment of its daemon.
    return lambda place, step: ("pbsdsh", "-n", str(place + 1), "--", "env", f"{STEP}={step}")


def here() -> Launcher:
    """Processes on the driver's own node."""
    return lambda place, step: ()


class StepQueue:
    """Steps of the allocation in which the driver runs. places: how many fit."""

    can_list = True

    def __init__(self, launcher: Launcher, places: int, logs: Path) -> None:
        self._launcher = launcher
        self._places = places
        self._logs = logs
        self._steps: dict[str, tuple[int, subprocess.Popen[bytes]]] = {}

    def jobs(self, ids: Collection[str]) -> Mapping[str, JobState]:
        return {job: _state(job, self._steps[job][1]) for job in ids if job in self._steps}

    def named(self, name: str) -> Sequence[str]:
        return []

    def submit(self, script: Path) -> str:
        taken = {place for place, process in self._steps.values() if process.poll() is None}
        place = next((place for place in range(self._places) if place not in taken), None)
        if place is None:
            raise SubmitRefused("every place of the allocation is taken by a step that has not ended yet")
        step = script.stem
        argv = [*self._launcher(place, step), "bash", str(script)]
        try:
            with (self._logs / f"{step}.log").open("ab") as log:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, STEP: step},
                    start_new_session=True,  # Ctrl-C is for the driver
                )
        except OSError as error:
            raise SubmitRefused(f"{argv[0]}: {error}", is_permanent=True) from error
        self._steps[step] = (place, process)
        return step

    def cancel(self, ids: Collection[str]) -> None:
        for job in ids:
            if job in self._steps and self._steps[job][1].poll() is None:
                os.killpg(self._steps[job][1].pid, signal.SIGTERM)


def _state(job: str, process: subprocess.Popen[bytes]) -> JobState:
    code = process.poll()
    if code is None:
        return JobState(job, Phase.RUNNING)
    if code < 0:
        return JobState(job, Phase.ENDED, f"ended by {signal.Signals(-code).name}", end=End.FAILED)
    return JobState(job, Phase.ENDED, f"exit code {code}", end=End.FAILED if code else End.COMPLETED)
