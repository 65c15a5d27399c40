"""The initial design: points that fill the space before a model knows anything.

Each point is a function of (space, seed, index) alone, whatever was asked before in this process.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock

import numpy as np

from asktell.errors import SpaceError
from asktell.space import Space
from asktell.trial import Value

_BLOCK = 128  # a power of two: Sobol sequences are balanced in blocks of these
_MAX_MISSES = 2**17  # points of the sequence without a feasible one, after which we say so
_SOBOL_KEY = 1  # keeps the scrambling independent of what engines draw, which seed by [seed, number]


def design_point(space: Space, seed: int, index: int) -> dict[str, Value]:
    """The index-th feasible point of a scrambled Sobol sequence over the unit cube.

    In a discrete space points may repeat. Raises SpaceError where feasible points are too rare.
    """
    return dict(_sequence(space, seed).point(index))


@lru_cache(maxsize=8)
def _sequence(space: Space, seed: int) -> _Sequence:
    return _Sequence(space, seed)


class _Sequence:
    """The feasible points of a Sobol sequence, computed as far as they were asked for."""

    def __init__(self, space: Space, seed: int) -> None:
        from scipy.stats import qmc  # slow to load

        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SOBOL_KEY,)))
        self._space = space
        self._sobol = qmc.Sobol(space.dims, scramble=True, seed=rng)
        self._feasible: list[dict[str, Value]] = []
        self._lock = Lock()

    def point(self, index: int) -> dict[str, Value]:
        with self._lock:
            misses = 0
            while len(self._feasible) <= index:
                if misses >= _MAX_MISSES:
                    raise SpaceError(
                        f"no feasible point among {misses} in a row of the design; "
                        "widen the bounds, or loosen the constraints"
                    )
                points = self._space.from_unit_many(self._sobol.random(_BLOCK))
                feasible = [point for point in points if self._space.is_feasible(point)]
                misses = 0 if feasible else misses + _BLOCK
                self._feasible.extend(feasible)
            return self._feasible[index]
