"""The driver's own log, DIR/logs/driver-<token>.log. Only the command line configures logging."""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_KEPT_UNTIL_OPEN = 1000


@contextmanager
def driver_log(relay: logging.Handler) -> Iterator[Callable[[Path], None]]:
    """Collect asktell's messages and everybody's warnings; yields what opens the file for them.

    The file's name needs the session's token, so what is said before that is held back until then.
    relay: shows some of it to a person.
    """
    held = logging.handlers.MemoryHandler(_KEPT_UNTIL_OPEN, flushLevel=logging.CRITICAL + 1)
    sources = (logging.getLogger("asktell"), logging.getLogger("py.warnings"))
    ours = sources[0]
    level, ours.level = ours.level, logging.INFO
    for source in sources:
        source.addHandler(held)
    ours.addHandler(relay)
    logging.captureWarnings(True)

    def open_file(path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        file = logging.FileHandler(path, encoding="utf-8")
        file.setFormatter(logging.Formatter(_FORMAT))
        held.setTarget(file)
        held.flushLevel = logging.NOTSET  # from now on nothing is held back
        held.flush()

    try:
        yield open_file
    finally:
        logging.captureWarnings(False)
        for source in sources:
            source.removeHandler(held)
        ours.removeHandler(relay)
        ours.setLevel(level)
        file = held.target
        held.close()
        if file is not None:
            file.close()
