"""Which batch job this process belongs to, and when that ends, as far as the batch system says."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from asktell.job_id import job_id

_END_TIMES = ("ASKTELL_ENDS_AT", "SLURM_JOB_END_TIME")  # Unix seconds
_WALLTIMES = ("PBS_WALLTIME", "OAR_JOB_WALLTIME_SECONDS")  # seconds from the job's start
_QUERY_TIMEOUT_S = 20.0

logger = logging.getLogger(__name__)

Ask = Callable[[Sequence[str]], str]
"""Runs a command and returns what it wrote, '' where it failed."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """A batch job. job: its number, '' outside of any; ends_at: Unix seconds, None where nobody knows."""

    job: str
    ends_at: float | None


def ask(command: Sequence[str]) -> str:
    """What a batch system's command answers; '' where it does not, with the reason in the log."""
    environment = {**os.environ, "LC_ALL": "C", "SLURM_TIME_FORMAT": "%s"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_QUERY_TIMEOUT_S,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        logger.warning("%s: %s", " ".join(command), getattr(error, "stderr", None) or error)
        return ""
    return done.stdout


def find(environ: Mapping[str, str], now: float | None = None, ask: Ask = ask) -> Allocation:
    """The job that this environment is of. now: Unix seconds, by default the present."""
    now = time.time() if now is None else now
    return Allocation(job_id(environ), _ends_at(environ, now, ask))


def _ends_at(environ: Mapping[str, str], now: float, ask: Ask) -> float | None:
    for name in _END_TIMES:
        if (end := _number(environ.get(name, ""))) is not None:
            return end
    if slurm := environ.get("SLURM_JOB_ID"):
        # Answers in Unix seconds (`SLURM_TIME_FORMAT`), or with a word where there is no limit.
        if (end := _number(ask(["squeue", "--noheader", f"--jobs={slurm}", "--format=%e"]))) is not None:
            return end
    elif pbs := environ.get("PBS_JOBID"):
        answer = ask(["qstat", "-f", pbs])
        limit, used = (_seconds(answer, f"{kind}.walltime") for kind in ("Resource_List", "resources_used"))
        if limit is not None:
            return now + limit - (used or 0.0)
    for name in _WALLTIMES:
        if (walltime := _number(environ.get(name, ""))) is not None:
            return now + walltime
    return None


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*\d+(\.\d+)?\s*", text) else None


def _seconds(answer: str, name: str) -> float | None:
    """A time of `qstat -f`: [[hours:]minutes:]seconds."""
    found = re.search(rf"^\s*{re.escape(name)} = ([\d:]+)\s*$", answer, re.MULTILINE)
    if found is None:
        return None
    seconds = 0
    for part in found[1].split(":"):
        seconds = 60 * seconds + int(part)
    return float(seconds)
