"""A job's first process: it starts one process for each slot and takes care of them until all have ended.

Slots live and die with it: each holds the other end of a pipe, whose end-of-file means that this process is
gone. Signals that a batch system sends to this process alone reach the slots through it.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType

from asktell.cluster import last_words
from asktell.cluster.last_words import LastWords
from asktell.directory import StudyDirectory
from asktell.job.allocation import Allocation

AGAIN = 75
"""Exit code of a slot that wants to begin afresh: another driver is there for it to join."""

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)
"""Signals that announce the end of a job (SLURM, PBS as configured; Grid Engine's -notify; LSF)."""
_ENDINGS = (signal.SIGTERM, signal.SIGINT)

_MAX_CRASHES = 3
_PATIENCE_S = 60.0  # of slots that were told to end; batch systems have less

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the processes of a job are told.

    address: of the scheduler for which the job was submitted, where none is announced; number: of the
    slot within the job; started_at, ends_at: of the job, Unix seconds; scratch: a folder on the node;
    death_timeout_s: how long to look for a driver.
    """

    study: str
    address: str
    name: str
    workers: int
    death_timeout_s: float
    scratch: str
    job: str = ""
    ends_at: float | None = None
    started_at: float = 0.0
    number: int = 0

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Plan:
        return cls(**json.loads(line))


@dataclass(slots=True)
class _Slot:
    plan: Plan
    process: subprocess.Popen[bytes]
    crashes: int = 0


class Crew:
    """The processes of one job."""

    def __init__(self, plan: Plan, allocation: Allocation) -> None:
        self._directory = StudyDirectory(Path(plan.study))
        self._plan = replace(plan, job=allocation.job, ends_at=allocation.ends_at, started_at=time.time())
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._slots: list[_Slot] = []
        self._exit_code = 0
        self._kill_at: float | None = None

    def run(self) -> int:
        """Work until every slot has ended; the job's exit code."""
        for heard in (*_ENDINGS, *WARNINGS, signal.SIGCHLD):
            signal.signal(heard, self._hear)
        if self._plan.job:
            last_words.forget(self._directory, self._plan.job)
        try:
            scratch = private_folder(Path(self._plan.scratch))
        except OSError as error:
            logger.error("no scratch on this node: %s; cluster.local_directory names another folder", error)
            return 1
        try:
            for number in range(self._plan.workers):
                plan = replace(self._plan, number=number, scratch=str(scratch))
                self._slots.append(_Slot(plan, _start(plan)))
            while self._slots:
                self._turn()
        finally:
            for slot in self._slots:
                slot.process.kill()
        return self._exit_code

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._signals.put(number)

    def _turn(self) -> None:
        """Wait for something to happen, and see to it."""
        left_s = None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
        try:
            number = self._signals.get(timeout=left_s)
        except queue.Empty:
            logger.warning("slots %s do not end: killing them", [slot.plan.number for slot in self._slots])
            self._kill_at = None
            self._send(signal.SIGKILL)
            return
        if number in _ENDINGS:
            self._end(signal.Signals(number))
        elif number in WARNINGS:
            self._send(signal.SIGUSR1)
        for slot in list(self._slots):
            if slot.process.poll() is not None:
                self._slots.remove(slot)
                self._replace(slot)

    def _end(self, number: signal.Signals) -> None:
        if self._exit_code > 128:
            return  # batch systems repeat themselves
        self._exit_code = 128 + number
        self._kill_at = time.monotonic() + _PATIENCE_S
        self._send(signal.SIGTERM)
        if not self._plan.job:
            return
        words = LastWords(number.name, time.time(), self._plan.ends_at, socket.gethostname())
        try:
            last_words.write(self._directory, self._plan.job, words)
        except OSError as error:
            logger.warning("the job's last words cannot be written: %s", error)

    def _send(self, number: int) -> None:
        for slot in self._slots:
            slot.process.send_signal(number)

    def _replace(self, slot: _Slot) -> None:
        """Start a slot again that wants it, or that somebody killed; leave it at that if it has ended."""
        code = slot.process.returncode
        assert slot.process.stdin is not None
        slot.process.stdin.close()
        if self._exit_code > 128:
            return
        crashes = slot.crashes + (code < 0)
        if code == AGAIN or (code < 0 and crashes <= _MAX_CRASHES):
            if code < 0:
                logger.warning("slot %d was killed by signal %d: starting it again", slot.plan.number, -code)
            self._slots.append(_Slot(slot.plan, _start(slot.plan), crashes))
        else:
            self._exit_code = max(self._exit_code, 1 if code < 0 else code)


def private_folder(base: Path) -> Path:
    """A folder below `base` that is this user's own, the same for all jobs on a node.

    There dask finds and removes what workers that were killed have left.
    """
    base.mkdir(parents=True, exist_ok=True)
    folder = base / f"asktell-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077:
        return folder
    return Path(tempfile.mkdtemp(prefix="asktell-", dir=base))  # somebody else took the name


def _start(plan: Plan) -> subprocess.Popen[bytes]:
    # Held back until the slot listens: a warning would kill a process that does not know the signal.
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, WARNINGS)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "asktell.job.slot"], stdin=subprocess.PIPE, bufsize=0
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
    assert process.stdin is not None
    process.stdin.write(plan.encode())
    return process
