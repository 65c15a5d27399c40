"""PBS: OpenPBS and PBS Pro (`qstat -x -f -F json`), Torque and front ends to other systems (`qstat -f`)."""

from __future__ import annotations

import getpass
import json
import re
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from asktell.cluster.queues import commands
from asktell.cluster.queues.protocol import End, JobState, Phase, QueueSilent

Attributes = Mapping[str, object]

_JOB_ID = re.compile(r"^(\d+(?:\[\d*\])?(?:\.[\w.-]+)?)\s*$", re.MULTILINE)
_NOT_UNDERSTOOD = re.compile(r"usage:|(unknown|illegal|invalid|unrecognized) option", re.IGNORECASE)
_FORGOTTEN = re.compile(r"unknown job|job has finished", re.IGNORECASE)
_FORGOTTEN_CODES = {153, 35}
_PHASES = {
    **dict.fromkeys("QHWTM", Phase.QUEUED),
    **dict.fromkeys("RSUB", Phase.RUNNING),
    "E": Phase.ENDING,
    **dict.fromkeys("FXC", Phase.ENDED),
}
_ENDS = {
    "0": End.COMPLETED,
    "-26": End.OUT_OF_MEMORY,  # JOB_EXEC_KILL_VMEM
    "-27": End.OUT_OF_MEMORY,  # JOB_EXEC_KILL_MEM
    "-29": End.TIMEOUT,  # JOB_EXEC_KILL_WALLTIME
}
_TORQUE_ENDS = {"-10": End.OUT_OF_MEMORY, "-11": End.TIMEOUT}
"""JOB_EXEC_OVERLIMIT_MEM and _WT; in OpenPBS these numbers mean something else."""
_TERMINATED = "91"  # OpenPBS's substate of a job that `qdel` ended
_SIGNALLED = 256  # exit codes beyond it: ended by a signal, whose number was added


class PbsQueue:
    """A PBS server, through its commands; finds out which of them it understands."""

    can_list = True

    def __init__(self) -> None:
        self._ways: list[tuple[Sequence[str], Callable[[str], Iterator[JobState]]]] = [
            (("-x", "-f", "-F", "json"), parse_json),
            (("-x", "-f"), parse_text),
            (("-f",), parse_torque),
        ]

    def jobs(self, ids: Collection[str]) -> Mapping[str, JobState]:
        if not ids:
            return {}
        return {state.id: state for state in self._stat(ids)}

    def _stat(self, ids: Collection[str]) -> list[JobState]:
        while True:
            options, parse = self._ways[0]
            answer = commands.ask(["qstat", *options, *ids])
            if _is_told(answer):
                try:
                    return list(parse(answer.out))
                except ValueError:  # NOTE: some releases do not escape what users put into their variables
                    if len(self._ways) == 1:
                        raise QueueSilent(f"qstat: not understood: {answer.out[:200]!r}") from None
            elif not _NOT_UNDERSTOOD.search(answer.err + answer.out) or len(self._ways) == 1:
                raise QueueSilent(f"qstat: {answer.words}")
            self._ways.pop(0)

    def named(self, name: str) -> Sequence[str]:
        user = getpass.getuser()
        try:
            answer = commands.ask(["qselect", "-u", user, "-N", name])
        except QueueSilent:  # not every front end has it
            answer = commands.ask(["qstat", "-f"])
            if not _is_told(answer):
                raise QueueSilent(f"qstat: {answer.words}") from None
            return [
                job
                for job, found in _records(answer.out)
                if found.get("Job_Name") == name
                and str(found.get("Job_Owner")).partition("@")[0] == user
                and _PHASES.get(str(found.get("job_state"))) in (Phase.QUEUED, Phase.RUNNING)
            ]
        if answer.code:
            raise QueueSilent(f"qselect: {answer.words}")
        return answer.out.split()

    def submit(self, script: Path, after: str = "") -> str:
        waits = ["-W", f"depend=afterany:{after}"] if after else []
        return commands.submit(["qsub", *waits], script, _JOB_ID)

    def cancel(self, ids: Collection[str]) -> None:
        commands.cancel(["qdel"], ids)


def parse_json(text: str) -> Iterator[JobState]:
    """Jobs as `qstat -x -f -F json` lists them. Raises ValueError on what is no JSON."""
    jobs = json.loads(text).get("Jobs", {}) if text.strip() else {}
    for job, found in jobs.items():
        yield _state(job, found, _ENDS)


def parse_text(text: str) -> Iterator[JobState]:
    """Jobs as OpenPBS's `qstat -x -f` lists them."""
    for job, found in _records(text):
        yield _state(job, found, _ENDS)


def parse_torque(text: str) -> Iterator[JobState]:
    """Jobs as Torque's `qstat -f` lists them, and front ends of its kind."""
    for job, found in _records(text):
        yield _state(job, found, {**_ENDS, **_TORQUE_ENDS})


def _records(text: str) -> Iterator[tuple[str, Attributes]]:
    """`Job Id: 12.server`, then indented `name = value` lines; long values go on after a tab."""
    # A line that goes on starts with a tab; so do a front end's attributes, which hold an ' = ' as well.
    for part in re.split(r"^Job Id:\s*", text, flags=re.MULTILINE)[1:]:
        job, _, body = part.partition("\n")
        pairs = re.findall(r"^\s+([\w.]+) = (.*)$", body, flags=re.MULTILINE)
        yield job.strip(), dict(pairs)


def _state(job: str, found: Attributes, ends: Mapping[str, End]) -> JobState:
    phase = _PHASES.get(str(found.get("job_state")), Phase.UNKNOWN)
    host = re.split(r"[/+.(]", str(found.get("exec_host", "")))[0]
    comment = str(found.get("comment", "")).strip()
    if phase is not Phase.ENDED:
        ends_at = _ends_at(found) if phase is Phase.RUNNING else None
        return JobState(job, phase, comment if phase is Phase.QUEUED else "", host, ends_at)
    code = str(found.get("Exit_status", found.get("exit_status", "")))
    end = ends.get(code, End.FAILED if code else End.UNKNOWN)
    words = [f"exit status {code}"] if code else []
    if code.isdigit() and int(code) > _SIGNALLED:
        number = int(code) - _SIGNALLED
        words = [
            f"ended by {signal.Signals(number).name if number in set(signal.Signals) else f'signal {number}'}"
        ]
        end = End.CANCELLED if number == signal.SIGTERM else End.FAILED
    if str(found.get("substate")) == _TERMINATED and end is not End.TIMEOUT:
        end = End.CANCELLED
    return JobState(job, phase, "; ".join([*words, *([comment] if comment else [])]), host, end=end)


def _ends_at(found: Attributes) -> float | None:
    resources = found.get("Resource_List")
    nested = resources.get("walltime") if isinstance(resources, Mapping) else None
    walltime = nested or found.get("Resource_List.walltime")
    started = found.get("stime") or found.get("start_time")
    if walltime is None or started is None:
        return None
    try:
        began = time.mktime(time.strptime(str(started)))
        parts = [int(part) for part in str(walltime).split(":")]
    except ValueError:
        return None
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + part
    return began + seconds


def _is_told(answer: commands.Answer) -> bool:
    return answer.code == 0 or _is_forgotten(answer)


def _is_forgotten(answer: commands.Answer) -> bool:
    """Some of the jobs asked for are not known any more; the others are listed all the same."""
    return answer.code in _FORGOTTEN_CODES or _FORGOTTEN.search(answer.err) is not None
