"""zarr v3 as bytes: a variable's metadata and its encoded chunks, straight from the specification.

Going through zarr's array objects costs tens of milliseconds of CPU a trial, and nothing is encoded
here that zarr does not decode. Everything is a pure function of what it is given.

Text is an object array of str and becomes variable-length UTF-8; numbers are little-endian.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numcodecs.vlen import VLenUTF8
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

Fill = float | int | bool | str | complex
TEXT = np.dtype(object)
_ZSTD = {"level": 1, "checksum": True}


def fill_of(dtype: np.dtype[Any]) -> Fill:
    """What stands where there is no value: NaN, an empty text, 0 or false."""
    if dtype.kind == "f":
        return float("nan")
    if dtype.kind == "c":
        return complex("nan+nanj")
    if dtype.kind == "b":
        return False
    return "" if dtype == TEXT else 0


def array_metadata(
    dtype: np.dtype[Any],
    *,
    shape: Sequence[int],
    chunks: Sequence[int],
    dims: Sequence[str],
    fill: Fill,
    attrs: Mapping[str, Any],
) -> dict[str, Any]:
    """The array's zarr.json."""
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": "string" if dtype == TEXT else dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": _json_fill(dtype, fill),
        "codecs": [_serializer(dtype), {"name": "zstd", "configuration": dict(_ZSTD)}],
        "attributes": dict(attrs),
        "dimension_names": list(dims),
        "storage_transformers": [],
    }


def chunk_name(*index: int) -> str:
    """The file of a chunk inside its array's folder."""
    return ".".join(["c", *map(str, index)])


def encode_chunk(block: NDArray[Any]) -> bytes:
    """The bytes of a whole chunk; a chunk at an array's edge must be filled up first."""
    if block.dtype == TEXT:
        raw = VLenUTF8().encode(block.ravel())
    else:
        raw = np.ascontiguousarray(block, dtype=block.dtype.newbyteorder("<")).tobytes()
    return bytes(Zstd(**_ZSTD).encode(raw))


def text(value: object) -> str:
    """`value` as text that UTF-8 can hold: lone surrogates, as in undecodable file names, become '?'."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _serializer(dtype: np.dtype[Any]) -> dict[str, Any]:
    if dtype == TEXT:
        return {"name": "vlen-utf8", "configuration": {}}
    return (
        {"name": "bytes", "configuration": {"endian": "little"}} if dtype.itemsize > 1 else {"name": "bytes"}
    )


def _json_fill(dtype: np.dtype[Any], fill: Fill) -> Any:
    if dtype.kind == "c":
        return ["NaN", "NaN"]
    return "NaN" if dtype.kind == "f" else fill
