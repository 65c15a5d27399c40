"""Other questions to a connectivity matrix, for `asktell retell ... --objective measures.py:efficiency`."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.sparse.csgraph import shortest_path


def efficiency(trial: xr.Dataset) -> float:
    """Global efficiency of the weighted graph: the mean of 1 / distance over pairs of regions.

    A connection is as long as the inverse of its weight (Rubinov and Sporns, 2010).
    """
    weights = trial.connectivity.values.astype(float)
    lengths = np.divide(1.0, weights, out=np.zeros_like(weights), where=weights > 0)  # 0 is no connection
    distances = shortest_path(lengths, directed=False)
    pairs = np.triu_indices(len(weights), k=1)
    return float(np.mean(1.0 / distances[pairs]))
