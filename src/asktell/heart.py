"""A driver's sign of life, given and checked by a thread of its own: a proposal may take minutes."""

from __future__ import annotations

import logging
import threading

from asktell.errors import JournalError, StudyLocked
from asktell.journal import DriverJournal

logger = logging.getLogger(__name__)

BEAT_S = 5.0
MISSING_BEATS = 4
"""A journal that was not to be found at so many beats in a row is gone; a network file system may blink."""


class Heart:
    """Beats for a driver's journal until it is closed, and knows when the lease is lost."""

    def __init__(self, journal: DriverJournal) -> None:
        self._journal = journal
        self._closing = threading.Event()
        self._is_lost = False
        self._n_missing = 0
        self._thread = threading.Thread(target=self._work, name="asktell-heart", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def check(self) -> None:
        """Raise StudyLocked if another driver has taken the study over, JournalError if it is gone."""
        if self._n_missing >= MISSING_BEATS:
            raise JournalError(
                f"{self._journal.path} is not there any more: was the study moved or removed? "
                "Resume it where it is now"
            )
        if self._is_lost:
            raise StudyLocked("another driver has taken this study over; this one ends, and loses nothing")

    def look(self) -> None:
        """As `check`, after a fresh look at the journal's folder."""
        self._is_lost = self._is_lost or not self._journal.is_current()
        self.check()

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._is_lost:
            try:
                self._is_lost = not self._journal.is_current()
                self._journal.beat()
                self._n_missing = 0
            except OSError as error:
                self._n_missing += isinstance(error, FileNotFoundError)
                logger.warning("the driver's heartbeat could not be written: %s", error)
            if self._closing.wait(BEAT_S):
                return
