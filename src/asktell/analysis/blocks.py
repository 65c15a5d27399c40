"""Output arrays in pieces that are worth a task of dask's, whose price is far above that of a chunk."""

from __future__ import annotations

import math

import xarray as xr

BLOCK_BYTES = 8 * 1024 * 1024
"""Of an array that is read together."""


def in_blocks(variable: xr.Variable) -> xr.Variable:
    """A stored array, lazy, in pieces of whole stored chunks: many trials in one where they are small.

    A selection of one trial still reads no other.
    """
    stored: dict[str, int] = variable.encoding["preferred_chunks"]
    pieces = max(1, BLOCK_BYTES // (math.prod(stored.values()) * variable.dtype.itemsize))
    return variable.chunk({**stored, "trial": pieces * stored["trial"]} if "trial" in stored else stored)
