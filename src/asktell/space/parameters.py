"""The kinds of parameter, each with its own way into the unit interval.

    value  what the objective gets: a native float, int, str or bool
    u      the value's place in [0, 1]; one column of the unit cube

Reals map by their (log) position, so that 0 and 1 are the bounds. Whatever is discrete owns an
interval of [0, 1] and maps to a point inside it; every u of the interval maps back to it, exactly.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from asktell.errors import SpaceError
from asktell.space.values import check_bounds, check_within, native, to_choice, to_integer, to_real
from asktell.trial import Value

Unit = NDArray[np.float64]

_MAX_INTEGER = 2**53  # doubles hold every integer up to here
_MAX_COUNT = {False: 2**51, True: 2**44}  # intervals of [0, 1] that doubles tell apart: linear, log


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(ABC):
    """What all kinds have in common.

    when: {parent: values} under which the parameter exists; several parents must all agree.
    Constructors raise SpaceError for what makes no sense, without the parameter's name: they do not know it.
    """

    kind: ClassVar[str]

    when: Mapping[str, Sequence[Value]] | None = field(default=None, hash=False)
    units: str = ""
    description: str = ""

    def _normalise_when(self) -> None:
        if self.when is None:
            return
        if not isinstance(self.when, Mapping) or not self.when:
            raise SpaceError(f"when is {self.when!r}; write the parent and its values: {{method: [a, b]}}")
        conditions = {}
        for parent, values in self.when.items():
            listed = [values] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)
            if not listed:
                raise SpaceError(f"when.{parent} has no value; list those under which the parameter exists")
            conditions[parent] = tuple(map(native, listed))
        object.__setattr__(self, "when", conditions)

    @property
    @abstractmethod
    def cardinality(self) -> int | None:
        """Number of distinct values; None where there is a continuum."""

    @abstractmethod
    def normalise(self, value: object) -> Value:
        """`value` as a native value of this parameter; raises SpaceError if it is none."""

    @abstractmethod
    def to_unit(self, values: Sequence[Value]) -> Unit:
        """Places of native values in [0, 1]: (n,) -> (n,). Raises SpaceError for a value that is none."""

    @abstractmethod
    def from_unit(self, u: Unit) -> Sequence[Value]:
        """Native values at places in [0, 1]: (n,) -> (n,)."""

    @abstractmethod
    def steps(self, value: Value) -> Sequence[Value]:
        """The nearest other values, if that means something: ±1, other categories; none for a real."""

    @abstractmethod
    def levels(self, count: int) -> Sequence[Value]:
        """Every value in order; `count` values from bound to bound for a real."""

    def specification(self) -> dict[str, Any]:
        """The parameter as it stands in a study file; what is at its default is left out."""
        found: dict[str, Any] = {"type": self.kind}
        for item in sorted(fields(self), key=lambda item: item.name in Parameter.__slots__):  # bounds first
            value = getattr(self, item.name)
            if item.init and (item.default is MISSING or value != item.default):
                found[item.name] = list(value) if isinstance(value, tuple) else value
        if self.when is not None:
            found["when"] = {parent: list(values) for parent, values in self.when.items()}
        return found


@dataclass(frozen=True, slots=True)
class Real(Parameter):
    """A real number in [low, high], spread evenly, or evenly in its logarithm.

    There and back through [0, 1] costs at most 1e-12 of the range (log: of the value), and never
    leads outside the bounds.
    """

    kind: ClassVar[str] = "real"

    low: float
    high: float
    log: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        self._normalise_when()
        for bound in ("low", "high"):
            object.__setattr__(self, bound, to_real(getattr(self, bound), bound))
        check_bounds(self.low, self.high, self.log)
        if not math.isfinite(self.high - self.low):
            raise SpaceError(
                f"the range from {self.low} to {self.high} is too wide for arithmetic; narrow it"
            )

    @property
    def cardinality(self) -> int | None:
        return None

    def normalise(self, value: object) -> float:
        number = to_real(value, "the value")
        check_within(number, self.low, self.high)
        return number

    def to_unit(self, values: Sequence[Value]) -> Unit:
        x = _numbers(values, self.low, self.high)
        if self.log:
            start, stop = np.log(np.array([self.low, self.high]))
            u: Unit = (np.log(x) - start) / (stop - start)
        else:
            u = (x - self.low) / (self.high - self.low)
        return np.clip(u, 0.0, 1.0)

    def from_unit(self, u: Unit) -> Sequence[float]:
        if self.log:
            start, stop = np.log(np.array([self.low, self.high]))
            x = np.exp(start * (1.0 - u) + stop * u)
        else:
            x = self.low * (1.0 - u) + self.high * u
        return np.clip(x, self.low, self.high).tolist()  # type: ignore[no-any-return]  # numpy types tolist as Any

    def steps(self, value: Value) -> Sequence[Value]:
        return ()

    def levels(self, count: int) -> Sequence[Value]:
        places = np.linspace(0.0, 1.0, count) if count > 1 else np.array([0.5])
        return list(dict.fromkeys(self.from_unit(places)))


@dataclass(frozen=True, slots=True)
class Integer(Parameter):
    """A whole number from low to high, both included, spread evenly, or evenly in its logarithm."""

    kind: ClassVar[str] = "integer"

    low: int
    high: int
    log: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        self._normalise_when()
        for bound in ("low", "high"):
            value = to_integer(getattr(self, bound), bound)
            if abs(value) > _MAX_INTEGER:
                raise SpaceError(
                    f"{bound} ({value}) is beyond 2**53, where doubles skip integers; use a real"
                )
            object.__setattr__(self, bound, value)
        check_bounds(self.low, self.high, self.log)
        if self.cardinality > (most := _MAX_COUNT[self.log]):
            raise SpaceError(
                f"{self.low} to {self.high} are more than {most} values; narrow it or use a real"
            )

    @property
    def cardinality(self) -> int:
        return self.high - self.low + 1

    def normalise(self, value: object) -> int:
        number = to_integer(value, "the value")
        check_within(number, self.low, self.high)
        return number

    # Value k owns [k - 1/2, k + 1/2) of the (log) axis from low - 1/2 to high + 1/2. Offsets are counted
    # from low - 1/2 and go through log1p, expm1: differences of neighbours survive however large k is.

    def to_unit(self, values: Sequence[Value]) -> Unit:
        offset = _numbers(values, self.low, self.high) - self.low + 0.5
        if self.log:
            edge = self.low - 0.5
            u: Unit = np.log1p(offset / edge) / np.log1p(self.cardinality / edge)
            return u
        return offset / self.cardinality

    def from_unit(self, u: Unit) -> Sequence[int]:
        if self.log:
            edge = self.low - 0.5
            offset = edge * np.expm1(u * np.log1p(self.cardinality / edge))
        else:
            offset = u * self.cardinality
        return [self.low + k for k in _index(offset, self.cardinality)]

    def steps(self, value: Value) -> Sequence[Value]:
        number = int(value)
        return [near for near in (number - 1, number + 1) if self.low <= near <= self.high]

    def levels(self, count: int) -> Sequence[Value]:
        return range(self.low, self.high + 1)


@dataclass(frozen=True, slots=True)
class Choice(Parameter):
    """One of several texts, numbers or booleans; each owns an equal share of [0, 1]."""

    choices: Sequence[Value]
    _index: Mapping[Value, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._normalise_when()
        if isinstance(self.choices, str) or not isinstance(self.choices, Iterable):
            raise SpaceError(f"choices is {self.choices!r}; give a list")
        choices = tuple(map(to_choice, self.choices))
        if not choices:
            raise SpaceError("choices is empty; list at least one value")
        index: dict[Value, int] = {}
        for place, choice in enumerate(choices):
            if choice in index:  # 1, 1.0 and True are one key: a result could not be told from another
                raise SpaceError(f"choice {choice!r} repeats {choices[index[choice]]!r}; remove one of them")
            index[choice] = place
        object.__setattr__(self, "choices", choices)
        object.__setattr__(self, "_index", index)

    @property
    def cardinality(self) -> int:
        return len(self.choices)

    def normalise(self, value: object) -> Value:
        candidate = native(value)
        place = self._index.get(candidate) if isinstance(candidate, str | int | float) else None
        # A boolean equals 0 or 1 in Python, yet is none of a study's numbers, nor the other way round.
        if place is None or isinstance(self.choices[place], bool) != isinstance(candidate, bool):
            raise SpaceError(
                f"{candidate!r} is not among {', '.join(map(repr, self.choices))}; use one of them"
            )
        return self.choices[place]

    def to_unit(self, values: Sequence[Value]) -> Unit:
        try:
            places = [self._index[value] for value in values]
        except (KeyError, TypeError):
            places = [self._index[self.normalise(value)] for value in values]
        return (np.array(places, dtype=np.float64) + 0.5) / len(self.choices)

    def from_unit(self, u: Unit) -> Sequence[Value]:
        return [self.choices[place] for place in _index(u * len(self.choices), len(self.choices))]

    def steps(self, value: Value) -> Sequence[Value]:
        return [choice for choice in self.choices if choice != value]

    def levels(self, count: int) -> Sequence[Value]:
        return self.choices


@dataclass(frozen=True, slots=True)
class Categorical(Choice):
    """One of several texts, numbers or booleans without an order."""

    kind: ClassVar[str] = "categorical"


@dataclass(frozen=True, slots=True)
class Ordinal(Choice):
    """One of several values in the order in which they are given: [coarse, medium, fine]."""

    kind: ClassVar[str] = "ordinal"

    def steps(self, value: Value) -> Sequence[Value]:
        place = self._index[value]
        return [self.choices[near] for near in (place - 1, place + 1) if 0 <= near < len(self.choices)]


@dataclass(frozen=True, slots=True)
class Boolean(Choice):
    """False or True."""

    kind: ClassVar[str] = "boolean"

    choices: Sequence[Value] = field(default=(False, True), init=False)


@dataclass(frozen=True, slots=True)
class Constant(Parameter):
    """A value that never changes; it is passed to the objective and has no column in the unit cube."""

    kind: ClassVar[str] = "constant"

    value: Value

    def __post_init__(self) -> None:
        self._normalise_when()
        object.__setattr__(self, "value", to_choice(self.value))

    @property
    def cardinality(self) -> int:
        return 1

    def normalise(self, value: object) -> Value:
        candidate = native(value)
        if candidate != self.value or isinstance(candidate, bool) != isinstance(self.value, bool):
            raise SpaceError(f"{candidate!r} is not {self.value!r}, its constant value; leave it out")
        return self.value

    def to_unit(self, values: Sequence[Value]) -> Unit:
        return np.full(len(values), 0.5)

    def from_unit(self, u: Unit) -> Sequence[Value]:
        return [self.value] * len(u)

    def steps(self, value: Value) -> Sequence[Value]:
        return ()

    def levels(self, count: int) -> Sequence[Value]:
        return (self.value,)


KINDS: Mapping[str, type[Parameter]] = {
    cls.kind: cls for cls in (Real, Integer, Ordinal, Categorical, Boolean, Constant)
}


def _numbers(values: Sequence[Value], low: float, high: float) -> Unit:
    x = np.array(values)
    if x.dtype.kind not in "iuf":
        raise SpaceError("a value is no number")
    if x.size:
        for extreme in (x.min(), x.max()):  # both NaN if one value is
            check_within(extreme.item(), low, high)
    return x.astype(np.float64)


def _index(offset: Unit, count: int) -> list[int]:
    """Interval that each offset in [0, count] falls into; the last one includes its end."""
    return np.clip(np.floor(offset), 0, count - 1).astype(np.int64).tolist()  # type: ignore[no-any-return]  # numpy
