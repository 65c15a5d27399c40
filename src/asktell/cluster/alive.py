"""Signs of life: DIR/alive/<host>-<pid>-<hex>.json, one for each attempt that runs in a batch job.

A worker in a batch job may finish an evaluation after its driver has gone. It beats meanwhile, so that the
next driver waits for the result instead of running the attempt again.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

BEAT_S = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which attempt runs. token: what its report will carry."""

    number: int
    attempt: int
    token: str


class SignOfLife:
    """Beats from entry to exit of a `with` block; the file is gone afterwards."""

    def __init__(self, folder: Path, attempt: Attempt, job: str) -> None:
        self._attempt = attempt
        self._host = socket.gethostname()
        self._job = job
        name = re.sub(r"[^A-Za-z0-9.]+", "_", self._host)
        self._path = folder / f"{name}-{os.getpid()}-{secrets.token_hex(4)}.json"
        self._beats = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="asktell-alive", daemon=True)

    def __enter__(self) -> Self:
        self._path.parent.mkdir(exist_ok=True)
        draft = self._path.with_suffix(".draft")
        self._write(draft, os.O_CREAT | os.O_EXCL)
        draft.rename(self._path)  # who looks at the folder sees no file that is still empty
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def _work(self) -> None:
        while not self._closing.wait(BEAT_S):
            try:
                self._write(self._path)
            except FileNotFoundError:
                return  # a driver has given this attempt up; whoever reports first counts
            except OSError as error:
                logger.warning("trial %d: its sign of life cannot be given: %s", self._attempt.number, error)

    def _write(self, path: Path, flags: int = 0) -> None:
        """Write in place: a network file system shows that sooner than a file of the same name."""
        self._beats += 1
        marks = {
            "number": self._attempt.number,
            "attempt": self._attempt.attempt,
            "token": self._attempt.token,
            "beat": self._beats,
            "host": self._host,
            "job": self._job,
        }
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o644)
        try:
            os.pwrite(descriptor, json.dumps(marks).encode() + b"\n", 0)
        finally:
            os.close(descriptor)


def attempt_of(content: bytes) -> Attempt | None:
    """The attempt that a sign of life belongs to; None where it is none."""
    try:
        marks = json.loads(content)
        return Attempt(int(marks["number"]), int(marks["attempt"]), str(marks["token"]))
    except (ValueError, KeyError, TypeError):
        return None
