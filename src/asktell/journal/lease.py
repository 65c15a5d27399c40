"""The lease: the driver segments themselves. Whoever links the segment of the next number holds it.

Each begins with the number of bytes of its predecessors that it stands on, so that whatever a
superseded driver still writes counts for nothing. The heartbeat says 'alive' and no more.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from asktell.durable import make_folder, sync, write_all
from asktell.errors import JournalError, StudyError, StudyLocked
from asktell.journal.segment import Segment, parse_line, read_segment, segments, to_line
from asktell.records import Closed, Opened, Record

HEARTBEAT = "heartbeat"
_DRIVER_NAME = re.compile(r"driver-(\d{6,})\.jsonl")
_TAIL_BYTES = 4096  # more than a `Closed` line takes


class DriverJournal:
    """The holder's end of the lease: its segment and its heartbeat."""

    def __init__(self, folder: Path, segment: Segment, opened: Opened) -> None:
        self.opened = opened
        self._folder = folder
        self._segment = segment
        self._beats = 0
        self._is_closed = False

    @property
    def token(self) -> int:
        return self.opened.token

    @property
    def path(self) -> Path:
        return self._segment.path

    def append(self, record: Record) -> None:
        """Make one record durable; see `Segment.append`."""
        self.append_many((record,))

    def append_many(self, records: Sequence[Record]) -> None:
        """Make several durable with one fsync; see `Segment.append_many`."""
        self._segment.append_many(records)
        self._is_closed = isinstance(records[-1], Closed) if records else self._is_closed

    def beat(self) -> None:
        """Tell the drivers of other hosts that this one is alive."""
        self._beats += 1
        partial = self._folder / f".{HEARTBEAT}-{self.token}"
        partial.write_text(f"{self.token} {self._beats}\n")
        partial.replace(self._folder / HEARTBEAT)

    def is_current(self) -> bool:
        """No other driver has taken the study over. Once false, for ever false: stop at once.

        Raises OSError where the folder cannot be looked at, or has not even this driver's own segment.
        """
        last = _last_token(self._folder)
        if last < self.token:
            raise FileNotFoundError(f"{self.path} is not there any more")
        return last == self.token

    def close(self) -> None:
        """Give the lease and the segment back; idempotent.

        A `Closed` record ends the lease; where the driver found no time to append one, this does.
        """
        if not self._is_closed:
            with suppress(JournalError):  # then the lease ends with this process
                self.append(Closed(at=time.time(), reason="left", done=False))
            self._is_closed = True
        self._segment.close()


def open_driver(
    folder: Path,
    opened: Opened,
    *,
    ttl_s: float = 30.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> DriverJournal:
    """Take the lease, or raise StudyLocked because another driver lives.

    opened: what to journal first; the token, the process's marks and `accepted` are filled in here.
    On the holder's own host (and boot) its process decides, at once. From elsewhere it counts as
    dead when its heartbeat and its segment have not changed for `ttl_s` on this process's clock.
    """
    make_folder(folder)
    # The one judged and the number taken must belong together: others may come and go meanwhile.
    last = _last_token(folder)
    previous = _living(folder, last, ttl_s=ttl_s, clock=clock, sleep=sleep)
    if previous is not None:
        raise StudyLocked(
            f"{folder.parent}: the driver of process {previous.pid} on {previous.host} holds this study; "
            "stop it with `asktell stop`, or wait until it ends"
        )
    token = last + 1
    mine = replace(
        opened,
        token=token,
        host=socket.gethostname(),
        pid=os.getpid(),
        pid_started=_process_started(os.getpid()) or 0.0,
        boot=_boot(),
        accepted=_accepted(folder, last),
    )
    path = _driver_path(folder, token)
    line = to_line(mine)
    partial = folder / f".{path.name}-{secrets.token_hex(3)}"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        write_all(descriptor, line)
        os.fsync(descriptor)
        _link(partial, path)
    finally:
        os.close(descriptor)
        partial.unlink(missing_ok=True)
    sync(folder)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    journal = DriverJournal(folder, Segment(path, descriptor, len(line)), mine)
    journal.beat()
    return journal


def holder(
    folder: Path,
    *,
    ttl_s: float = 30.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Opened | None:
    """The driver that holds the study, None where there is none. From another host it takes up to `ttl_s`."""
    return _living(folder, _last_token(folder), ttl_s=ttl_s, clock=clock, sleep=sleep)


def _living(
    folder: Path, token: int, *, ttl_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Opened | None:
    if token == 0:
        return None
    path = _driver_path(folder, token)
    opened = _first(path)
    if _ends_closed(path):
        return None
    if (opened.host, opened.boot) == (socket.gethostname(), _boot()):
        return opened if _is_alive(opened) else None
    deadline, seen = clock() + ttl_s, _signs_of_life(folder, token)
    while clock() < deadline:
        sleep(min(1.0, ttl_s / 10))
        if _signs_of_life(folder, token) != seen:
            return opened
    return None


def openings(folder: Path) -> list[Opened]:
    """How each driver so far began, in order; empty before the first."""
    return [_first(_driver_path(folder, token)) for token in range(1, _last_token(folder) + 1)]


def replay_driver(folder: Path) -> list[Record]:
    """Every record that counts, in the order in which it became true.

    Raises JournalError at a damaged line, and at a segment that is shorter than a later driver found it.
    """
    token = _last_token(folder)
    if token == 0:
        raise StudyError(f"{folder.parent}: is no study (it has no journal); name a study's directory")
    last = _driver_path(folder, token)
    ends: dict[str, int | None] = {**_first(last).accepted, last.name: None}
    return [record for name in sorted(ends) for _, record in _whole(folder / name, ends[name])]


def _whole(path: Path, end: int | None) -> Sequence[tuple[int, Record]]:
    try:
        reading = read_segment(path, end=end)
    except FileNotFoundError as error:
        raise JournalError(f"{path}: is missing; a later driver relied upon it, restore it") from error
    if reading.damage:
        raise JournalError(
            f"{reading.damage}; `asktell verify` shows the extent, restore the file from a copy"
        )
    return reading.records


def _driver_path(folder: Path, token: int) -> Path:
    return folder / f"driver-{token:06d}.jsonl"


def _last_token(folder: Path) -> int:
    found = (_DRIVER_NAME.fullmatch(path.name) for path in segments(folder, "driver"))
    return max((int(match[1]) for match in found if match), default=0)


def _first(path: Path) -> Opened:
    """The record with which a driver's segment begins: written whole before the segment had its name."""
    try:
        with path.open("rb") as file:
            opened = parse_line(file.readline(), path, 0)
    except FileNotFoundError as error:
        raise JournalError(
            f"{path} is missing, and later drivers stand on it; restore it from a copy"
        ) from error
    if not isinstance(opened, Opened):
        raise JournalError(
            f"{path}: does not begin with the record of a driver; restore the file from a copy"
        )
    return opened


def _ends_closed(path: Path) -> bool:
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - _TAIL_BYTES)
        file.seek(start)
        lines = file.read().splitlines(keepends=True)
    return isinstance(parse_line(lines[-1], path, start), Closed)


def _accepted(folder: Path, token: int) -> dict[str, int]:
    """What the driver after `token` stands on: what that one accepted, and its own good bytes."""
    if token == 0:
        return {}
    path = _driver_path(folder, token)
    reading = read_segment(path)
    if reading.damage:
        raise JournalError(
            f"{reading.damage}; `asktell verify` shows the extent, restore the file from a copy"
        )
    return {**_first(path).accepted, path.name: reading.end}


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        # A network file system may repeat a request whose answer was lost: then the link is ours.
        if not os.path.samefile(source, target):
            raise StudyLocked(f"{target.parent.parent}: another driver took this study just now") from None
    except OSError as error:
        raise StudyError(
            f"{target}: cannot be linked ({error}); put the study on a file system that has hard links"
        ) from error


def _signs_of_life(folder: Path, token: int) -> tuple[bytes, int]:
    """The holder's last heartbeat (a superseded driver's counts for nothing) and its segment's size."""
    try:
        beat = (folder / HEARTBEAT).read_bytes()
    except FileNotFoundError:
        beat = b""
    mine = beat if beat.split(b" ")[0] == b"%d" % token else b""
    return mine, _driver_path(folder, token).stat().st_size


def _boot() -> str:
    """What tells this boot of this host (and this container) from any other."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # not Linux
        return subprocess.run(
            ["sysctl", "-n", "kern.boottime"], capture_output=True, text=True
        ).stdout.strip()


def _is_alive(opened: Opened) -> bool:
    started = _process_started(opened.pid)
    if started is not None:
        return started == opened.pid_started
    try:
        os.kill(opened.pid, 0)
    except PermissionError:
        return True  # another user's process, where the system hides those
    except ProcessLookupError:
        return False
    return False  # a zombie: it has ended, and its parent has not looked yet


def _process_started(pid: int) -> float | None:
    """When the process began (an opaque number), None where it is no more, a zombie included."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return None
    else:
        return None if fields[0] in "ZX" else float(fields[19])
    started = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True
    ).stdout.strip()
    return float(zlib.crc32(started.encode())) if started else None
