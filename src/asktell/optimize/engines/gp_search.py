"""Where a criterion is largest: over reals by gradients, over whatever is discrete by exact steps.

    q  points        d  columns of the unit cube        c  centres: known points worth a closer look

Gradient steps move reals only, so no category or integer is ever fractional on the way; those move
by single steps (another category, plus or minus 1, 2, 4, ...) to the best of all such neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import fmin_l_bfgs_b

from asktell.optimize.pending import Taken
from asktell.space import Boolean, Categorical, Integer, Real, Space
from asktell.space.space import INACTIVE
from asktell.trial import Params, Value

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

UNIFORM, LOCAL = 512, 768
"""Candidates: all over the region, and around its centres."""

STARTS = 6
MAX_EVERYTHING = 2000
"""A space of no more points is not searched: all of them are compared."""

_MAX_ITERATIONS = 40
_MAX_STEPS = 8
_ROUNDS = 2  # of gradients and steps in turn, where there is something discrete
_APART = 0.02  # largest difference in a column by which two starts differ at least
_RARE = 64  # fewer feasible candidates than this are topped up
_SHRINKING = (0.03, 0.01, 0.003)  # scales at which constrained points are refined
_BACKTRACK = 0.5 ** np.arange(7)
_VARIANTS = 3  # how a step that activates other parameters may set them


class Criterion(Protocol):
    """Something to be made large. unit: (q, d)."""

    def value(self, unit: Array) -> Array:
        """(q,)"""

    def with_gradient(self, unit: Array) -> tuple[Array, Array]:
        """(q,) and (q, d); the columns of what is not real are not looked at."""


@dataclass(frozen=True, slots=True)
class Region:
    """Where to look.

    centres: (c, d) places of points of the space; scales: (d,) about how far from them something
    else begins; low, high: (d,) bounds of what has an order. share: of the usual candidates, to be looked at.
    """

    centres: Array
    scales: Array
    low: Array
    high: Array
    share: float = 1.0


class Search:
    """Finds points of one space. Stateless: a search is a function of its arguments."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._parameters = [space.parameters[name] for name in space.columns]
        self._is_real = np.array([isinstance(p, Real) for p in self._parameters])
        self._is_unordered = np.array([isinstance(p, Categorical | Boolean) for p in self._parameters])
        self._is_conditional = np.array([p.when is not None for p in self._parameters])
        self._parents = {parent for p in self._parameters for parent in p.when or ()}
        self._is_plain = bool(
            self._is_real.all() and not space.constraints and not self._is_conditional.any()
        )
        total = space.cardinality
        is_small = total is not None and total <= MAX_EVERYTHING
        self._everything = space.to_unit_many(list(space.grid(levels=1))) if is_small else None

    def best(
        self, criterion: Criterion, region: Region, taken: Taken, rng: np.random.Generator
    ) -> tuple[Params, float] | None:
        """The feasible point of largest criterion that was found and is not taken, and its criterion."""
        for unit, value in zip(*self.survey(criterion, region, rng), strict=True):
            if unit not in taken:
                return self._space.from_unit(unit), float(value)
        return None

    def survey(self, criterion: Criterion, region: Region, rng: np.random.Generator) -> tuple[Array, Array]:
        """Places of feasible points, (q, d), and their criteria, (q,): finite ones, the largest first."""
        if self._everything is not None:
            found, values = self._everything, criterion.value(self._everything)
        else:
            candidates = self._candidates(region, rng)
            worth = criterion.value(candidates)
            starts = _spread(candidates, worth)
            climbed, reached = self._climb(criterion, candidates[starts], worth[starts], region, rng)
            found, values = np.concatenate([climbed, candidates]), np.concatenate([reached, worth])
        order = np.argsort(-values, kind="stable")
        order = order[np.isfinite(values[order])]
        return found[order], values[order]

    def _candidates(self, region: Region, rng: np.random.Generator) -> Array:
        """Places of feasible points, all over the region and around its centres: (q, d)."""
        uniform = rng.random((round(region.share * UNIFORM), self._space.dims))
        within = region.low + (region.high - region.low) * uniform
        everywhere = np.where(self._is_unordered, uniform, within)
        spread = 10.0 ** rng.uniform(-2.5, -0.3, round(region.share * LOCAL))
        near = self._around(region, spread, rng)
        found = self._feasible(np.concatenate([everywhere, near]))
        if len(found) < _RARE:
            found = np.concatenate([found, self._space.to_unit_many(self._space.sample(rng, _RARE))])
        return found

    def _around(self, region: Region, spread: Array, rng: np.random.Generator) -> Array:
        """One place by a random centre for each of `spread`, in units of the scales: (len(spread), d)."""
        q, d = len(spread), self._space.dims
        base = region.centres[rng.integers(len(region.centres), size=q)]
        is_moved = rng.random((q, d)) < np.clip(6.0 / d, 0.3, 1.0)
        steps = spread[:, None] * region.scales * rng.standard_normal((q, d))
        near = np.clip(base + steps * is_moved, region.low, region.high)
        # A category has no neighbourhood, an inactive parameter no value: these are drawn anew.
        is_redrawn = is_moved & self._is_unordered & (rng.random((q, d)) < 0.3)
        is_redrawn |= self._is_conditional & (base == INACTIVE)
        return np.where(is_redrawn, rng.random((q, d)), np.where(self._is_unordered, base, near))

    def _climb(
        self, criterion: Criterion, unit: Array, values: Array, region: Region, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Better points than the given ones: as many, or more."""
        for _ in range(1 if self._is_real.all() else _ROUNDS):
            if self._is_real.any():
                unit, values = self._ascend(criterion, unit, values, region)
            if not self._is_real.all():
                unit, values = self._step(criterion, unit, values, rng)
        if not self._space.constraints:
            return unit, values
        for scale in _SHRINKING:
            around = Region(unit[np.argsort(-values)[:2]], region.scales, region.low, region.high)
            near = self._feasible(self._around(around, np.full(64, scale), rng))
            unit, values = np.concatenate([unit, near]), np.concatenate([values, criterion.value(near)])
        return unit, values

    def _ascend(
        self, criterion: Criterion, unit: Array, values: Array, region: Region
    ) -> tuple[Array, Array]:
        """All points at once up their gradients, as one problem: the sum of their criteria."""
        is_free = self._is_real & self._active(unit)
        low = np.minimum(np.broadcast_to(region.low, unit.shape), unit)[is_free]
        high = np.maximum(np.broadcast_to(region.high, unit.shape), unit)[is_free]

        def negative(free: Array) -> tuple[float, Array]:
            moved = unit.copy()
            moved[is_free] = free
            value, gradient = criterion.with_gradient(moved)
            return -float(value.sum()), -gradient[is_free]

        if not is_free.any():
            return unit, values
        end = unit.copy()
        end[is_free], _, _ = fmin_l_bfgs_b(
            negative,
            unit[is_free],
            bounds=np.stack([low, high], axis=1),
            maxiter=_MAX_ITERATIONS,
            maxfun=_MAX_ITERATIONS + 15,
        )
        # Constraints are unknown to the gradients: go back until they hold.
        fractions = _BACKTRACK if self._space.constraints else _BACKTRACK[:1]
        return self._improve(criterion, unit, values, [unit + t * (end - unit) for t in fractions])

    def _step(
        self, criterion: Criterion, unit: Array, values: Array, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Each point to its best neighbour, for as long as that is better."""
        unit, values, moving = unit.copy(), values.copy(), np.arange(len(unit))
        for _ in range(_MAX_STEPS):
            neighbours = [list(self._neighbours(u, rng)) for u in unit[moving]]
            most = max(map(len, neighbours), default=0)
            # Lists of equal length, so that each turn has one neighbour of every point.
            turns = [np.array([near[k % len(near)] for near in neighbours]) for k in range(most)]
            if not turns:
                break
            moved, better = self._improve(criterion, unit[moving], values[moving], turns)
            has_moved = better > values[moving]
            unit[moving], values[moving], moving = moved, better, moving[has_moved]
        return unit, values

    def _improve(
        self, criterion: Criterion, unit: Array, values: Array, proposals: Sequence[Array]
    ) -> tuple[Array, Array]:
        """Each point, or the feasible one of best criterion among its proposals if that is better.

        proposals: k times (q, d).
        """
        places, is_feasible = self._project(np.concatenate(proposals))
        worth = np.full(len(places), -np.inf)
        if is_feasible.any():
            worth[is_feasible] = criterion.value(places[is_feasible])
        table = np.nan_to_num(worth, nan=-np.inf, neginf=-np.inf).reshape(len(proposals), len(unit))
        chosen, points = table.argmax(axis=0), np.arange(len(unit))
        is_better = table[chosen, points] > values
        moved = places.reshape(len(proposals), *unit.shape)[chosen, points]
        return np.where(is_better[:, None], moved, unit), np.where(is_better, table[chosen, points], values)

    def _neighbours(self, u: Array, rng: np.random.Generator) -> Iterator[Array]:
        """Places one discrete step away from the point at u, (d,), and u itself.

        A step that may activate other parameters comes several times, with values drawn for these.
        """
        yield u
        params = self._space.from_unit(u)
        for column, (name, parameter) in enumerate(zip(self._space.columns, self._parameters, strict=True)):
            if self._is_real[column] or name not in params:
                continue
            steps = _doubling(parameter, params[name]) if isinstance(parameter, Integer) else None
            for place in parameter.to_unit(parameter.steps(params[name]) if steps is None else steps):
                near = u.copy()
                near[column] = place
                yield near
                for _ in range(_VARIANTS if name in self._parents else 0):
                    yield np.where(self._is_conditional & (u == INACTIVE), rng.random(len(u)), near)

    def _feasible(self, unit: Array) -> Array:
        places, is_feasible = self._project(unit)
        return places[is_feasible]

    def _project(self, unit: Array) -> tuple[Array, Mask]:
        """The places of the points that own `unit`, and which are feasible."""
        if self._is_plain:
            return unit, np.ones(len(unit), dtype=bool)
        points = self._space.from_unit_many(unit)
        is_feasible = np.array([self._space.is_feasible(point) for point in points], dtype=bool)
        return self._space.to_unit_many(points), is_feasible

    def _active(self, unit: Array) -> Mask:
        """Which columns mean something at each point: (q, d)."""
        if not self._is_conditional.any():
            return np.ones(unit.shape, dtype=bool)
        points = self._space.from_unit_many(unit)
        return np.array([[name in point for name in self._space.columns] for point in points])


def _doubling(parameter: Integer, value: Value) -> list[Value]:
    """value +- 1, 2, 4, ...: a wide range is crossed in few steps, and the last ones are exact."""
    sizes = 2 ** np.arange((parameter.high - parameter.low).bit_length(), dtype=np.int64)
    steps = [int(value) + sign * int(size) for size in sizes for sign in (-1, 1)]
    return [near for near in steps if parameter.low <= near <= parameter.high]


def _spread(unit: Array, values: Array) -> list[int]:
    """Rows of the best of the candidates, none close to a better one."""
    chosen: list[int] = []
    for i in np.argsort(-values, kind="stable"):
        if len(chosen) == STARTS:
            break
        if not chosen or np.abs(unit[chosen] - unit[i]).max(axis=1).min() > _APART:
            chosen.append(int(i))
    return chosen
