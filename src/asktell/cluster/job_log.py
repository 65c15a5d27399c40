"""jobs.jsonl: every submission, its intention first, so that no job is forgotten when a driver dies.

{"name": "s3-1", "session": 3, "fingerprint": "9c1e...", "kind": "slurm", "at": ...}   before a submission
{"name": "s3-1", "job": "4711"}                              after it
{"name": "s3-1", "refused": "..."}                           or it failed
{"job": "4711", "ended": "cancelled", "reason": "..."}       when it is known to have ended
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asktell.cluster.queues import JobState
from asktell.durable import write_all


@dataclass(slots=True)
class Submission:
    """One submission. job: '' while nobody knows whether it came to anything.

    kind: of the batch system; 'step': of the driver's own job.
    """

    name: str
    session: int
    fingerprint: str
    kind: str = ""
    job: str = ""
    is_over: bool = False


class JobLog:
    """The file, for its one writer: the driver that holds the study."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Submission]:
        """Every submission so far, oldest first; a line that a crash has cut is left out."""
        found: dict[str, Submission] = {}
        by_job: dict[str, Submission] = {}
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        for line in lines:
            try:
                data = json.loads(line)
            except ValueError:
                continue
            if "session" in data:
                shape, kind = data["fingerprint"], data.get("kind", "")
                found[data["name"]] = Submission(data["name"], data["session"], shape, kind)
            elif "ended" in data and data["job"] in by_job:
                by_job[data["job"]].is_over = True
            elif "refused" in data and data["name"] in found:
                found[data["name"]].is_over = True
            elif "job" in data and data.get("name") in found:
                found[data["name"]].job = data["job"]
                by_job[data["job"]] = found[data["name"]]
        return list(found.values())

    def intend(self, name: str, session: int, fingerprint: str, kind: str = "") -> None:
        """A job is about to be submitted."""
        marks = {"name": name, "session": session, "fingerprint": fingerprint, "kind": kind}
        self._append({**marks, "at": time.time()})

    def submitted(self, name: str, job: str) -> None:
        """It was."""
        self._append({"name": name, "job": job})

    def refused(self, name: str, words: str) -> None:
        """It was not."""
        self._append({"name": name, "refused": words})

    def ended(self, state: JobState) -> None:
        """It is over."""
        self._append({"job": state.id, "ended": state.end.value, "reason": state.reason, "at": time.time()})

    def _append(self, data: Mapping[str, object]) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            is_cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            write_all(descriptor, (("\n" if is_cut else "") + json.dumps(data) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
