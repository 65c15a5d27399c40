"""SLURM: `squeue` for what waits, runs or has just ended, `sacct` for what it has forgotten."""

from __future__ import annotations

import getpass
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from asktell.cluster.queues import commands
from asktell.cluster.queues.protocol import End, JobState, Phase, QueueSilent

FORMAT = "%i|%T|%N|%e|%r"
_JOB_ID = re.compile(r"^(\d+)", re.MULTILINE)
_FORGOTTEN = re.compile("invalid job id", re.IGNORECASE)

_QUEUED = {
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_HOLD",
    "REQUEUE_FED",
    "RESV_DEL_HOLD",
    "SPECIAL_EXIT",
}
_RUNNING = {"RUNNING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT"}
_ENDS = {
    "COMPLETED": End.COMPLETED,
    "CANCELLED": End.CANCELLED,
    "TIMEOUT": End.TIMEOUT,
    "DEADLINE": End.TIMEOUT,
    "PREEMPTED": End.PREEMPTED,
    "NODE_FAIL": End.NODE_FAIL,
    "BOOT_FAIL": End.NODE_FAIL,
    "OUT_OF_MEMORY": End.OUT_OF_MEMORY,
    "FAILED": End.FAILED,
}


class SlurmQueue:
    """A SLURM controller, through its commands."""

    can_list = True

    def __init__(self) -> None:
        # Accounting may be switched off, and job completion be logged in a file instead.
        self._records = [["sacct"], ["sacct", "--completion"]]

    def jobs(self, ids: Collection[str]) -> Mapping[str, JobState]:
        if not ids:
            return {}
        answer = commands.ask(["squeue", "-h", "-t", "all", "-o", FORMAT, "-j", ",".join(ids)])
        if answer.code and not _FORGOTTEN.search(answer.err):
            raise QueueSilent(f"squeue: {answer.words}")
        found = {state.id: state for state in parse_squeue(answer.out)}
        if missing := [job for job in ids if job not in found]:
            found |= self._recorded(missing)
        return found

    def _recorded(self, ids: Sequence[str]) -> Mapping[str, JobState]:
        while self._records:
            answer = commands.ask([*self._records[0], "-n", "-P", "-o", "JobID,State", "-j", ",".join(ids)])
            if answer.code == 0:
                return {state.id: state for state in parse_sacct(answer.out) if state.id in ids}
            self._records.pop(0)
        return {}

    def named(self, name: str) -> Sequence[str]:
        answer = commands.ask(["squeue", "-h", "-u", getpass.getuser(), "-n", name, "-o", FORMAT])
        if answer.code:
            raise QueueSilent(f"squeue: {answer.words}")
        return [state.id for state in parse_squeue(answer.out)]

    def submit(self, script: Path, after: str = "") -> str:
        waits = [f"--dependency=afterany:{after}"] if after else []
        return commands.submit(["sbatch", "--parsable", *waits], script, _JOB_ID)

    def cancel(self, ids: Collection[str]) -> None:
        commands.cancel(["scancel"], ids)


def parse_squeue(text: str) -> Iterator[JobState]:
    """Jobs as `squeue -o FORMAT` lists them; lines in another shape are left out."""
    for line in text.splitlines():
        fields = line.strip().split("|", 4)
        if len(fields) == 5:
            job, state, host, end, reason = fields
            yield _state(job, state, reason="" if reason == "None" else reason, host=host, end=end)


def parse_sacct(text: str) -> Iterator[JobState]:
    """Jobs, without their steps, as `sacct -n -P -o JobID,State` lists them."""
    for line in text.splitlines():
        job, _, state = line.strip().partition("|")
        if state and "." not in job:
            yield _state(job, state)


def _state(job: str, state: str, *, reason: str = "", host: str = "", end: str = "") -> JobState:
    word = state.partition(" ")[0].rstrip("+")  # 'CANCELLED by 1000'
    if word in _QUEUED:
        return JobState(job, Phase.QUEUED, reason)
    if word in _RUNNING:
        return JobState(job, Phase.RUNNING, reason, host, _time(end))
    if word == "COMPLETING":
        return JobState(job, Phase.ENDING, reason, host)
    words = f"{state} ({reason})" if reason else state
    return JobState(job, Phase.ENDED, words, host, end=_ENDS.get(word, End.UNKNOWN))


def _time(text: str) -> float | None:
    """SLURM prints local time without a zone, and words where there is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
