"""Keeps the store up to date from a thread of its own, so that no proposal waits for a disk.

The journal is the truth, so a publish that fails is reported and tried again, never fatal.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from asktell.records import SchemaSet
from asktell.store import Row, Store

logger = logging.getLogger(__name__)


class Publisher:
    """Owner of the store while a driver runs.

    every_s: at most so often; is_current: this driver still holds the study; after_publish: called with
    the numbers whose rows were published.
    """

    def __init__(
        self,
        store: Store,
        *,
        every_s: float,
        is_current: Callable[[], bool] = lambda: True,
        after_publish: Callable[[list[int]], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._every_s = every_s
        self._is_current = is_current
        self._after_publish = after_publish
        self._items: queue.SimpleQueue[Row | SchemaSet] = queue.SimpleQueue()
        self._unpublished: list[int] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="asktell-publisher", daemon=True)
        self.n_failures = 0
        self.last_error = ""

    def start(self) -> None:
        self._thread.start()

    def put(self, item: Row | SchemaSet) -> None:
        """Take a row, or the outputs' schema; returns at once."""
        self._items.put(item)

    def close(self) -> None:
        """Publish what is left and end; raises nothing, `last_error` tells."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        # What a replay has brought comes first: readers find a store from the start, and no rows vanish.
        self._take()
        self._publish(self._store.publish)
        while not self._closing.wait(self._every_s):
            if self._take():
                self._publish(self._store.publish)
        self._take()
        self._publish(self._store.close)

    def _take(self) -> bool:
        """Move what has come into the store; true if there is anything to publish."""
        while not self._items.empty():
            item = self._items.get()
            try:
                if isinstance(item, SchemaSet):
                    self._store.set_schema(item)
                else:
                    self._store.append(item)
                    self._unpublished.append(item.trial.number)
            except Exception as error:  # noqa: BLE001 - reported; whatever it is, the journal has the row
                self._report(error)
        return bool(self._unpublished)

    def _publish(self, publish: Callable[[], None]) -> None:
        try:
            if not self._is_current():
                return  # another driver has the study, and its rows are the ones that count
            publish()
        except Exception as error:  # noqa: BLE001 - reported, and tried again
            self._report(error)
            return
        self.last_error = ""
        self._after_publish(self._unpublished)
        self._unpublished = []

    def _report(self, error: Exception) -> None:
        self.n_failures += 1
        self.last_error = f"{type(error).__name__}: {error}"
        logger.error("the store could not be published, the journal has it all: %s", self.last_error)
