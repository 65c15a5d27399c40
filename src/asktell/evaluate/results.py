"""Reads what an attempt has left in its directory."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asktell.config import ResultConfig
from asktell.errors import TrialError
from asktell.evaluate.child import RETURNED_ARRAYS, RETURNED_JSON, coordinates, describe, plain_attributes
from asktell.trial import CoordRecord


@dataclass(frozen=True, slots=True)
class Array:
    """An output: numbers with named dimensions. dims: () where nobody has named them yet."""

    data: NDArray[Any]
    dims: tuple[str, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raised:
    """What a function that did not return left instead. error: for people; is_memory: a MemoryError."""

    error: str
    is_memory: bool = False


@dataclass(slots=True)
class Result:
    """Everything that an attempt came to, by name, before anything is checked."""

    values: dict[str, float] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    coords: dict[str, CoordRecord] = field(default_factory=dict)

    def add(self, name: str, value: float | Array) -> None:
        if isinstance(value, Array):
            self.arrays[name] = value
        else:
            self.values[name] = value


def read_returned(directory: Path) -> Result | Raised | None:
    """What `child` wrote; None where it wrote nothing. Raises TrialError for what cannot be kept."""
    try:
        content = json.loads((directory / RETURNED_JSON).read_bytes())
    except FileNotFoundError:
        return None
    if "invalid" in content:
        raise TrialError(content["invalid"])
    if "error" in content:
        return Raised(content["error"], content["is_memory"])
    arrays: list[NDArray[Any]] = []
    if content["arrays"]:
        with np.load(directory / RETURNED_ARRAYS, allow_pickle=False) as file:
            arrays = [file[f"arr_{index}"] for index in range(len(content["arrays"]))]
    return _assemble(content, arrays)


def from_object(returned: object) -> Result:
    """The result of a function that was called in this process. Raises TrialError."""
    return _assemble(*describe(returned))


def _assemble(content: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> Result:
    return Result(
        values=dict(content["values"]),
        arrays={
            name: Array(arrays[it["index"]], tuple(it["dims"]), it["attrs"])
            for name, it in content["arrays"].items()
        },
        coords={name: _coord(it) for name, it in content["coords"].items()},
    )


def _coord(content: Mapping[str, Any]) -> CoordRecord:
    return CoordRecord(tuple(content["dims"]), tuple(content["values"]), content["attrs"])


def read_command(directory: Path, config: ResultConfig) -> Result:
    """The results of a command, from wherever the study says they are. Raises TrialError."""
    result = Result()
    if config.json_file is not None:
        path = directory / config.json_file
        if path.exists():
            _read_json(path, result)
        elif not config.arrays and not config.stdout:
            raise TrialError(
                f"the command ended well but left no {config.json_file} in its directory; write it there,"
                " or say under evaluate.result where its results are (json, arrays, stdout)"
            )
    for name, place in config.arrays.items():
        _read_array(directory, name, place, result)
    for name, pattern in config.stdout.items():
        result.values[name] = _last_match(directory / "stdout", name, pattern)
    return result


def _read_json(path: Path, result: Result) -> None:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise TrialError(f"{path.name} is no JSON: {error}") from error
    for name, item in content.items() if isinstance(content, dict) else [("", content)]:
        if item is None:  # JSON has no NaN; many programs write null for it
            result.values[name] = math.nan
        elif isinstance(item, list):
            result.add(name, _from_list(name, item))
        elif isinstance(item, (int, float)):
            result.values[name] = float(item)
        else:
            raise TrialError(
                f"{path.name}: {name!r} is {item!r:.80}, not a number or nested lists of numbers"
            )


def _from_list(name: str, item: list[Any]) -> Array:
    try:
        data = np.asarray(item)
    except ValueError as error:
        raise TrialError(f"{name!r}: its lists have unequal lengths; an array needs equal ones") from error
    if data.dtype.kind == "O":  # null among numbers
        data = np.asarray(item, dtype=float)
    return Array(data)


_PLACE = re.compile(r"(?P<file>.+?)(?:\[(?P<key>[^\[\]]+)\])?")


def _read_array(directory: Path, name: str, place: str, result: Result) -> None:
    """Read 'a.npy', 'a.npz[key]' or 'a.nc[variable]'; without a key the array's own name, or the only one."""
    match = _PLACE.fullmatch(place)
    if match is None:
        raise TrialError(f"evaluate.result.arrays.{name}: {place!r} names no file")
    path, key = directory / match["file"], match["key"]
    if not path.exists():
        raise TrialError(f"the command ended well but left no {match['file']}, which {name!r} is read from")
    try:
        match path.suffix:
            case ".npy":
                result.add(name, _scalar_or_array(np.load(path, allow_pickle=False)))
            case ".npz":
                with np.load(path, allow_pickle=False) as file:
                    result.add(name, _scalar_or_array(file[_pick(key, name, file.files, path)]))
            case ".nc" | ".h5":
                _read_netcdf(path, key, name, result)
            case suffix:
                raise TrialError(f"{place}: files of type {suffix!r} are not read; use .npy, .npz or .nc")
    except (ValueError, OSError, EOFError) as error:
        if isinstance(error, TrialError):
            raise
        raise TrialError(f"{place} cannot be read: {error}") from error


def _read_netcdf(path: Path, key: str | None, name: str, result: Result) -> None:
    import xarray

    with xarray.open_dataset(path, decode_times=False) as dataset:
        variable = dataset[_pick(key, name, [str(it) for it in dataset.data_vars], path)].load()
    if variable.ndim == 0:
        result.values[name] = float(variable)
        return
    dims = tuple(str(dim) for dim in variable.dims)
    result.arrays[name] = Array(variable.values, dims, plain_attributes(variable.attrs))
    result.coords |= {str(it): _coord(content) for it, content in coordinates(variable).items()}


def _pick(key: str | None, name: str, there: Sequence[str], path: Path) -> str:
    if key is None:
        key = there[0] if len(there) == 1 else name
    if key not in there:
        raise TrialError(f"{path.name} holds no {key!r}, only {', '.join(there) or 'nothing'}")
    return key


def _scalar_or_array(data: NDArray[Any]) -> float | Array:
    return float(data) if data.ndim == 0 and data.dtype.kind in "biuf" else Array(data)


def _last_match(path: Path, name: str, pattern: str) -> float:
    matches = re.findall(pattern, path.read_text(errors="replace"), re.MULTILINE)
    if not matches:
        raise TrialError(f"stdout has no match for {name!r}: {pattern}")
    text = str(matches[-1]).strip()
    try:
        return float(text.replace("D", "E").replace("d", "e"))  # Fortran writes 1.0D-3
    except ValueError:
        raise TrialError(f"stdout: {name!r} matched {text!r:.80}, which is no number") from None
