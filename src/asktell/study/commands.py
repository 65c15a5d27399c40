"""What a study wants done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ask:
    """Propose `count` trials that are to be evaluated together.

    joint: False where each is for a free slot of its own: then only as many as none has to wait for.
    """

    count: int
    joint: bool = True


@dataclass(frozen=True, slots=True)
class Submit:
    number: int
    attempt: int
    slot: str


@dataclass(frozen=True, slots=True)
class Release:
    """Let this slot go: nothing is on it, and nothing will be."""

    slot: str


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell people something about a trial."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Close the study's session. done: the budget is used or a stopping rule is met."""

    reason: str
    done: bool


Command = Ask | Submit | Release | Warn | Finish
