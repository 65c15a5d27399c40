"""What a journal says: the facts of which a study consists, and their JSON.

A driver's segments hold every record below in the order in which it became true; a worker's hold
`Reported`, a person's commands hold `Enqueued`, `Known`, `StopRequested` and `WarmStarted`. `replay` of
the driver's records gives back the study's state.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any

from asktell.errors import JournalError
from asktell.trial import ArrayRecord, Cause, CoordRecord, Outcome, Params, Trial


@dataclass(frozen=True, slots=True)
class Opened:
    """A driver began. accepted: bytes of each earlier driver segment that it stands on, by file name.

    config: the study's whole configuration as resolved for this session; code: sha256 of the
    objective's file, '' where there is none.
    """

    token: int
    at: float
    host: str = ""
    pid: int = 0
    pid_started: float = 0.0
    boot: str = ""
    accepted: Mapping[str, int] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    code: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """A driver ended in an orderly way. done: the budget is used or a stopping rule is met."""

    at: float
    reason: str
    done: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """Trials proposed together; durable before any of them is submitted."""

    trials: tuple[Trial, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Submitted:
    """token: what the attempt's report must carry; reports of another driver's attempt do not.

    job, host: of the slot, as far as they are known.
    """

    number: int
    attempt: int
    slot: str
    at: float
    token: str = ""
    job: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt ended without a result.

    counts: towards `max_lost` where nobody knows why, towards the retries with any other cause;
    ran_s: how long it had run, None in journals that do not say.
    """

    number: int
    attempt: int
    cause: Cause
    counts: bool
    at: float
    detail: str = ""
    ran_s: float | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """An attempt failed, and the trial is tried again. counts: towards the retries."""

    number: int
    attempt: int
    outcome: Outcome
    at: float
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """The trial's one terminal event; the n-th of them (with `Added`) is row n of the store."""

    number: int
    attempt: int
    outcome: Outcome
    at: float


@dataclass(frozen=True, slots=True)
class Superseded:
    """A result for a trial that has its terminal state already; kept, never told."""

    number: int
    attempt: int
    outcome: Outcome
    at: float


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A point to be proposed next. source: 'SEGMENT:BYTE' of the command that asked for it, or ''."""

    params: Params
    at: float
    source: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A person's command: this result is known from elsewhere."""

    params: Params
    outcome: Outcome
    at: float


@dataclass(frozen=True, slots=True)
class Added:
    """A trial that came with its outcome; terminal at once. Does not count towards the budget."""

    trial: Trial
    outcome: Outcome
    at: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class EarlierTrial:
    """A trial of another study, under its number there."""

    number: int
    params: Params
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class WarmStarted:
    """What another study has found, for the optimizer; its trials are none of this study's.

    study: the other's directory, which is not needed any more; n_left_out: trials that do not fit here.
    """

    study: str
    trials: tuple[EarlierTrial, ...]
    n_left_out: int
    at: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class StopRequested:
    at: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class SchemaSet:
    """The outputs' schema, from the first completed trial; `inline` and `chunks` are empty in it."""

    arrays: Mapping[str, ArrayRecord]
    coords: Mapping[str, CoordRecord]
    at: float


@dataclass(frozen=True, slots=True)
class Reported:
    """A worker's own record of an attempt: durable before the worker reports it."""

    number: int
    attempt: int
    token: str
    outcome: Outcome
    at: float


Record = (
    Opened
    | Closed
    | Asked
    | Submitted
    | Lost
    | Retried
    | Ended
    | Superseded
    | Enqueued
    | Known
    | Added
    | StopRequested
    | WarmStarted
    | SchemaSet
    | Reported
)

KINDS: Mapping[str, type[Any]] = {cls.__name__.lower(): cls for cls in typing.get_args(Record)}


def encode(record: Record) -> dict[str, Any]:
    """The record as JSON values, with its kind; fields at their defaults are left out."""
    return {"kind": type(record).__name__.lower(), **_encode_fields(record)}


def decode(data: Mapping[str, Any]) -> Record:
    """The record that `encode` was given; raises JournalError on a kind or field that is unknown."""
    try:
        cls = KINDS[data["kind"]]
        return typing.cast(Record, _decode_fields(cls, {k: v for k, v in data.items() if k != "kind"}))
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"not a record of this version: {error!r} in {str(data)[:200]}") from error


def _encode_fields(obj: Any) -> dict[str, Any]:
    found = {}
    for item in dataclasses.fields(obj):
        value = getattr(obj, item.name)
        if value != _default(item):
            found[item.name] = _encode_value(value)
    return found


def _default(item: dataclasses.Field[Any]) -> Any:
    return item.default_factory() if item.default_factory is not dataclasses.MISSING else item.default


def _encode_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _encode_fields(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _encode_value(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_encode_value(item) for item in value]
    return value


_hints = cache(typing.get_type_hints)


def _decode_fields(cls: type[Any], data: Mapping[str, Any]) -> Any:
    hints = _hints(cls)  # type: ignore[arg-type]  # mypy doubts that a class is hashable
    return cls(**{key: _decode_value(hints[key], value) for key, value in data.items()})


def _decode_value(hint: Any, value: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        return _decode_value(options[0], value) if value is not None and len(options) == 1 else value
    if dataclasses.is_dataclass(hint):
        return _decode_fields(typing.cast("type[Any]", hint), value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if origin is tuple:
        args = typing.get_args(hint)
        if args[-1] is Ellipsis:
            return tuple(_decode_value(args[0], item) for item in value)
        return tuple(_decode_value(arg, item) for arg, item in zip(args, value, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return {key: _decode_value(typing.get_args(hint)[1], item) for key, item in value.items()}
    if hint is Any and isinstance(value, list):
        return tuple(value)
    return value
