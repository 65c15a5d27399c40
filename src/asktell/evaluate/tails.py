"""Metrics and logs of an attempt, read while they are written and when it is over."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from asktell.metrics import parse

Metrics = tuple[tuple[float, str, float], ...]

LOG_TAIL_BYTES = 4000
METRICS_KEPT = 10_000


class MetricsTail:
    """Follows a metrics file; keeps the last `METRICS_KEPT` entries of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._kept: deque[tuple[float, str, float]] = deque(maxlen=METRICS_KEPT)
        self._count = 0

    def read(self) -> Metrics:
        """Entries of the complete lines that were added since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return ()
        found: list[tuple[float, str, float]] = []
        for line in lines:
            if not line.endswith(b"\n"):  # it is being written
                break
            self._offset += len(line)
            found += parse(line)
        self._kept += found
        self._count += len(found)
        return tuple(found)

    @property
    def kept(self) -> Metrics:
        return tuple(self._kept)

    @property
    def note(self) -> str:
        """What to tell a person, or ''."""
        if self._count <= METRICS_KEPT:
            return ""
        return f"[asktell: {self._count} metrics were logged, the last {METRICS_KEPT} are kept]\n"


def log_tail(directory: Path) -> str:
    """The end of stdout and stderr, 4 kB in all, stderr last."""
    stdout, stderr = (_end_of(directory / name) for name in ("stdout", "stderr"))
    if stdout and stderr:
        half = LOG_TAIL_BYTES // 2
        stderr = stderr[-max(half, LOG_TAIL_BYTES - len(stdout)) :]
        stdout = stdout[-(LOG_TAIL_BYTES - len(stderr)) :]
        return f"{_text(stdout)}\n--- stderr\n{_text(stderr)}"
    return _text(stdout or stderr)


def stderr_tail(directory: Path, size: int = 2000) -> str:
    return _text(_end_of(directory / "stderr")[-size:]).strip()


def _end_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_TAIL_BYTES))
            return file.read()
    except FileNotFoundError:
        return b""


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
