"""How the kernel sees the unit cube: numbers as they are, categories all equally far apart.

    n  points        d  columns of the unit cube        D  features
    F  (n, D) features

A column of real, integer or ordinal values is one feature. A categorical or boolean column of c
choices is c features, of which the point's own is 1/sqrt(2) and the others are 0: two different
categories are at distance 1, whichever they are. An inactive parameter sits at 0.5, where the space
puts it; that it is inactive shows in its parent's column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asktell.space import Boolean, Categorical, Space

Array = NDArray[np.float64]


class Features:
    """Features of points of one space. column: (D,) the column of the unit cube each belongs to."""

    def __init__(self, space: Space) -> None:
        parameters = [space.parameters[name] for name in space.columns]
        self._choices = [p.cardinality if isinstance(p, Categorical | Boolean) else 0 for p in parameters]
        self.dims = space.dims
        self.column = np.repeat(np.arange(self.dims), [max(c, 1) for c in self._choices])
        self._is_plain = not any(self._choices)

    def of(self, unit: Array) -> Array:
        """unit: (n, d). Returns (n, D)."""
        if self._is_plain:
            return unit
        return np.hstack(
            [_one_hot(u, c) if c else u[:, None] for u, c in zip(unit.T, self._choices, strict=True)]
        )

    def by_column(self, per_feature: Array) -> Array:
        """Sums over the features of each column. per_feature: (..., D); returns (..., d)."""
        if self._is_plain:
            return per_feature
        starts = np.searchsorted(self.column, np.arange(self.dims))
        return np.asarray(np.add.reduceat(per_feature, starts, axis=-1))


def _one_hot(u: Array, choices: int) -> Array:
    own = np.minimum((u * choices).astype(np.int64), choices - 1)
    return np.asarray(np.eye(choices)[own] * np.sqrt(0.5))
