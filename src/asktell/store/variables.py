"""Variables of the view in memory: columns along `trial`, and coordinates of the outputs' own dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asktell.store.encoding import TEXT, Fill, array_metadata, fill_of

TRIAL = "trial"
BLOCK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the view. dims, shape: without `trial`; chunks: along (trial, *dims)."""

    name: str
    dtype: np.dtype[Any]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    fill: Fill = 0
    dims: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    chunks: tuple[int, ...] = (BLOCK_ROWS,)
    is_coordinate: bool = False

    def metadata(self, n_rows: int) -> dict[str, Any]:
        """The array's zarr.json when the view has `n_rows` rows."""
        return array_metadata(
            self.dtype,
            shape=(n_rows, *self.shape),
            chunks=self.chunks,
            dims=(TRIAL, *self.dims),
            fill=self.fill,
            attrs=self.attrs,
        )


def column_variable(
    name: str,
    dtype: str | type,
    attrs: Mapping[str, Any] | None = None,
    *,
    fill: Fill | None = None,
    is_coordinate: bool = False,
) -> Variable:
    """A variable with one value a trial; dtype `str` is text."""
    kind = TEXT if dtype is str else np.dtype(dtype)
    chosen = fill_of(kind) if fill is None else fill
    return Variable(name, kind, attrs or {}, chosen, is_coordinate=is_coordinate)


class Column:
    """A variable's values in blocks of whole chunks, filled up with the fill value.

    A block that holds nothing but fill values needs no file, and a value equal to it changes none.
    """

    def __init__(self, variable: Variable) -> None:
        self.variable = variable
        self.changed: set[int] = set()
        self._blocks: dict[int, NDArray[Any]] = {}
        self._dropped: set[int] = set()

    @property
    def rows(self) -> int:
        """Rows in a block."""
        return self.variable.chunks[0]

    def put(self, row: int, value: Any) -> None:
        """Set the value of a row: a scalar, or an array of the variable's shape."""
        if not isinstance(value, np.ndarray) and (value == self.variable.fill or value != value):
            return  # NaN is the fill value of every number that can be NaN
        index = row // self.rows
        self.block(index)[row % self.rows] = value
        self.changed.add(index)

    def block(self, index: int) -> NDArray[Any]:
        """The block's values: (rows, *shape)."""
        if index not in self._blocks:
            shape = (self.rows, *self.variable.shape)
            self._blocks[index] = np.full(shape, self.variable.fill, dtype=self.variable.dtype)
        return self._blocks[index]

    def values(self, n_rows: int) -> NDArray[Any]:
        """The first `n_rows` values: (n_rows, *shape). Nothing may have been dropped."""
        count = -(-n_rows // self.rows)
        blocks = [self.block(index) for index in range(count)]
        return np.concatenate(blocks)[:n_rows] if blocks else self.block(0)[:0]

    def drop(self, index: int) -> None:
        """Forget a block that is full and written, to keep memory bounded."""
        self._blocks.pop(index, None)
        self._dropped.add(index)

    def touch(self, indices: Sequence[int]) -> list[int]:
        """Have these blocks written again; returns those that cannot be, as they were dropped."""
        self.changed.update(index for index in indices if index not in self._dropped)
        return [index for index in indices if index in self._dropped]

    @property
    def kept(self) -> list[int]:
        """The blocks that are in memory."""
        return sorted(self._blocks)


@dataclass(frozen=True, slots=True)
class Coordinate:
    """Values along an output's own dimensions; known at once and whole."""

    name: str
    dims: tuple[str, ...]
    values: NDArray[Any]
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def metadata(self) -> dict[str, Any]:
        return array_metadata(
            self.values.dtype,
            shape=self.values.shape,
            chunks=[max(1, size) for size in self.values.shape],
            dims=self.dims,
            fill=fill_of(self.values.dtype),
            attrs=self.attrs,
        )
