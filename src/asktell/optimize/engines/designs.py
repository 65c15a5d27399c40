"""Engines that look at no result: random, Sobol, grid; and the design with which those with a model begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, zip_longest
from itertools import count as count_from

import numpy as np
from numpy.typing import NDArray

from asktell.errors import EngineError, SpaceExhausted
from asktell.optimize.design import design_point
from asktell.optimize.engines.options import GridOptions
from asktell.optimize.history import History, Proposal
from asktell.optimize.pending import Taken, unused_point
from asktell.space import Space
from asktell.trial import Origin, Params

MIN_TOLD = 2
"""A surrogate of fewer points says nothing."""

AT_ONCE = 64
"""Points that cost nothing are proposed so many at a time; then the first of them start."""

MAX_GRID = 50_000
"""Points beyond which a grid is refused: it is held in memory to be shuffled."""

MAX_REPEATS = 256
"""So many taken points of a Sobol sequence in a row mean a finite space that is almost used up."""

_GOOD = 0.25  # of an earlier study's points are good enough to be tried again
_APART = 0.1  # of a column's width: points nearer than that, on average over the columns, are alike


class RandomEngine:
    """Uniform draws, each from a generator of its own."""

    name = "random"
    reads = ()

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def at_once(self, history: History) -> int:
        return AT_ONCE

    def propose(self, history: History, number: int, count: int) -> list[Proposal]:
        taken = Taken(history.unit)

        def draw(offset: int) -> list[Proposal]:
            rng = np.random.default_rng([self._seed, number + offset])
            params = _take(self._space, taken, unused_point(self._space, taken, rng))
            return [Proposal(params, Origin.RANDOM)]

        return as_many_as_there_are(draw, count)


class SobolEngine:
    """The Sobol sequence of the initial design, for as long as the study lasts."""

    name = "sobol"
    reads = ()

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def at_once(self, history: History) -> int:
        return AT_ONCE

    def propose(self, history: History, number: int, count: int) -> list[Proposal]:
        taken = Taken(history.unit)
        design = Design(self._space, self._seed, history, taken)
        return as_many_as_there_are(lambda offset: [design.next_point(number + offset)], count)


class GridEngine:
    """Every point of a grid, once."""

    name = "grid"
    reads = ()

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

    def at_once(self, history: History) -> int:
        return AT_ONCE

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
        self._history = history
        self._taken = taken

    @cached_property
    def _indices(self) -> Iterator[int]:
        """Each point of the design that was proposed came from the first of these or a later one."""
        return count_from(_designed(self._history))

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


class DesignThenModel:
    """The design until there is enough for a model to learn from, then the model."""

    def __init__(self, space: Space, seed: int, initial: int) -> None:
        self._space = space
        self._seed = seed
        self._initial = initial

    def at_once(self, history: History) -> int:
        """1 as soon as there is a model; an engine whose model proposes more says so itself."""
        if self.is_modelled(history):
            return 1
        # The model waits for points of the design, or for results.
        left = self._initial - len(history.numbers)
        return left if left > 0 else AT_ONCE

    def propose(
        self,
        history: History,
        number: int,
        count: int,
        from_model: Callable[[History, Taken, int, int], list[Proposal]],
    ) -> list[Proposal]:
        """`count` points that belong together.

        from_model(history, taken, number, wanted): 1 to `wanted` new points, of which the first gets
        `number`. It sees points of the group that were found before as pending.
        """
        taken = Taken(history.unit)
        design = Design(self._space, self._seed, history, taken)
        known = history

        def propose_some(offset: int) -> list[Proposal]:
            nonlocal known
            if self.is_modelled(known):
                proposals = from_model(known, taken, number + offset, count - offset)
            else:
                proposals = [design.next_point(number + offset)]
            for proposal in proposals:
                unit = self._space.to_unit(proposal.params)
                taken.add(unit)
                known = known.with_pending(proposal, unit)
            return proposals

        return as_many_as_there_are(propose_some, count)

    def is_modelled(self, history: History) -> bool:
        """Whether the next point is one from the model."""
        told = int(history.is_told.sum())
        return len(history.numbers) >= self._initial and told >= max(MIN_TOLD, self._initial // 2)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What another study found: k points of this space. They are no trials of this one.

    params: k native points; unit: (k, d); losses: (k, m), minimised; is_feasible: (k,) bool.
    """

    params: Sequence[Params]
    unit: NDArray[np.float64]
    losses: NDArray[np.float64]
    is_feasible: NDArray[np.bool_]


def best_of_earlier(studies: Sequence[Earlier], count: int) -> list[Params]:
    """Up to `count` good points of earlier studies, each unlike those before it; the studies take turns.

    A design that begins with what was best on similar problems: Feurer, Springenberg and Hutter (2015).
    """
    turns = zip_longest(*([(study, row) for row in _good_rows(study)] for study in studies))
    units: list[NDArray[np.float64]] = []
    found: list[Params] = []
    for study, row in filter(None, chain.from_iterable(turns)):
        if len(found) == count:
            break
        unit = study.unit[row]
        if all(np.sqrt(np.mean((unit - other) ** 2)) > _APART for other in units):
            units.append(unit)
            found.append(study.params[row])
    return found


def _good_rows(study: Earlier) -> NDArray[np.int64]:
    """The best feasible rows, the best first: by loss, with several objectives by their worst rank."""
    rows = np.flatnonzero(study.is_feasible)
    ranks = study.losses[rows].argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    ordered = rows[ranks.max(axis=1).argsort(kind="stable")]
    return np.asarray(ordered[: max(1, round(_GOOD * len(ordered)))])


def state_of(seed: int, number: int) -> int:
    """The seed of proposal `number`, for libraries that want an integer below 2^32."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def as_many_as_there_are(propose: Callable[[int], list[Proposal]], count: int) -> list[Proposal]:
    """What `propose(offset)` finds, again and again; fewer than `count` where the space ends.

    Where it ends before the first, SpaceExhausted is raised.
    """
    found: list[Proposal] = []
    while len(found) < count:
        try:
            found += propose(len(found))
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
