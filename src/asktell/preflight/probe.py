"""What the preflight runs on a worker: looks at everything a trial would need there, and tries it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asktell.config import from_resolved
from asktell.evaluate import Presence
from asktell.preflight import machine
from asktell.trial import Params
from asktell.versions import installed
from asktell.worker import evaluator_of

FROM_DRIVER, FROM_WORKER = "from-driver", "from-worker"
"""Files in the study directory by which driver and worker see each other's writing."""
SEE_S = 60.0
"""Network file systems show a new file after so long at the latest, or do not share it."""
IMPORT_S = 600.0


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that is written to. error: why that failed, or ''. free_bytes: 0 where unknown."""

    path: str
    error: str = ""
    file_system: str = ""
    free_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """A worker as it found itself. seen_after_s: how long it took until the driver's file was there."""

    host: str
    python: str
    executable: str
    versions: Mapping[str, str]
    share: machine.Share
    study: Place
    seen_after_s: float
    scratch: Place
    presence: Presence


def probe(study_dir: str, config: str, params: Params, scratch: str, word: str) -> Facts:
    """Look around on this worker.

    config: the resolved configuration as JSON; params: a point whose command is looked for; scratch:
    the worker's own folder; word: what the driver has written, and what is written for it.
    """
    study = from_resolved(json.loads(config))
    seen_after_s, error = _exchange(Path(study_dir), word)
    with evaluator_of(study, Path(study_dir)) as evaluator:
        presence = evaluator.look(params, IMPORT_S)
    return Facts(
        host=socket.gethostname(),
        python=platform.python_version(),
        executable=sys.executable,
        versions=installed(),
        share=machine.share(),
        study=_place(Path(study_dir), error),
        seen_after_s=seen_after_s,
        scratch=_place(Path(scratch), _try_writing(Path(scratch))),
        presence=presence,
    )


def _exchange(directory: Path, word: str) -> tuple[float, str]:
    """Read the driver's file and write one for it, in the ways in which a study will: (seconds, error)."""
    began = time.monotonic()
    try:
        seen_after_s = await_word(directory / FROM_DRIVER, word, SEE_S)
        if seen_after_s is None:
            return SEE_S, f"what the driver wrote there was not to be seen for {SEE_S:g} s"
        draft = directory / f".{FROM_WORKER}"
        with draft.open("x") as file:
            file.write(word)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, directory / FROM_WORKER)  # a trial's fence and the study's lease are links
        draft.unlink()
    except OSError as error:
        return time.monotonic() - began, str(error)
    return seen_after_s, ""


def await_word(path: Path, word: str, within_s: float) -> float | None:
    """Seconds until the file holds the word; None if it does not by then."""
    began = time.monotonic()
    while not (path.is_file() and path.read_text() == word):
        if time.monotonic() - began > within_s:
            return None
        os.scandir(path.parent).close()  # makes some network file systems look again
        time.sleep(0.05)
    return time.monotonic() - began


def _try_writing(folder: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 20))
            file.flush()
    except OSError as error:
        return str(error)
    return ""


def _place(path: Path, error: str) -> Place:
    try:
        free_bytes = shutil.disk_usage(path).free
    except OSError:
        free_bytes = 0
    return Place(str(path), error, machine.file_system(path), free_bytes)
