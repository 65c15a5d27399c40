"""Joint groups: how points that are proposed to be evaluated together come to differ.

    q  candidates        D  features        k  points of the group        S  fantasies

greedy: each is proposed as if those before it ran already, as all proposals are. In a long study up to
`TOGETHER` points are chosen so from one set of candidates: the surrogate is conditioned and candidates are
found once for all of them, which costs little more than one proposal (`best_in_turn`).
qei: the same with many fantasies, drawn once for the whole group: the expectation of what a point adds
to E[max(best - min(f_1, ..., f_k), 0)], given those before it. That is q-EI, maximised point by point,
which costs no more than 1/e of what could be gained (Wilson, Hutter and Deisenroth, 2018).
kmeans: the region of high acquisition in k clusters, the best of each (Groves and Pyzer-Knapp, 2018,
who take the centres: but categories have none, and a ring's lies beside it).
thompson: each the minimum of a function of its own, drawn from the same posterior.
local_penalisation: each kept away from those before it by how far a better value can be from there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from asktell.optimize.engines.gp_criterion import Sum
from asktell.optimize.engines.options import Batch, GaussianProcessOptions, Pending
from asktell.optimize.pending import TOLERANCE
from asktell.optimize.surrogate import Posterior

Array = NDArray[np.float64]

INDEPENDENT = (Batch.THOMPSON, Batch.LOCAL_PENALISATION)
"""Ways in which the surrogate of one point of a group does not know of the others."""

TOGETHER = 8

_CANDIDATES = 512  # the best of those that were found
_IMAGINED = ("log_ei", "ei", "pi", "ucb", "random_ucb")
_DRAWS = 128
_HIGH = 16  # candidates a cluster: how many of the best are the region of high acquisition
_STARTS = 4
_LEAST = np.log(1e-6)  # of the largest acquisition: what a candidate weighs at least


def joint(options: GaussianProcessOptions) -> GaussianProcessOptions:
    """The options with which each point of a group is proposed."""
    match options.batch:
        case Batch.THOMPSON:
            return options.model_copy(update={"acquisition": "thompson"})
        case Batch.QEI:
            changes = {"acquisition": "log_ei", "pending": Pending.FANTASIES, "fantasies": _DRAWS}
            return options.model_copy(update=changes)
        case _:
            return options


def are_in_turn(options: GaussianProcessOptions, asked: int) -> bool:
    """Whether a greedy group shares its candidates, when so many points were asked before.

    Only in a long study: each point then is about as good as one of its own search, where a proposal
    on few points is quick anyway and hours of evaluation follow from it.
    """
    return (
        asked > options.max_points
        and options.batch is Batch.GREEDY
        and options.pending in (Pending.FANTASIES, Pending.BELIEVER)
        and options.acquisition in _IMAGINED
    )


def best_in_turn(
    criterion: Sum, posterior: Posterior, unit: Array, log_values: Array, draws: Array, *, counts: bool
) -> list[tuple[int, float]]:
    """Rows of up to k candidates, each the best given outcomes imagined for those before it, and criteria.

    unit: (q, d), the best first; log_values: (q,) logarithms of their criteria; draws: (k, S) outcomes, in
    standard deviations from their means. counts: whether an imagined outcome is one to improve on.
    """
    unit, log_values = unit[:_CANDIDATES], log_values[:_CANDIDATES]
    if not len(unit):
        return []
    pool = posterior.pool(unit)
    best = criterion.best
    limits = log_values - criterion.promise(pool.mean, pool.std, best)
    is_free = np.ones(len(unit), dtype=bool)
    chosen: list[tuple[int, float]] = []
    for draw in draws:
        worth = np.where(is_free, limits + criterion.promise(pool.mean, pool.std, best), -np.inf)
        i = int(worth.argmax())
        if not np.isfinite(worth[i]):
            break
        chosen.append((i, float(np.exp(worth[i]) if criterion.is_linear else worth[i])))
        is_free &= np.abs(unit - unit[i]).max(axis=1) > TOLERANCE
        pool.imagine(i, draw)
        if counts:
            best = np.minimum(best, pool.mean[i])
    return chosen


def best_of_clusters(points: Array, log_values: Array, k: int, rng: np.random.Generator) -> list[int]:
    """Rows of the best candidate of each of up to k clusters, the best one first.

    points: (q, D) scaled features; log_values: (q,) logarithms of their acquisition, which they weigh.
    """
    from sklearn.cluster import KMeans  # slow to load

    order = np.argsort(-log_values, kind="stable")
    order = order[np.isfinite(log_values[order])][: _HIGH * k]
    _, first = np.unique(points[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    if len(order) <= k:
        return [int(i) for i in order]
    weights = np.exp(np.maximum(log_values[order] - log_values[order[0]], _LEAST))
    with threadpool_limits(1):
        means = KMeans(k, n_init=_STARTS, random_state=int(rng.integers(2**31)))
        clusters = means.fit(points[order], sample_weight=weights).labels_
    # In descending order of acquisition, the first of each cluster is its best.
    _, best = np.unique(clusters, return_index=True)
    return [int(order[i]) for i in np.sort(best)]
