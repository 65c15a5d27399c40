"""Attempts of earlier drivers that still run in batch jobs: who gives signs of life is waited for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asktell.cluster.alive import Attempt, attempt_of

TTL_S = 30.0
FORGOTTEN_S = 600.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sign:
    """What a file showed, and since when on our clock. is_trusted: it may be of a living worker."""

    content: bytes
    attempt: Attempt
    since: float
    is_trusted: bool


class Foster:
    """Follows the signs of life in a folder.

    ttl_s: a sign that has not changed for so long on this process's `clock` is of the dead. Clocks of
    nodes differ, so that at the first look every sign counts, unless its file is older than ten minutes.
    """

    def __init__(
        self, folder: Path, *, ttl_s: float = TTL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._ttl_s = ttl_s
        self._clock = clock
        self._signs: dict[str, _Sign] = {}

    def living(self) -> frozenset[tuple[int, int, str]]:
        """(number, attempt, token) of each attempt that runs, after a fresh look.

        An attempt that is missing now has ended, and if it has a result, that is in its worker's journal.
        """
        now = self._clock()
        paths = {path.name: path for path in self._folder.glob("*.json")}
        self._signs = {name: sign for name, sign in self._signs.items() if name in paths}
        for name, path in paths.items():
            self._look(name, path, now)
        return frozenset(
            (sign.attempt.number, sign.attempt.attempt, sign.attempt.token)
            for sign in self._signs.values()
            if sign.is_trusted
        )

    def _look(self, name: str, path: Path, now: float) -> None:
        try:
            content = path.read_bytes()
            is_forgotten = time.time() - path.stat().st_mtime > FORGOTTEN_S
        except FileNotFoundError:  # it ended while we looked
            self._signs.pop(name, None)
            return
        except OSError as error:  # that a file system does not answer says nothing about the worker
            logger.warning("%s cannot be read: %s", path, error)
            return
        known = self._signs.get(name)
        if known is None:
            if (attempt := attempt_of(content)) is not None:
                self._signs[name] = _Sign(content, attempt, now, is_trusted=not is_forgotten)
        elif content != known.content:
            known.content, known.since, known.is_trusted = content, now, True
        elif now - known.since >= self._ttl_s:
            # Should its worker wake up all the same, it beats no more, and the first result counts.
            path.unlink(missing_ok=True)
            del self._signs[name]
