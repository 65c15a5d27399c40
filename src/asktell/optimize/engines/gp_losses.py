"""What the `gp` engine's surrogates are shown of losses and bounded outcomes, and how uncertain it is.

    n  points told        m  objectives        w  (m,) weights, not negative, sum 1
    t  (n, m) losses with their tails compressed        u  (n, m) t scaled to [0, 1]
    f  (n,) max_j w_j u_j + rho sum_j w_j u_j: the augmented Chebyshev distance from the best of each
    z  (n,) f with its tail compressed, mean 0, standard deviation 1        v  (n,) known variances of z

Several objectives become one by weights that are drawn anew for each proposal, so that proposals
spread along the front: ParEGO (Knowles, 2006). Compressing a tail keeps the order within an
objective, and so the front; without it, one terrible value would make all others equally good.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asktell.optimize.pending import compressed

Array = NDArray[np.float64]

_RHO = 0.05  # as in the paper
_WEIGHTS_KEY = 3  # keeps weights independent of what is drawn for proposals
_NEAR = 10.0  # times that an outcome may be as far out of bounds as it goes within, before it is compressed
_NEAREST = 0.1  # a share of the points that is shown without compression at least
_MAX_VARIANCE = 1e6  # of z; what is known less well is not known


class Shown(NamedTuple):
    """z and v, (n,) each."""

    z: Array
    variance: Array


def draw_weights(objectives: int, seed: int, number: int) -> Array:
    """The weights of proposal `number`, uniform on the simplex: (m,)."""
    if objectives == 1:
        return np.ones(1)
    rng = np.random.default_rng(np.random.SeedSequence([seed, number], spawn_key=(_WEIGHTS_KEY,)))
    return rng.dirichlet(np.ones(objectives))


def shown(losses: Array, errors: Array, weights: Array, *, tail: bool) -> Shown:
    """z and v. losses: (n, m); errors: (n, m) standard errors of them, 0 where none is known.

    tail: see `compressed`. Errors are carried through to first order.
    """
    if len(weights) == 1:
        scalar, error = losses[:, 0], errors[:, 0]
    else:
        scalar, error = scalarised(losses, errors, weights, tail=tail)
    z, slope = compressed(scalar, tail)
    # Losses all but 0 have an infinite slope.
    known = np.multiply(slope, error, where=error > 0, out=np.zeros_like(error))
    return Shown(z, np.minimum(known**2, _MAX_VARIANCE))


def scalarised(losses: Array, errors: Array, weights: Array, *, tail: bool) -> tuple[Array, Array]:
    """f and its standard errors, (n,) each."""
    columns = [compressed(column, tail) for column in losses.T]
    t, slope = (np.stack(parts, axis=1).reshape(losses.shape) for parts in zip(*columns, strict=True))
    low, span = t.min(axis=0, initial=np.inf), np.ptp(t, axis=0) if len(t) else np.ones(losses.shape[1])
    span = np.where(span > 0, span, 1.0)
    weighted = weights * (t - low) / span
    is_largest = np.arange(losses.shape[1]) == weighted.argmax(axis=1)[:, None]
    error = (is_largest + _RHO) * weights * slope / span * errors
    return weighted.max(axis=1) + _RHO * weighted.sum(axis=1), np.sqrt((error**2).sum(axis=1))


def about_bounds(values: Array, low: float, high: float) -> Callable[[Array], Array]:
    """How an outcome is shown: 0 at its bound, or amid two; linear nearby, hardly growing farther away.

    values: (n,), by which 'nearby' is found; either bound may be infinite. The order stays, so the bounds
    mean the same; but the value of a solver that diverged, or one that grows exponentially, hides nothing.
    """
    bounds = [bound for bound in (low, high) if math.isfinite(bound)]
    if not bounds or not len(values):
        return lambda x: x
    middle = sum(bounds) / len(bounds)
    away = np.abs(values - middle)
    sides = [side.max() for side in (away[values < middle], away[values > middle]) if len(side)]
    # How far the side goes that goes less far, unless nearly all of the points are nearer than that.
    reach = min(sides) if len(sides) == 2 else np.median(away)
    near = _NEAR * float(max(reach, np.quantile(away, _NEAREST), bounds[-1] - middle)) or 1.0

    def shape(x: Array) -> Array:
        distance = np.abs(x - middle)
        farther = np.log1p(np.log(np.maximum(distance, near)) - math.log(near))  # one log leaves 700 of 1e300
        return np.sign(x - middle) * (np.minimum(distance, near) / near + farther)

    return shape
