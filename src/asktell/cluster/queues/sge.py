"""Grid Engine: `qstat -xml` for what waits or runs, `qacct -j` for how a job ended."""

from __future__ import annotations

import getpass
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from asktell.cluster.queues import commands
from asktell.cluster.queues.protocol import End, JobState, Phase, QueueSilent

_JOB_ID = re.compile(r"^Your job (\d+) ", re.MULTILINE)
_LIMIT_ENFORCED = "44"  # sge_execd killed it over h_rt
_AFTER_JOB = "100"  # 'assumedly after job': it was killed by a signal
_KILLED = 137


class GridEngineQueue:
    """A Grid Engine master, through its commands."""

    can_list = True

    def jobs(self, ids: Collection[str]) -> Mapping[str, JobState]:
        if not ids:
            return {}
        found = {state.id: state for _, state in self._listed() if state.id in ids}
        for job in ids:
            if job not in found and (record := self._recorded(job)) is not None:
                found[job] = record
        return found

    def _listed(self) -> list[tuple[str, JobState]]:
        answer = commands.ask(["qstat", "-xml", "-u", getpass.getuser()])
        if answer.code:
            raise QueueSilent(f"qstat: {answer.words}")
        try:
            return list(parse_xml(answer.out))
        except ElementTree.ParseError as error:
            raise QueueSilent(f"qstat -xml: {error}") from error

    def _recorded(self, job: str) -> JobState | None:
        """The accounting record; it comes some seconds late, and not every site lets users read it."""
        answer = commands.ask(["qacct", "-j", job])
        return parse_account(job, answer.out) if answer.code == 0 else None

    def named(self, name: str) -> Sequence[str]:
        return [state.id for called, state in self._listed() if called == name]

    def submit(self, script: Path, after: str = "") -> str:
        waits = ["-hold_jid", after] if after else []
        return commands.submit(["qsub", *waits], script, _JOB_ID)

    def cancel(self, ids: Collection[str]) -> None:
        commands.cancel(["qdel"], ids)


def parse_xml(text: str) -> Iterator[tuple[str, JobState]]:
    """(name, job) as `qstat -xml` lists them. Raises ElementTree.ParseError on what is no XML."""
    for item in ElementTree.fromstring(text).iter("job_list"):
        job, state = item.findtext("JB_job_number", ""), item.findtext("state", "")
        host = item.findtext("queue_name", "").partition("@")[2]
        yield item.findtext("JB_name", ""), JobState(job, _phase(state), _reason(state), host)


def _phase(state: str) -> Phase:
    if "d" in state:
        return Phase.ENDING
    if "q" in state or "h" in state:
        return Phase.QUEUED
    return Phase.RUNNING  # r, t, s, S, T


def _reason(state: str) -> str:
    if "E" in state:
        return f"{state}: an error keeps it from starting; `qstat -j` says which"
    return "" if state in ("r", "t") else state


def parse_account(job: str, text: str) -> JobState | None:
    """How a job ended by the last record of `qacct -j`."""
    found = dict(re.findall(r"^(\w+)\s+(.*?)\s*$", text, flags=re.MULTILINE))
    if "exit_status" not in found:
        return None
    code = found["exit_status"].partition(" ")[0]
    failed = found.get("failed", "0")
    number = failed.partition(" ")[0]
    if found.get("deleted_by", "NONE") not in ("NONE", ""):
        end = End.CANCELLED
    elif number == _LIMIT_ENFORCED:
        end = End.TIMEOUT
    elif number not in ("0", _AFTER_JOB) or code != "0":
        # Over h_rt or h_vmem, and after qdel, it is a SIGKILL alike.
        end = End.UNKNOWN if code == str(_KILLED) else End.FAILED
    else:
        end = End.COMPLETED
    words = f"exit status {code}" + (f"; failed {failed}" if number != "0" else "")
    return JobState(job, Phase.ENDED, words, found.get("hostname", ""), end=end)
