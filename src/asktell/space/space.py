"""The search space: parameters, their conditions and constraints, and the unit cube.

    n  points
    d  columns of the unit cube: one per parameter that is no constant, in the order of declaration
    u  (d,) a point of the unit cube; U: (n, d)

A point is a dict of native values, in the order of declaration, without the parameters that its
conditions make inactive. In the unit cube an inactive parameter sits at 0.5.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asktell.errors import ExpressionError, SpaceError
from asktell.expression import Expression
from asktell.html import card, facts, table
from asktell.space.conditions import Conditions, suggestion
from asktell.space.parameters import KINDS, Choice, Constant, Parameter, Unit
from asktell.space.table import HEADERS, rows
from asktell.trial import Params, Value

INACTIVE = 0.5
_MAX_MISSES = 100_000  # draws without one feasible point, after which we say so
_MAX_BATCH = 4096
_MAX_ROUNDS = 20  # of looking for neighbours that are new and feasible


class Space:
    """Parameters by name, and constraints such as 'min_length < max_length' between them.

    A constraint that mentions an inactive parameter is met. Immutable, picklable; spaces with the
    same specification are equal. Raises SpaceError for whatever makes no sense.
    """

    def __init__(self, parameters: Mapping[str, Parameter], constraints: Sequence[str] = ()) -> None:
        _check_names(parameters)
        if isinstance(constraints, str):
            raise SpaceError(f"constraints is {constraints!r}; give a list of expressions")
        self.parameters: Mapping[str, Parameter] = dict(parameters)
        self.names: tuple[str, ...] = tuple(parameters)
        self.columns: tuple[str, ...] = tuple(
            name for name, parameter in parameters.items() if not isinstance(parameter, Constant)
        )
        if not self.columns:
            raise SpaceError("the space has nothing to vary; add a parameter that is no constant")
        self.constraints: tuple[str, ...] = tuple(constraints)
        self._conditions = Conditions(self.parameters)
        self._constraints = tuple(self._constraint(text) for text in constraints)

    @property
    def dims(self) -> int:
        """Number of columns of the unit cube."""
        return len(self.columns)

    @cached_property
    def cardinality(self) -> int | None:
        """Number of distinct points, constraints aside; None where there is a continuum."""
        return self._conditions.count()

    def validate(self, params: Mapping[str, object]) -> dict[str, Value]:
        """`params` as a point: native values, constants filled in, inactive parameters left out.

        Constraints are not looked at (see `violated`). Raises SpaceError that names parameter, value, remedy.
        """
        if unknown := [name for name in params if name not in self.parameters]:
            raise SpaceError(
                f"there is no parameter {unknown[0]!r}; {suggestion(str(unknown[0]), self.names)}"
            )
        found: dict[str, Value] = {}
        for name in self._conditions.order:
            if not self._conditions.is_active(name, found):
                continue
            parameter = self.parameters[name]
            if name in params:
                try:
                    found[name] = parameter.normalise(params[name])
                except SpaceError as error:
                    raise SpaceError(f"{name}: {error}") from None
            elif isinstance(parameter, Constant):
                found[name] = parameter.value
            else:
                raise SpaceError(f"{name} is missing; give a value for it")
        return {name: found[name] for name in self.names if name in found}

    def active(self, params: Params) -> tuple[str, ...]:
        """Names of the parameters that exist where those they depend on are as in `params`."""
        return tuple(name for name in self.names if self._conditions.is_active(name, params))

    def violated(self, params: Params) -> tuple[str, ...]:
        """The constraints that a valid point does not meet."""
        return tuple(constraint.text for constraint in self._constraints if not constraint.holds(params))

    def is_feasible(self, params: Params) -> bool:
        """Whether a valid point meets all constraints."""
        return all(constraint.holds(params) for constraint in self._constraints)

    def to_unit(self, params: Params) -> Unit:
        """The point's place in the unit cube: (d,). Raises SpaceError if it is not valid."""
        unit: Unit = self.to_unit_many([params])[0]
        return unit

    def to_unit_many(self, points: Sequence[Params]) -> Unit:
        """Places of n valid points in the unit cube: (n, d). Raises SpaceError if one is not valid."""
        unit = np.full((len(points), self.dims), INACTIVE)
        try:
            for column, name in enumerate(self.columns):
                to_unit = self.parameters[name].to_unit
                if name in self._conditions.conditional:
                    rows = [i for i, point in enumerate(points) if self._conditions.is_active(name, point)]
                    unit[rows, column] = to_unit([points[i][name] for i in rows])
                else:
                    unit[:, column] = to_unit([point[name] for point in points])
        except (SpaceError, KeyError, TypeError):
            for point in points:
                self.validate(point)  # raises the error that names the parameter
            raise
        return unit

    def from_unit(self, u: ArrayLike) -> dict[str, Value]:
        """The point at a place in the unit cube, (d,); columns of inactive parameters are ignored."""
        return self.from_unit_many(np.asarray(u, dtype=np.float64)[np.newaxis])[0]

    def from_unit_many(self, unit: ArrayLike) -> list[dict[str, Value]]:
        """The points at n places in the unit cube, (n, d). Raises SpaceError for other shapes and for NaN."""
        places = np.asarray(unit, dtype=np.float64)
        if places.ndim != 2 or places.shape[1] != self.dims:
            raise SpaceError(f"the unit cube has {self.dims} columns, {places.shape} was given")
        if np.isnan(places).any():
            raise SpaceError("a place in the unit cube is NaN; give numbers in [0, 1]")
        places = np.clip(places, 0.0, 1.0)
        column = {name: places[:, i] for i, name in enumerate(self.columns)}
        blank = np.full(len(places), INACTIVE)
        values = [parameter.from_unit(column.get(name, blank)) for name, parameter in self.parameters.items()]
        points = [dict(zip(self.names, row, strict=True)) for row in zip(*values, strict=True)]
        for point in points:
            self._conditions.drop_inactive(point)
        return points

    def sample(self, rng: np.random.Generator, n: int) -> list[dict[str, Value]]:
        """n feasible points, uniform over the feasible part of the unit cube.

        Raises SpaceError where feasible points are rarer than one in 100,000.
        """
        found: list[dict[str, Value]] = []
        draws = 0
        while len(found) < n:
            if draws >= _MAX_MISSES * (len(found) + 1):
                raise self._no_feasible(draws, rng)
            missing = n - len(found)
            batch = min(max(2 * missing, 64), _MAX_BATCH) if self._constraints else missing
            points = self.from_unit_many(rng.random((batch, self.dims)))
            found.extend(point for point in points if self.is_feasible(point))
            draws += batch
        return found[:n]

    def neighbours(
        self, params: Params, rng: np.random.Generator, n: int, scale: float = 0.1
    ) -> list[dict[str, Value]]:
        """At most n distinct feasible points near `params`; fewer where there are not so many.

        About half are single steps of one discrete parameter (±1, another category), as far as there
        are any; the others move random subsets of the parameters by Gaussian steps of `scale` in the
        unit cube, categories by drawing anew. A child that a step activates is drawn at random.
        """
        origin = self.validate(params)
        steps = self._single_steps(origin)
        steps = steps[rng.permutation(len(steps))]
        found = _Distinct(origin)
        found.add(self._near(origin, steps[: (n + 1) // 2], rng))
        for _ in range(_MAX_ROUNDS):
            if (missing := n - len(found.points)) <= 0:
                break
            places = self._gaussian_steps(origin, rng, max(2 * missing, 64), scale)
            if not found.add(self._near(origin, places, rng)):
                break
        found.add(self._near(origin, steps[(n + 1) // 2 :], rng))
        return found.points[:n]

    def grid(self, levels: int) -> Iterator[dict[str, Value]]:
        """Every feasible distinct point, with reals at `levels` values from bound to bound."""
        if levels < 1:
            raise SpaceError(f"levels is {levels}; give at least 1")
        order = self._conditions.order

        def extend(known: dict[str, Value], depth: int) -> Iterator[dict[str, Value]]:
            if depth == len(order):
                point = {name: known[name] for name in self.names if name in known}
                if self.is_feasible(point):
                    yield point
            elif self._conditions.is_active(name := order[depth], known):
                for value in self.parameters[name].levels(levels):
                    yield from extend({**known, name: value}, depth + 1)
            else:
                yield from extend(known, depth + 1)

        return extend({}, 0)

    def specification(self) -> dict[str, Any]:
        """The space as JSON values, parameters as they stand in a study file."""
        return {
            "parameters": {name: parameter.specification() for name, parameter in self.parameters.items()},
            "constraints": list(self.constraints),
        }

    @classmethod
    def from_specification(cls, specification: Mapping[str, Any]) -> Space:
        """The space that `specification` describes. Raises SpaceError for what it cannot read."""
        parameters = {}
        for name, entry in specification["parameters"].items():
            options = dict(entry)
            kind = options.pop("type", None)
            if kind not in KINDS:
                raise SpaceError(f"{name}: there is no type {kind!r}; {suggestion(str(kind), KINDS)}")
            try:
                parameters[name] = KINDS[kind](**options)
            except (SpaceError, TypeError) as error:
                raise SpaceError(f"{name}: {error}") from None
        return cls(parameters, specification.get("constraints", ()))

    def __repr__(self) -> str:
        return f"Space({dict(self.parameters)!r}, {list(self.constraints)!r})"

    def _repr_html_(self) -> str:
        constraints = facts([("constraints", "\n".join(self.constraints))])
        return card("space", f"of {self.dims} dimensions", table(HEADERS, rows(self.parameters)), constraints)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @cached_property
    def _key(self) -> str:
        return json.dumps(self.specification())

    def _constraint(self, text: str) -> Expression:
        try:
            constraint = Expression(text)
            for name in sorted(constraint.names - self.parameters.keys()):
                raise SpaceError(f"there is no parameter {name!r}; {suggestion(name, self.names)}")
            if not constraint.is_condition:
                raise SpaceError("this is no condition; compare it with something")
            for name, values in constraint.tested.items():
                if isinstance(parameter := self.parameters.get(name), Choice):
                    for value in values:
                        parameter.normalise(
                            value
                        )  # a misspelt category would be a constraint that never holds
            # Mixed-up types ('method < 3') show at any point, feasible or not.
            constraint.holds({name: self.parameters[name].levels(1)[0] for name in constraint.names})
        except (SpaceError, ExpressionError) as error:
            message = str(error) if repr(text) in str(error) else f"{text!r}: {error}"
            raise SpaceError(f"constraint {message}") from None
        return constraint

    def _no_feasible(self, draws: int, rng: np.random.Generator) -> SpaceError:
        points = self.from_unit_many(rng.random((1000, self.dims)))
        shares = {c.text: sum(map(c.holds, points)) / len(points) for c in self._constraints}
        worst = min(shares, key=lambda text: shares[text])
        return SpaceError(
            f"hardly any point is feasible: {draws} draws were not enough; {worst!r} holds for "
            f"{shares[worst]:.1%} of them. Widen the bounds, or loosen the constraint"
        )

    def _single_steps(self, origin: Params) -> NDArray[np.float64]:
        """Places that differ from `origin` in one discrete parameter by one step: (k, d)."""
        base = self.to_unit(origin)
        rows = []
        for column, name in enumerate(self.columns):
            if name in origin:
                steps = self.parameters[name].steps(origin[name])
                moved = np.tile(base, (len(steps), 1))
                moved[:, column] = self.parameters[name].to_unit(steps)
                rows.append(moved)
        return np.concatenate(rows)

    def _gaussian_steps(
        self, origin: Params, rng: np.random.Generator, k: int, scale: float
    ) -> NDArray[np.float64]:
        """Places around `origin`, each with a random subset of its active parameters moved: (k, d)."""
        base = self.to_unit(origin)
        active = [column for column, name in enumerate(self.columns) if name in origin]
        is_moved = np.zeros((k, self.dims), dtype=bool)
        is_moved[:, active] = rng.random((k, len(active))) < rng.random((k, 1))
        is_moved[np.arange(k), rng.choice(active, k)] = True
        stepped = _reflect(base + scale * rng.standard_normal((k, self.dims)))
        has_no_order = [self.parameters[name].kind in ("categorical", "boolean") for name in self.columns]
        stepped = np.where(has_no_order, rng.random((k, self.dims)), stepped)
        return np.where(is_moved, stepped, base)

    def _near(
        self, origin: Params, places: NDArray[np.float64], rng: np.random.Generator
    ) -> Iterable[dict[str, Value]]:
        """Feasible points at `places`, with what was not moved exactly as in `origin`."""
        is_inactive = np.array([name not in origin for name in self.columns])
        unit = np.where(is_inactive, rng.random(places.shape), places)
        points = self.from_unit_many(unit)
        is_kept = ~is_inactive & (unit == self.to_unit(origin))
        for row, column in np.argwhere(is_kept).tolist():  # 0.3 stays 0.3, not 0.30000000000000004
            if (name := self.columns[column]) in points[row]:
                points[row][name] = origin[name]
        return filter(self.is_feasible, points)


class _Distinct:
    """Points without repetition, and without the one that they surround."""

    def __init__(self, origin: Params) -> None:
        self.points: list[dict[str, Value]] = []
        self._seen = {tuple(origin.items())}

    def add(self, points: Iterable[dict[str, Value]]) -> bool:
        """Adds those that are new; False if none was."""
        before = len(self.points)
        for point in points:
            if (key := tuple(point.items())) not in self._seen:
                self._seen.add(key)
                self.points.append(point)
        return len(self.points) > before


def _reflect(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places outside [0, 1] mirrored back at its ends."""
    return 1.0 - np.abs(1.0 - np.abs(places) % 2.0)


def _check_names(parameters: Mapping[str, Parameter]) -> None:
    for name, parameter in parameters.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise SpaceError(f"{name!r} cannot name a parameter; use letters, digits and _")
        if not isinstance(parameter, Parameter):
            raise SpaceError(f"{name} is {parameter!r}; give a parameter, such as Real(0.0, 1.0)")
