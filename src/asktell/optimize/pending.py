"""How points that were asked before enter the next proposal: never again, and with what loss.

N  points asked        d  columns of the unit cube        n  points told
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from asktell.errors import SpaceExhausted
from asktell.space import Space
from asktell.trial import Params

TOLERANCE = 1e-6
"""Two points closer than this in every column of the unit cube are one."""


class Lie(StrEnum):
    """The loss that a pending point is given while it is not known.

    The constant liars are Ginsbourger et al. (2010), section 4.3, the believer is section 4.2:
    the surrogate's own mean. MIN spreads points out most reluctantly: it makes a pending point look
    like the best one.
    """

    MIN = "min"
    MEAN = "mean"
    MAX = "max"
    BELIEVER = "believer"


def constant_lie(lie: Lie, losses: NDArray[np.float64]) -> float:
    """The one loss that every pending point gets. losses: (n,), n > 0; `lie` is not BELIEVER."""
    match lie:
        case Lie.MIN:
            return float(losses.min())
        case Lie.MEAN:
            return float(losses.mean())
        case Lie.MAX:
            return float(losses.max())
        case Lie.BELIEVER:
            raise ValueError("a believer has no constant lie")


class Taken:
    """Points that are not to be proposed again, whatever became of them."""

    def __init__(self, unit: NDArray[np.float64]) -> None:
        """unit: (N, d)."""
        self._unit = unit

    def __contains__(self, point: NDArray[np.float64]) -> bool:
        """point: (d,). In a space without columns any two points are the same."""
        distances = np.abs(self._unit - point).max(axis=1, initial=0.0)
        return bool((distances <= TOLERANCE).any())

    def add(self, point: NDArray[np.float64]) -> None:
        self._unit = np.vstack([self._unit, point])


def unused_point(space: Space, taken: Taken, rng: np.random.Generator) -> Params:
    """A random feasible point that is not taken.

    Raises SpaceExhausted: certain for a finite space, for one with real parameters the verdict of
    many draws.
    """
    for draws in (1, 15, 240):
        for params in space.sample(rng, draws):
            if space.to_unit(params) not in taken:
                return params
    if space.cardinality is not None:
        # Almost everything is taken, so the walk passes taken points and soon meets a free one.
        for params in space.grid(levels=1):
            if space.to_unit(params) not in taken:
                return params
    raise SpaceExhausted(
        "every point of the space was proposed before; widen the space or end the study here"
    )
