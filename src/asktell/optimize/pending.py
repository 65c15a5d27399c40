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

Array = NDArray[np.float64]

TOLERANCE = 1e-6
"""Two points closer than this in every column of the unit cube are one."""

_FAR = 1e100  # spreads below the median: farther makes no difference, and its square would overflow


class Lie(StrEnum):
    """The loss that a pending point is given while it is not known.

    Constant liars and the Kriging believer (the surrogate's own mean): Ginsbourger, Le Riche and
    Carraro (2010), 'Kriging is well-suited to parallelize optimization'. MIN makes a pending point
    look like the best one, and so draws others to it.
    """

    MIN = "min"
    MEAN = "mean"
    MAX = "max"
    BELIEVER = "believer"


def constant_lie(lie: Lie, z: Array) -> float:
    """The one loss that every pending point gets. z: (n,), n > 0; `lie` is not BELIEVER."""
    match lie:
        case Lie.MIN:
            return float(z.min())
        case Lie.MEAN:
            return float(z.mean())
        case Lie.MAX:
            return float(z.max())
        case Lie.BELIEVER:
            raise ValueError("a believer has no constant lie")


def standardised(losses: Array, tail: bool) -> Array:
    """Losses at mean 0 and standard deviation 1, in the same order; zeros where they are all equal."""
    return compressed(losses, tail)[0]


def compressed(losses: Array, tail: bool) -> tuple[Array, Array]:
    """Standardised losses, and the slope of what was done to each: (n,) and (n,).

    tail: beyond the median, in units of 1.4826 median absolute deviations, they grow as log(1 + x):
    a few terrible points then do not flatten what the surrogate sees of the good ones.
    """
    if not len(losses):
        return losses, losses
    largest = np.abs(losses).max() or 1.0
    z = losses / largest  # squares of 1e200 overflow
    slope = np.full_like(z, 1.0 / largest)
    if tail:
        z = z - np.median(z)
        spread = 1.4826 * np.median(np.abs(z)) or z.std()
        if spread > 0:
            slope = slope / (spread + np.maximum(z, 0.0))
            with np.errstate(over="ignore"):
                z = np.clip(z / spread, -_FAR, np.finfo(z.dtype).max)
            z = np.where(z > 0, np.log1p(np.maximum(z, 0.0)), z)
    z = z - z.mean()
    deviation = z.std()
    if deviation == 0:
        return np.zeros_like(z), np.zeros_like(z)
    return z / deviation, slope / deviation


def success(units: Array, succeeded: Array, failed: Array) -> Array:
    """How likely a trial succeeds, from those nearest to it.

    units: (C, d); succeeded: (s, d); failed: (f, d), at least one of both; returns (C,).
    Trials weigh exp(1 - (distance / distance of the nearest)^2): no length has to be chosen, around
    a failure it is the failure that counts, and a region where all fail is left.
    """
    from scipy.spatial.distance import cdist  # slow to load

    good, bad = (cdist(units, points, "sqeuclidean") for points in (succeeded, failed))
    nearest = np.minimum(good.min(axis=1, initial=np.inf), bad.min(axis=1, initial=np.inf))
    unit = np.maximum(nearest, TOLERANCE**2)[:, None]
    weights_good, weights_bad = (np.exp(1.0 - squares / unit).sum(axis=1) for squares in (good, bad))
    return np.asarray(weights_good / (weights_good + weights_bad))


class Taken:
    """Points that are not to be proposed again, whatever became of them."""

    def __init__(self, unit: Array) -> None:
        """unit: (N, d)."""
        self._unit = unit

    def __contains__(self, point: Array) -> bool:
        """point: (d,)."""
        return bool((np.abs(self._unit - point).max(axis=1) <= TOLERANCE).any())

    def free(self, points: Array) -> NDArray[np.bool_]:
        """Which of many points, (q, d), are not taken: (q,)."""
        from scipy.spatial import KDTree  # slow to load

        distance, _ = KDTree(self._unit).query(points, p=np.inf, distance_upper_bound=2.0 * TOLERANCE)
        return np.asarray(distance > TOLERANCE)

    def add(self, point: Array) -> None:
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
