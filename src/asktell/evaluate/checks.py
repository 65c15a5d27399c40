"""Whether a result is one: names, finite objectives, declared outputs, `valid`.

A simulator that fails silently must not look like a great score, so everything that was promised is
looked at, and the message says what came instead.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asktell.config import RESERVED, OutputConfig
from asktell.errors import ExpressionError, TrialError
from asktell.evaluate.results import Array, Result
from asktell.expression import Expression
from asktell.metrics import MAX_NAME_BYTES
from asktell.trial import CoordRecord, Params


def check(
    result: Result,
    params: Params,
    *,
    objectives: Sequence[str],
    constraints: Sequence[str],
    outputs: Mapping[str, OutputConfig],
    valid: Iterable[Expression],
    parameters: Collection[str],
) -> Result:
    """The result with its objectives and dimensions named and its outputs in their declared types.

    objectives, constraints: must come as finite numbers; a lone objective may come without its name.
    parameters: every name of the space, inactive ones too. Raises TrialError.
    """
    required = (*objectives, *constraints)
    result = _name_single_number(result, required)
    _check_names(result, {*params, *parameters})
    for name in required:
        _check_number(result, name)
    arrays = {name: _name_dims(name, array, outputs.get(name)) for name, array in result.arrays.items()}
    for name, output in outputs.items():
        if name in arrays:
            arrays[name] = _as_declared(name, arrays[name], output)
        elif name not in result.values or output.dims or output.shape:
            came = "came as a single number" if name in result.values else _not_there(name, result)
            raise TrialError(f"output {name!r} {came}")
    for expression in valid:
        _check_valid(expression, params, result, parameters)
    coords = {name: coord for output in outputs.values() for name, coord in _declared_coords(output).items()}
    return Result(result.values, arrays, {**coords, **result.coords})


def _name_single_number(result: Result, required: Sequence[str]) -> Result:
    """A bare number is the one objective; a bare array is nothing that has a name."""
    if "" in result.arrays:
        shape = result.arrays[""].data.shape
        raise TrialError(
            f"the result is an array of shape {shape}; return it under a name: {{'name': array}}"
        )
    if "" not in result.values:
        return result
    if len(required) != 1:
        raise TrialError(f"the result is one number, but {', '.join(required)} are needed; return a dict")
    return replace(result, values={required[0]: result.values[""]})


def _check_names(result: Result, parameters: Collection[str]) -> None:
    for name in (*result.values, *result.arrays):
        if name in parameters:
            raise TrialError(f"the result's {name!r} has a parameter's name; call it something else")
        if name in RESERVED or name.startswith("metric_"):
            raise TrialError(f"{name!r} is a name that the store uses itself; call the result something else")
        if not name.isidentifier():
            raise TrialError(f"{name!r} is no name for a result; use letters, digits and '_'")
        if len(name.encode()) > MAX_NAME_BYTES:
            raise TrialError(f"'{name[:40]}...' is too long a name for a result; use a shorter one")
        if name in result.values and name in result.arrays:
            raise TrialError(f"the result holds {name!r} twice, as a number and as an array")


def _check_number(result: Result, name: str) -> None:
    if name in result.arrays:
        raise TrialError(f"{name!r} is an array of shape {result.arrays[name].data.shape}, not a number")
    if name not in result.values:
        raise TrialError(f"{name!r} {_not_there(name, result)}")
    if not math.isfinite(result.values[name]):
        raise TrialError(f"{name!r} is {result.values[name]}; a finite number is needed")


def _not_there(name: str, result: Result) -> str:
    there = [*result.values, *result.arrays]
    close = difflib.get_close_matches(name, there, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"is not in the result, which holds {', '.join(there) or 'nothing'}{hint}"


def _name_dims(name: str, array: Array, output: OutputConfig | None) -> Array:
    """Dimensions as declared, else as they came, else `<name>_dim_0`, ..."""
    data, came = array.data, array.dims
    declared = None if output is None or output.dims is None else tuple(output.dims)
    dims = declared or came or tuple(f"{name}_dim_{axis}" for axis in range(data.ndim))
    if len(dims) != data.ndim:
        raise TrialError(
            f"output {name!r} has shape {data.shape}, not the {len(dims)} dims {', '.join(dims)}"
        )
    if came and set(came) == set(dims):
        data = data.transpose([came.index(dim) for dim in dims])
    elif came and came != dims:
        raise TrialError(f"output {name!r} has dims {', '.join(came)}, but {', '.join(dims)} were declared")
    if len(set(dims)) < len(dims):
        raise TrialError(f"output {name!r} has dims {', '.join(dims)}; each needs a name of its own")
    return replace(array, data=_portable(name, data), dims=dims)


def _portable(name: str, data: NDArray[Any]) -> NDArray[Any]:
    """Little-endian, C-ordered; numbers only."""
    if data.dtype.kind not in "biufc" or data.dtype.itemsize > (16 if data.dtype.kind == "c" else 8):
        raise TrialError(
            f"output {name!r} is of type {data.dtype}; booleans, integers, floats and complex numbers of up"
            " to 8 bytes a part are kept"
        )
    return np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("<"))


def _as_declared(name: str, array: Array, output: OutputConfig) -> Array:
    shape = array.data.shape
    if output.shape is not None and shape != tuple(output.shape):
        raise TrialError(f"output {name!r} has shape {shape}, but {tuple(output.shape)} was declared")
    for dim, labels in output.coords.items():
        if dim in array.dims and shape[array.dims.index(dim)] != len(labels):
            raise TrialError(
                f"output {name!r} has {shape[array.dims.index(dim)]} positions along {dim},"
                f" but {len(labels)} coordinates were declared"
            )
    data = array.data if output.dtype is None else _cast(name, array.data, np.dtype(output.dtype))
    described = {"units": output.units, "long_name": output.description}
    return Array(data, array.dims, {**array.attrs, **{key: text for key, text in described.items() if text}})


def _cast(name: str, data: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """To the declared type, unless that would lose a value: digits of a float may go, nothing else."""
    if not np.can_cast(data.dtype, dtype, "same_kind"):
        raise TrialError(f"output {name!r} is of type {data.dtype}, which does not go into {dtype}")
    with np.errstate(over="ignore"):
        cast = data.astype(dtype)
    is_lost = (np.isfinite(data) & ~np.isfinite(cast)) if dtype.kind in "fc" else cast != data
    if np.any(is_lost):
        raise TrialError(f"output {name!r} holds {data[is_lost].flat[0]}, which does not go into {dtype}")
    return cast.astype(dtype.newbyteorder("<"), copy=False)


def _declared_coords(output: OutputConfig) -> dict[str, CoordRecord]:
    return {dim: CoordRecord((dim,), tuple(labels)) for dim, labels in output.coords.items()}


def _check_valid(expression: Expression, params: Params, result: Result, parameters: Collection[str]) -> None:
    """The condition must hold; one over a parameter that is not active says nothing."""
    known = {**params, **result.values}
    for name in sorted(expression.names - known.keys() - set(parameters)):
        raise TrialError(f"not valid: {expression.text}: {name!r} {_not_there(name, result)}")
    try:
        holds = expression.holds(known)
    except ExpressionError as error:
        raise TrialError(f"evaluate.valid: {error}") from error
    if not holds:
        found = ", ".join(f"{name} = {known[name]}" for name in sorted(expression.names))
        raise TrialError(f"not valid: {expression.text} does not hold ({found})")
