"""A trial, its attempts and what came of them.

Times are Unix seconds (UTC), durations seconds. Values are native: objectives keep the sign that
their author gave them; only the optimiser sees minimised ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from asktell.html import card, facts
from asktell.wording import count, number

Value = float | int | str | bool
Params = Mapping[str, Value]
"""Native values by parameter name; a parameter that its `when` makes inactive is absent."""


class Status(StrEnum):
    """Where a trial stands. The last three are terminal."""

    WAITING = "waiting"  # asked; no attempt is under way
    RUNNING = "running"  # an attempt was submitted and has not ended
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


class Cause(StrEnum):
    """Why an attempt brought no valid result."""

    NONE = ""
    OBJECTIVE_ERROR = "objective_error"  # raised, or exited with a code other than 0
    INVALID_RESULT = "invalid_result"  # NaN, a missing key, a wrong shape, or `valid` is false
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    WALLTIME = "walltime"  # its job came to the end of its walltime
    PREEMPTED = "preempted"  # the scheduler took its job away, or queued it again
    NODE_FAILURE = "node_failure"
    CANCELLED = "cancelled"  # a person cancelled its job, or the trial
    WORKER_LOST = "worker_lost"  # the worker went away and nobody knows why
    DRIVER_LOST = "driver_lost"  # the driver stopped or died, and its local workers with it
    FENCED = "fenced"  # a second copy of an attempt, started behind the driver's back

    @property
    def is_infrastructure(self) -> bool:
        """The objective had no part in it: the same point is tried again."""
        return self in _INFRASTRUCTURE


_INFRASTRUCTURE = frozenset(
    {
        Cause.WALLTIME,
        Cause.PREEMPTED,
        Cause.NODE_FAILURE,
        Cause.CANCELLED,
        Cause.WORKER_LOST,
        Cause.DRIVER_LOST,
        Cause.FENCED,
    }
)


class Origin(StrEnum):
    """Where a point came from."""

    INITIAL = "initial"  # the space-filling design
    MODEL = "model"
    RANDOM = "random"  # the engine had nothing better: its proposal was a duplicate, or its fit failed
    QUEUED = "queued"  # `enqueue`, `rerun`
    ADDED = "added"  # a result known from elsewhere
    EARLIER = "earlier"  # among the best of an earlier study, with which this one was warm-started
    RETOLD = "retold"  # another study's trial, with objectives computed anew from its outputs


@dataclass(frozen=True, slots=True)
class Trial:
    """One point, numbered, with the provenance of its proposal.

    pending: numbers that were asked and not told when it was proposed; told: how many were told.
    details: what the engine wants kept (JSON values only: length scales, the liar, ...).
    """

    number: int
    params: Params
    origin: Origin = Origin.MODEL
    engine: str = ""
    acquisition: float | None = None
    pending: tuple[int, ...] = ()
    told: int = 0
    asked_at: float = 0.0
    ask_s: float = 0.0  # wall time that the proposal took (a joint group's, shared equally)
    details: Mapping[str, Any] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        by = f"{self.origin}, by engine {self.engine}" if self.engine else str(self.origin)
        knowing = f"{by}; {count(self.told, 'result')} known, {len(self.pending)} pending"
        return card(f"trial {self.number}", knowing, values_html(self.params))


def values_html(values: Mapping[str, Value]) -> str:
    """Values by name, as HTML."""
    return facts([(name, number(value)) for name, value in values.items()])


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """One encoded zarr chunk in a spool. path: relative to the study directory."""

    path: str
    key: tuple[int, ...]  # chunk grid position within one trial's array
    bytes: int
    crc32: int


@dataclass(frozen=True, slots=True)
class ArrayRecord:
    """An output as a worker recorded it.

    Small arrays ride along (`inline`: base64 of the little-endian C-order bytes), large ones were
    encoded into `chunks`.
    """

    dtype: str  # numpy's, little-endian: '<f4'
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    inline: str | None = None
    chunks: tuple[ChunkRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class CoordRecord:
    """A coordinate of an output's own dimension; values: JSON numbers or strings, (n,)."""

    dims: tuple[str, ...]
    values: tuple[Any, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to. `status` is COMPLETED or FAILED (CANCELLED only from the driver).

    values: every scalar of the result by name: objectives, constraints, anything else.
    metrics: (step, name, value) in the order in which `asktell.log` saw them.
    exit_code: of the evaluation's process, negative for a signal; None for in-process calls.
    """

    status: Status
    cause: Cause = Cause.NONE
    error: str = ""  # one line, then the traceback's end where there is one; at most 4 kB
    values: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, ArrayRecord] = field(default_factory=dict)
    coords: Mapping[str, CoordRecord] = field(default_factory=dict)
    metrics: tuple[tuple[float, str, float], ...] = ()
    started_at: float = 0.0
    ended_at: float = 0.0
    duration_s: float = 0.0  # by a monotonic clock: process start and collection of results included
    host: str = ""
    worker: str = ""
    job: str = ""
    exit_code: int | None = None
    log_tail: str = ""  # the last 4 kB of stdout and stderr
