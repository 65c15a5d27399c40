"""Keeps the store up to date from a thread of its own, so that no proposal waits for a disk.

The journal is the truth, so a publish that fails is reported and tried again, never fatal.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from asktell.errors import AsktellError
from asktell.records import SchemaSet
from asktell.store import Row, Store

logger = logging.getLogger(__name__)


class Publisher:
    """Owner of the store while a driver runs.

    every_s: at most so often; after_publish: called with the numbers whose rows were published.
    """

    def __init__(
        self, store: Store, *, every_s: float, after_publish: Callable[[list[int]], None] = lambda _: None
    ) -> None:
        self._store = store
        self._every_s = every_s
        self._after_publish = after_publish
        self._items: queue.SimpleQueue[Row | SchemaSet] = queue.SimpleQueue()
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
        unpublished: list[int] = []
        is_last = False
        while not is_last:
            is_last = self._closing.wait(self._every_s)
            while not self._items.empty():
                item = self._items.get()
                if isinstance(item, SchemaSet):
                    self._store.set_schema(item)
                else:
                    self._store.append(item)
                    unpublished.append(item.trial.number)
            if unpublished and self._publish():
                self._after_publish(unpublished)
                unpublished = []

    def _publish(self) -> bool:
        try:
            self._store.publish()
        except (OSError, AsktellError) as error:
            self.n_failures += 1
            self.last_error = f"{type(error).__name__}: {error}"
            logger.error("the store could not be published, the journal has it all: %s", self.last_error)
            return False
        self.last_error = ""
        return True
