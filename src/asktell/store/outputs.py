"""Outputs on their way from the worker into the view.

A small array rides in the worker's journal, and later shares a chunk with those of other trials. A
large one is encoded where it was made, into chunks of its own that the driver only has to rename:
no bytes travel. How an array is cut and encoded follows from its dtype and shape alone.
"""

from __future__ import annotations

import base64
import itertools
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asktell.durable import make_folder, replace_files
from asktell.errors import StoreError
from asktell.store.cf import json_attrs, variable_name
from asktell.store.encoding import chunk_name, encode_chunk, fill_of
from asktell.trial import ArrayRecord, ChunkRecord

SPOOL = "spool"
INLINE_BYTES = 256 * 1024
_CHUNK_BYTES = 32 * 1024 * 1024  # schedulers and network file systems dislike files much above twice that
_BLOCK_BYTES = 2 * 1024 * 1024
_BLOCK_ROWS = (64, 256)
_DTYPES = {
    "bool",
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64", "complex64", "complex128"),
}


class Spool:
    """A worker's own folder for encoded chunks. owner: the name of its journal segment."""

    def __init__(self, study_dir: Path, owner: str) -> None:
        self._study_dir = study_dir
        self._folder = study_dir / SPOOL / owner
        self._numbers = itertools.count()

    def put(self, name: str, chunks: Sequence[tuple[tuple[int, ...], bytes]]) -> tuple[ChunkRecord, ...]:
        """Make the encoded chunks of one array durable. The folder is made for the first of them."""
        if not self._folder.is_dir():
            make_folder(self._folder)
        number = next(self._numbers)
        paths = [self._folder / f"{number:06d}.{variable_name(name)}.{chunk_name(*key)}" for key, _ in chunks]
        replace_files((path, data) for path, (_, data) in zip(paths, chunks, strict=True))
        return tuple(
            ChunkRecord(path.relative_to(self._study_dir).as_posix(), key, len(data), zlib.crc32(data))
            for path, (key, data) in zip(paths, chunks, strict=True)
        )


def encode_output(
    name: str, array: NDArray[Any], dims: Sequence[str], attrs: Mapping[str, Any], spool: Spool
) -> ArrayRecord:
    """Record one trial's array; when this returns its chunks, if it has any, are durable.

    array: any shape, of booleans, integers, real or complex numbers; raises StoreError for others.
    """
    if array.dtype.name not in _DTYPES:
        raise StoreError(
            f"output '{name}' has dtype {array.dtype}; return numbers (text can be a coordinate)"
        )
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
    record = ArrayRecord(array.dtype.str, array.shape, tuple(dims), json_attrs(attrs))
    if is_inline(record):
        return replace(record, inline=base64.b64encode(array.tobytes()).decode())
    return replace(record, chunks=spool.put(name, [(key, encode_chunk(block)) for key, block in _cut(array)]))


def decode_inline(record: ArrayRecord) -> NDArray[Any]:
    """The array that rode along in the journal."""
    data = base64.b64decode(record.inline or "")
    return np.frombuffer(data, dtype=record.dtype).reshape(record.shape)


def is_inline(record: ArrayRecord) -> bool:
    """Arrays of this dtype and shape ride in the journal."""
    return _bytes(record) <= INLINE_BYTES


def chunk_shape(record: ArrayRecord) -> tuple[int, ...]:
    """How the view cuts arrays of this dtype and shape along (trial, *dims)."""
    if not is_inline(record):
        return (1, *_cut_shape(np.dtype(record.dtype), record.shape))
    low, high = _BLOCK_ROWS
    return (
        min(high, max(low, _BLOCK_BYTES // max(1, _bytes(record)))),
        *(max(1, size) for size in record.shape),
    )


def _bytes(record: ArrayRecord) -> int:
    return math.prod(record.shape) * np.dtype(record.dtype).itemsize


def _cut_shape(dtype: np.dtype[Any], shape: Sequence[int]) -> tuple[int, ...]:
    """Halve the longest axis until a chunk is small enough."""
    cut = list(shape)
    while math.prod(cut) * dtype.itemsize > _CHUNK_BYTES:
        axis = cut.index(max(cut))
        cut[axis] = -(-cut[axis] // 2)
    return tuple(cut)


def _cut(array: NDArray[Any]) -> list[tuple[tuple[int, ...], NDArray[Any]]]:
    cut = _cut_shape(array.dtype, array.shape)
    counts = [-(-size // step) for size, step in zip(array.shape, cut, strict=True)]
    blocks = []
    for key in itertools.product(*map(range, counts)):
        part = array[tuple(slice(i * step, (i + 1) * step) for i, step in zip(key, cut, strict=True))]
        if part.shape != cut:
            whole = np.full(cut, fill_of(array.dtype), dtype=array.dtype)
            whole[tuple(map(slice, part.shape))] = part
            part = whole
        blocks.append((key, part[np.newaxis]))
    return blocks
