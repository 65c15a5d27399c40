"""Runs a batch system's commands, and reads what they say when they refuse."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from asktell.cluster.environment import scrubbed
from asktell.cluster.queues.protocol import QueueSilent, SubmitRefused

logger = logging.getLogger(__name__)

TIMEOUT_S = 60.0
"""A loaded controller takes its time; longer than this means that nobody is there."""

_PERMANENT = re.compile(
    r"invalid account|invalid partition|invalid qos|invalid generic resource|invalid feature"
    r"|invalid --|invalid time limit|unrecognized option|invalid option|illegal option|unknown option"
    r"|requested node configuration is not available|memory specification can not be satisfied"
    r"|requested time limit is invalid|requested partition configuration not available"
    r"|user's group not permitted|not permitted to use this partition|access/permission denied"
    r"|unable to open file|does not look like a batch script|command not found|no such file or directory"
    r"|unknown queue|queue .*does not exist|unauthorized request|illegal attribute or resource value"
    r"|unknown resource|job exceeds queue|job violates queue|bad uid|permission denied"
    r"|script file.*not found|project .*not found|no suitable queues|unknown argument",
    re.IGNORECASE,
)
_TRANSIENT = re.compile(
    r"unable to contact|socket timed? ?out|connection (refused|timed out|reset)|communication|temporarily"
    r"|try again|too many|maximum number of|submitjob|maxsubmit|would exceed|job_limit|server is busy",
    re.IGNORECASE,
)

_SPEAKER = re.compile(r"[\w.-]+: (error: )?")
"""What each line of a complaint begins with: 'sbatch: error: '."""

_UNANSWERED = re.compile(r"timed? ?out|send/recv|connection reset|zero bytes", re.IGNORECASE)
"""The request may have arrived, and only its answer be lost."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """What it said for people, in one line."""
        text = self.err.strip() or self.out.strip() or f"exit code {self.code}"
        first, *others = (" ".join(line.split()) for line in text.splitlines() if line.strip())
        speaker = _SPEAKER.match(first)
        prefix = speaker[0] if speaker else ""
        return "; ".join([first, *(line.removeprefix(prefix) for line in others)])[:500]


def ask(argv: Sequence[str], *, cwd: Path | None = None, stdin: str | None = None) -> Answer:
    """Run a command of the batch system. Raises QueueSilent when it cannot be run or does not return."""
    try:
        done = subprocess.run(
            argv,
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            cwd=cwd,
            # Their words are parsed, and their times.
            env={**scrubbed(os.environ), "LC_ALL": "C"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise QueueSilent(f"{argv[0]}: {error}") from error
    answer = Answer(done.returncode, done.stdout, done.stderr)
    if answer.code:
        logger.debug("%s: exit code %d: %s", " ".join(argv), answer.code, answer.words)
    return answer


def submit(argv: Sequence[str], script: Path, job_id: re.Pattern[str], *, by_stdin: bool = False) -> str:
    """Submit a script from its own folder; returns what `job_id`'s group finds in the answer.

    PBS leaves files in the folder it is called from, so that has to be one the user can write; its front
    end over SLURM loses what follows a space in a path, so the script is named without one.
    Raises SubmitRefused.
    """
    try:
        stdin = script.read_text(encoding="utf-8") if by_stdin else None
        answer = ask(argv if by_stdin else [*argv, script.name], cwd=script.parent, stdin=stdin)
    except QueueSilent as error:
        is_missing = isinstance(error.__cause__, FileNotFoundError)
        words = f"{error}; is this a machine from which jobs are submitted?" if is_missing else str(error)
        has_run = isinstance(error.__cause__, subprocess.TimeoutExpired)
        raise SubmitRefused(words, is_permanent=is_missing, is_doubtful=has_run) from error
    found = job_id.search(answer.out)
    if answer.code or found is None:
        words = answer.words if answer.words.startswith(argv[0]) else f"{argv[0]}: {answer.words}"
        is_doubtful = _UNANSWERED.search(words) is not None or not answer.code
        raise SubmitRefused(words, is_permanent=is_permanent(words), is_doubtful=is_doubtful)
    return found[1]


def cancel(argv: Sequence[str], ids: Collection[str]) -> None:
    """Cancel jobs. A refusal is only noted: some may have ended already, and who must know looks."""
    answer = ask([*argv, *ids])
    if answer.code:
        logger.info("%s: %s", argv[0], answer.words)


def is_permanent(words: str) -> bool:
    """Whether a refusal in these words will be repeated for ever. What is not known may pass."""
    return _TRANSIENT.search(words) is None and _PERMANENT.search(words) is not None
