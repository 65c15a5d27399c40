"""When a worker has lost its driver, and what it does that has nothing in hand any more."""

from __future__ import annotations

from enum import Enum, auto

from asktell.cluster.rendezvous import Rendezvous


class Step(Enum):
    LEAVE = auto()  # nobody will want this worker
    WAIT = auto()  # another driver is on its way
    KNOCK = auto()  # the driver may live, and only the connection be broken
    JOIN = auto()  # another driver is there


def next_step(joined: Rendezvous, present: Rendezvous | None) -> Step:
    """joined: where the driver that was lost listened; present: what the study's directory says now."""
    if present is None:
        return Step.LEAVE
    if present.successor_until is not None:
        return Step.WAIT
    return Step.KNOCK if present.session == joined.session else Step.JOIN


def is_replaced(joined: Rendezvous, present: Rendezvous | None) -> bool:
    """Another driver is there while the one that was joined still holds the connection."""
    if present is None or present.successor_until is not None:
        return False
    # Who joined before the file was there knows the address alone.
    return present.session != joined.session and present.address != joined.address
