"""Where the driver of the moment is to be found: scheduler.json, which each driver rewrites.

A job may be queued under one driver and start under the next, and a worker may outlive its driver: both
look here, not at the address with which they were started.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace

from asktell.directory import StudyDirectory, write_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """Where a driver's scheduler listens, or listened.

    session: the driver's token; successor_until: Unix seconds on the driver's clock; the driver has gone,
    and another one is expected by then.
    """

    address: str
    session: int
    successor_until: float | None = None


def announce(directory: StudyDirectory, address: str, session: int) -> None:
    """Say where this driver's scheduler listens."""
    _write(directory, Rendezvous(address, session))


def hand_over(directory: StudyDirectory, session: int, until: float) -> None:
    """Say that this driver goes and another one is expected; after that one's word it has no effect."""
    if (present := read(directory)) is not None and present.session == session:
        _write(directory, replace(present, successor_until=until))


def withdraw(directory: StudyDirectory, session: int) -> None:
    """Say that this driver has gone, and that none is expected; a later one's word stays."""
    if (present := read(directory)) is not None and present.session <= session:
        directory.scheduler.unlink(missing_ok=True)


def read(directory: StudyDirectory) -> Rendezvous | None:
    """The last driver's word; None where there is none, or none that this version understands."""
    try:
        return Rendezvous(**json.loads(directory.scheduler.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        logger.warning("%s cannot be read: %s", directory.scheduler, error)
        return None


def _write(directory: StudyDirectory, rendezvous: Rendezvous) -> None:
    write_json(directory.scheduler, asdict(rendezvous))
