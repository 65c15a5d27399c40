"""Which trials of a history a Gaussian process looks at.

N  points asked        D  features
A  (N, D) scaled features: the process's own idea of distance
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

FIRST = 100
GROWTH = 1.15
LATE_SHARE = 64
"""See `settled`."""

_BEST = 8
_ELSEWHERE = 0.25  # of the proposals look around a point that is not among the best


def settled(is_pending: Mask) -> int:
    """Hyperparameters are fitted to what was told among this many first trials.

    It is a function of the history that hardly ever changes: the largest of 100, 115, 133, ... such
    that no more than one in 64 of that many first trials is pending; 100 always qualifies. So while
    there are few trials each tell leads to a fit, later one in some 15 %, and a late result among
    the settled ones to one more. Nothing depends on the order in which results came in, which a
    process that resumes could not know.
    """
    pending = np.cumsum(is_pending)
    largest = size = FIRST
    while size <= len(pending):
        if pending[size - 1] <= size // LATE_SHARE:
            largest = size
        size = int(size * GROWTH) + 1
    return largest


def local_centre(losses: Array, rng: np.random.Generator) -> int:
    """The row around which to look: one of the best points told, one time in four any of them.

    losses: (N,), NaN where there is none.
    """
    by_loss = np.argsort(losses, kind="stable")[: np.isfinite(losses).sum()]  # NaN comes last
    return int(rng.choice(by_loss if rng.random() < _ELSEWHERE else by_loss[:_BEST]))


def local_rows(
    points: Array, centre: Array, losses: Array, is_pending: Mask, limit: int
) -> tuple[Indices, Indices]:
    """`limit` rows to be conditioned on, ascending, and those of them that are near the centre.

    points: (N, D) scaled, N > limit; centre: (D,); losses: (N,), NaN where there is none.
    Half of the rows are the neighbourhood of the centre, within which a proposal is made. Up to a
    quarter are pending points near it; the rest are the best points of all, and some of every age
    for the shape of the whole.
    """
    told = np.flatnonzero(~is_pending)
    by_loss = told[np.argsort(losses[told], kind="stable")]
    by_distance = np.argsort(((points - centre) ** 2).sum(axis=1), kind="stable")
    running = by_distance[is_pending[by_distance]][: limit // 4]
    near = by_distance[~is_pending[by_distance]][: limit // 2]
    best = by_loss[: limit // 8]
    chosen = np.union1d(np.union1d(running, near), best)
    others = np.setdiff1d(told, chosen)
    spaced = np.linspace(0, len(others) - 1, min(limit - len(chosen), len(others))).astype(np.int64)
    return np.union1d(chosen, others[np.unique(spaced)]), np.union1d(near, running)
