"""A log that never blocks its writer and never grows over its limit. Standard library only."""

from __future__ import annotations

from pathlib import Path


class CappedLog:
    """A file that keeps the first and the last half of `limit` bytes of what is written to it.

    The first half is on disk at once, the last half (in memory until then) when the log is closed.
    A full disk loses text, never the evaluation: `error` says so.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.error = ""
        self._file = path.open("wb", buffering=0)
        self._head_left = limit - limit // 2
        self._tail = bytearray()
        self._tail_limit = limit // 2
        self._left_out = 0

    def write(self, data: bytes) -> None:
        head, rest = data[: self._head_left], data[self._head_left :]
        self._head_left -= len(head)
        self._put(head)
        self._tail += rest
        if len(self._tail) > 2 * self._tail_limit:  # cut rarely: each cut moves the bytes that stay
            self._cut()

    def close(self) -> None:
        self._cut()
        if self._left_out:
            self._put(b"\n[asktell: %d bytes left out]\n" % self._left_out)
        self._put(bytes(self._tail))
        self._file.close()

    def _cut(self) -> None:
        excess = max(0, len(self._tail) - self._tail_limit)
        del self._tail[:excess]
        self._left_out += excess

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) or 0 :]
        except OSError as error:
            self.error = f"{self._file.name}: {error.strerror}"
