"""Engines that look at no result: random, Sobol, grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import count as count_from
from itertools import islice

import numpy as np

from asktell.errors import EngineError, SpaceExhausted
from asktell.optimize.design import design_point
from asktell.optimize.engines.options import GridOptions
from asktell.optimize.history import History, Proposal
from asktell.optimize.pending import Taken, unused_point
from asktell.space import Space
from asktell.trial import Origin, Params

MAX_GRID = 50_000
"""Points beyond which a grid is refused: it is held in memory to be shuffled."""

MAX_REPEATS = 256
"""So many taken points of a Sobol sequence in a row mean a finite space that is almost used up."""


class RandomEngine:
    """Uniform draws, each from a generator of its own."""

    name = "random"

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def propose(self, history: History, number: int, count: int) -> list[Proposal]:
        taken = Taken(history.unit)

        def draw(offset: int) -> Proposal:
            rng = np.random.default_rng([self._seed, number + offset])
            return Proposal(_take(self._space, taken, unused_point(self._space, taken, rng)), Origin.RANDOM)

        return as_many_as_there_are(draw, count)


class SobolEngine:
    """The Sobol sequence of the initial design, for as long as the study lasts."""

    name = "sobol"

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def propose(self, history: History, number: int, count: int) -> list[Proposal]:
        taken = Taken(history.unit)
        design = Design(self._space, self._seed, history, taken)
        return as_many_as_there_are(lambda offset: design.next_point(number + offset), count)


class GridEngine:
    """Every point of a grid, once."""

    name = "grid"

    def __init__(self, space: Space, seed: int, options: GridOptions) -> None:
        self._space = space
        self._seed = seed
        self._options = options

    @cached_property
    def _points(self) -> list[Params]:
        points: list[Params] = list(islice(self._space.grid(self._options.levels), MAX_GRID + 1))
        if len(points) > MAX_GRID:
            raise EngineError(
                f"engine 'grid': levels: {self._options.levels} gives more than {MAX_GRID} points; "
                "take fewer levels, or use sobol"
            )
        if not self._options.shuffle:
            return points
        return [points[i] for i in np.random.default_rng(self._seed).permutation(len(points))]

    def propose(self, history: History, number: int, count: int) -> list[Proposal]:
        taken = Taken(history.unit)
        start = _designed(history)
        found: list[Proposal] = []
        for params in islice(self._points, start, None):
            if len(found) == count:
                break
            if self._space.to_unit(params) not in taken:
                found.append(Proposal(_take(self._space, taken, params), Origin.INITIAL))
        if not found:
            raise SpaceExhausted(
                f"all {len(self._points)} points of the grid were proposed; take more levels to go on"
            )
        return found


class Design:
    """The space-filling design: where a history stands in it, and what comes next."""

    def __init__(self, space: Space, seed: int, history: History, taken: Taken) -> None:
        self._space = space
        self._seed = seed
        self._taken = taken
        # Each point of the design that was proposed came from this index or a later one.
        self._indices: Iterator[int] = count_from(_designed(history))

    def next_point(self, number: int) -> Proposal:
        """The next point of the sequence that is not taken; it counts as taken from now on."""
        params: Params
        for index in islice(self._indices, MAX_REPEATS):
            params = design_point(self._space, self._seed, index)
            if self._space.to_unit(params) not in self._taken:
                return Proposal(_take(self._space, self._taken, params), Origin.INITIAL)
        params = unused_point(self._space, self._taken, np.random.default_rng([self._seed, number]))
        return Proposal(
            _take(self._space, self._taken, params),
            Origin.RANDOM,
            details={"fallback": "the design repeats itself"},
        )


def as_many_as_there_are(propose: Callable[[int], Proposal], count: int) -> list[Proposal]:
    """`propose(0)`, ..., `propose(count - 1)`; fewer where the space ends, which raises before the first."""
    found: list[Proposal] = []
    for offset in range(count):
        try:
            found.append(propose(offset))
        except SpaceExhausted:
            if not found:
                raise
            break
    return found


def _designed(history: History) -> int:
    return sum(origin is Origin.INITIAL for origin in history.origins)


def _take(space: Space, taken: Taken, params: Params) -> Params:
    taken.add(space.to_unit(params))
    return params
