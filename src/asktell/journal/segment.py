"""Segments: append-only files of checksummed lines, each with one writer and any number of readers."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import socket
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from asktell.durable import make_folder, sync, write_all
from asktell.errors import JournalError
from asktell.records import Record, decode, encode

_CRC_WIDTH = 8

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that cannot be what was written. line: 1-based; byte: its offset; following: the next line's."""

    path: Path
    line: int
    byte: int
    following: int

    def __str__(self) -> str:
        return f"{self.path}: line {self.line} (byte {self.byte}) is damaged"


@dataclass(frozen=True, slots=True)
class Reading:
    """The good lines of a segment, by byte offset, up to `end` or to the first damaged line."""

    records: tuple[tuple[int, Record], ...]
    end: int
    damage: Damage | None = None


class Segment:
    """One process's own file. Once `append` has returned, the record outlives a power failure."""

    def __init__(self, path: Path, descriptor: int, end: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._end = end
        self._refusal = ""

    @property
    def name(self) -> str:
        """The file's name without its ending: no other process ever has the same."""
        return self.path.stem

    @classmethod
    def create(cls, folder: Path, who: str) -> Segment:
        """A fresh segment `<who>-<host>-<pid>-<hex>.jsonl`; `folder` is made where it is missing."""
        make_folder(folder)
        host = re.sub(r"[^A-Za-z0-9.]+", "_", socket.gethostname())
        path = folder / f"{who}-{host}-{os.getpid()}-{secrets.token_hex(3)}.jsonl"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        sync(folder)
        return cls(path, descriptor, 0)

    def append(self, record: Record) -> None:
        """Make one record durable; raises JournalError where it is not."""
        self.append_many((record,))

    def append_many(self, records: Iterable[Record]) -> None:
        """Make the records durable together, in order, at the price of one fsync.

        After a JournalError none of them is in the segment. Where even that cannot be had, the
        segment refuses all that follows: a good line after a torn one would read as damage.
        """
        if self._refusal:
            raise JournalError(self._refusal)
        data = b"".join(map(to_line, records))
        try:
            write_all(self._descriptor, data)
            os.fsync(self._descriptor)
        except OSError as error:
            self._take_back(error)
            raise JournalError(
                f"{self.path}: cannot be written ({error}); make room or mend the file system, then resume"
            ) from error
        self._end += len(data)

    def _take_back(self, cause: OSError) -> None:
        try:
            os.ftruncate(self._descriptor, self._end)
            os.fsync(self._descriptor)
        except OSError as error:
            self._refusal = f"{self.path}: closed after a failed write ({cause}; truncating it: {error})"

    def close(self) -> None:
        """Give the file back; idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._refusal = f"{self.path}: the segment is closed"


def to_line(record: Record) -> bytes:
    """The record as it stands in a segment."""
    data = json.dumps(encode(record), separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(data), data)


def read_segment(path: Path, start: int = 0, end: int | None = None) -> Reading:
    """The records between two byte offsets; a torn last line is left out.

    end: None, or a byte at which a line ends. Raises JournalError when the file is shorter, or
    holds a record that this version does not know.
    """
    records: list[tuple[int, Record]] = []
    position, broken = start, -1
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if end is not None and position >= end:
                break
            if broken >= 0:
                return Reading(tuple(records), broken, _damage(path, broken, position))
            record = parse_line(line, path, position)
            if record is None:
                broken = position
            else:
                records.append((position, record))
            position += len(line)
    good = position if broken < 0 else broken
    if end is not None and good != end:
        if broken >= 0:
            return Reading(tuple(records), broken, _damage(path, broken, position))
        raise JournalError(
            f"{path}: ends at byte {good}, but {end} bytes of it were relied upon; restore the file"
        )
    return Reading(tuple(records), good)


def segments(folder: Path, prefix: str) -> list[Path]:
    """The segments whose names begin with `<prefix>-`, sorted; other files are left alone."""
    if not folder.is_dir():
        return []
    names = (name for name in os.listdir(folder) if name.startswith(f"{prefix}-") and name.endswith(".jsonl"))
    return [folder / name for name in sorted(names)]


class Tail:
    """Follows other processes' segments while they grow."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.damage: list[Damage] = []
        self._folder = folder
        self._prefix = prefix
        self._ends: dict[str, int] = {}
        self._suspects: set[tuple[str, int]] = set()

    def new(self) -> list[tuple[str, Record]]:
        """What was written since the last call, each with its source, 'SEGMENT:BYTE'.

        A line that does not check is looked at again at the next call, for a network file system
        may show a file's new size before its contents; it is damage when it is still bad then.
        """
        found: list[tuple[str, Record]] = []
        for path in segments(self._folder, self._prefix):
            start = self._ends.get(path.name, 0)
            if path.stat().st_size <= start:
                continue
            reading = read_segment(path, start)
            found += [(f"{path.name}:{byte}", record) for byte, record in reading.records]
            self._ends[path.name] = reading.end
            if reading.damage:
                self._judge(reading.damage)
        return found

    def _judge(self, damage: Damage) -> None:
        suspect = (damage.path.name, damage.byte)
        if suspect not in self._suspects:
            self._suspects.add(suspect)
            return
        logger.warning("%s; the line is passed over", damage)
        self.damage.append(damage)
        self._ends[damage.path.name] = damage.following


def parse_line(line: bytes, path: Path, byte: int) -> Record | None:
    """The record of a line, None where the line is torn or damaged; `path` and `byte` are for messages."""
    data = line[_CRC_WIDTH + 1 : -1]
    if not line.endswith(b"\n") or line[: _CRC_WIDTH + 1] != b"%08x " % zlib.crc32(data):
        return None
    try:
        return decode(json.loads(data))
    except (JournalError, ValueError) as error:
        raise JournalError(f"{path}: byte {byte}: {error}; a newer asktell may have written it") from error


def _damage(path: Path, byte: int, following: int) -> Damage:
    with path.open("rb") as file:
        line = file.read(byte).count(b"\n") + 1
    return Damage(path, line, byte, following)
