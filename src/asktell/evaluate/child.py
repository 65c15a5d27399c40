"""Loads a person's function, calls it, and writes what it returned. Runs in the evaluation's process.

The result goes to files in the attempt's directory: `returned.json` (scalars, names, errors; written last
and renamed into place) and `returned.npz` (arrays). No pickles, and nothing through pipes. numpy is
imported only for a result that needs it; a function that returns a float costs no import at all.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import numbers
import os
import random
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from asktell.errors import ConfigError, TrialError

RETURNED_JSON = "returned.json"
RETURNED_ARRAYS = "returned.npz"
PARAMS_JSON = "params.json"
ERROR_BYTES = 4000

Function = Callable[..., Any]


def main() -> None:
    """Entry point of a fresh interpreter. argv[2]: JSON with `target`, `folder` and `only_import`."""
    options = json.loads(sys.argv[2])
    sys.argv = [options["target"]]
    target, folder = options["target"], options["folder"]
    os._exit(
        _import(target, folder) if options["only_import"] else _evaluate(lambda: load_from(target, folder))
    )


def _import(target: str, folder: str) -> int:
    """Import the function and leave it at that; returns the process's exit code."""
    try:
        load_from(target, folder)
    except BaseException as error:  # noqa: BLE001 - whatever a person's module raises is what is to be told
        print(explain(error), file=sys.stderr, flush=True)
        return 1
    return 0


def prepare(target: str, folder: str) -> Callable[[], int]:
    """Import the function now, to be called in forks of this process; raises what the import raises."""
    function = load_from(target, folder)
    return lambda: _evaluate(lambda: function)


def load_from(target: str, folder: str) -> Function:
    """`load` with the study's folder as the working directory, as if the module were run from there."""
    previous = os.getcwd()
    os.chdir(folder)
    try:
        return load(target, Path(folder))
    finally:
        os.chdir(previous)


def load(target: str, folder: Path, key: str = "evaluate.call") -> Function:
    """The function that 'objective.py:evaluate' or 'package.module:function' names.

    The study's folder comes first on `sys.path`. Raises ConfigError, which names `key`, when there is no
    such function, and whatever the import raises.
    """
    place, _, name = target.rpartition(":")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    module = _import_file(folder / place) if place.endswith(".py") else importlib.import_module(place)
    function: Any = module
    for part in name.split("."):
        function = getattr(function, part, None)
    if not callable(function):
        known = ", ".join(
            key for key, item in vars(module).items() if callable(item) and not key.startswith("_")
        )
        raise ConfigError(f"{key}: {place} has no function {name!r}; it has: {known or 'none'}")
    return function  # type: ignore[no-any-return]  # getattr's result is Any


def _import_file(path: Path) -> ModuleType:
    """Import one file under its stem, so that processes which the function starts can import it too."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"evaluate.call: {path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _evaluate(obtain: Callable[[], Function]) -> int:
    """Call the function in this process's directory; returns the process's exit code."""
    directory, pid = Path.cwd(), os.getpid()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # so that the log can be followed, and survives a kill
            stream.reconfigure(line_buffering=True)
    try:
        function = obtain()
        seed_generators(int(os.environ["ASKTELL_SEED"]))
        params = json.loads((directory / PARAMS_JSON).read_bytes())
        result = function(**params)
        code = 0
        if os.getpid() == pid:  # else: a fork that the function made, and that came back here
            try:
                write_returned(result, directory)
            except TrialError as error:
                print(error, file=sys.stderr)
                _write_json(directory, {"invalid": str(error)})
    except BaseException as error:  # noqa: BLE001 - whatever a person's code raises is its attempt's error
        if os.getpid() == pid:
            text = explain(error)
            print(text, file=sys.stderr)
            _write_json(directory, {"error": text, "is_memory": isinstance(error, MemoryError)})
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # closed by the function
            pass
    return code


def seed_generators(seed: int) -> None:
    """Seed Python's and numpy's global generators: forks of one template would share their streams."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)


def write_returned(result: object, directory: Path) -> None:
    """Write a function's result; raises TrialError where it is nothing that can be kept."""
    described, arrays = describe(result)
    if arrays:
        import numpy as np

        np.savez(directory / RETURNED_ARRAYS, *arrays)  # numbered, since names may clash with savez's own
    _write_json(directory, described)


def explain(error: BaseException) -> str:
    """'ValueError: message', then the end of its traceback without asktell's own frames. At most 4 kB."""
    report = traceback.TracebackException.from_exception(error)
    _drop_frames(report)
    message = str(error).strip().splitlines()
    first = f"{type(error).__qualname__}: {message[0] if message else ''}".encode()[: ERROR_BYTES // 4]
    if not report.stack and report.__cause__ is None and report.__context__ is None:
        return first.decode(errors="ignore").strip()
    rest = "".join(report.format()).encode()[len(first) + 1 - ERROR_BYTES :]
    return b"\n".join((first, rest)).decode(errors="ignore").strip()


def _drop_frames(report: traceback.TracebackException | None) -> None:
    own = str(Path(__file__).parent)
    while report is not None:
        kept = [
            frame
            for frame in report.stack
            if not frame.filename.startswith(("<frozen importlib", own + os.sep))
        ]
        report.stack = traceback.StackSummary.from_list(kept)
        report = report.__cause__ or (None if report.__suppress_context__ else report.__context__)


def describe(result: object) -> tuple[dict[str, Any], list[Any]]:
    """A result as JSON values, and its arrays in the order in which those number them.

    A single number gets the name '', which is the one objective's. Raises TrialError.
    """
    xarray = sys.modules.get("xarray")  # it is loaded if the result is one of its types
    if xarray is not None and isinstance(result, xarray.Dataset):
        items: Mapping[Any, Any] = {
            **result.data_vars,
            **{name: it for name, it in result.coords.items() if it.ndim > 1},
        }
    elif isinstance(result, Mapping):
        items = result
    else:
        is_named = xarray is not None and isinstance(result, xarray.DataArray) and result.name is not None
        items = {result.name if is_named else "": result}  # type: ignore[attr-defined]  # a DataArray then
    values: dict[str, float] = {}
    fields: dict[str, dict[str, Any]] = {}
    coords: dict[str, dict[str, Any]] = {}
    arrays: list[Any] = []
    for name, item in items.items():
        if not isinstance(name, str):
            raise TrialError(f"the result has a key {name!r}; names of results are strings")
        value = _number_or_array(name, item)
        if isinstance(value, float):
            values[name] = value
            continue
        fields[name] = {"index": len(arrays), "dims": [], "attrs": {}}
        arrays.append(value)
        if xarray is not None and isinstance(item, xarray.DataArray):
            fields[name] |= {"dims": [str(dim) for dim in item.dims], "attrs": plain_attributes(item.attrs)}
            coords |= coordinates(item)
    return {"values": values, "arrays": fields, "coords": coords}, arrays


def _number_or_array(name: str, item: object) -> Any:
    """A float, or a numeric array of at least one dimension."""
    if isinstance(item, numbers.Real):  # Python's numbers and numpy's; also bool
        return float(item)
    called = f"{name!r}" if name else "the result"
    if item is None:
        hint = "" if name else "; did the function forget to return something?"
        raise TrialError(f"{called} is None, not a number or an array{hint}")
    if isinstance(item, (str, bytes, Mapping)):
        raise TrialError(f"{called} is {item!r:.80}, not a number or an array; only numbers are kept")
    import numpy as np

    try:
        array = np.asarray(item)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TrialError(f"{called} ({type(item).__name__}) is no array: {error}") from error
    if array.dtype.kind not in "biufc" or array.dtype.itemsize > 16 or array.dtype in (np.longdouble,):
        raise TrialError(
            f"{called} is an array of {array.dtype}; arrays of booleans, integers, floats or complex numbers"
            " of up to 8 bytes a part are kept"
        )
    if array.ndim == 0:
        if array.dtype.kind == "c":
            raise TrialError(f"{called} is a complex number; return its parts under names of their own")
        return float(array)
    return array


def coordinates(array: Any) -> dict[str, dict[str, Any]]:
    """The one-dimensional coordinates of a DataArray, as JSON values."""
    return {
        str(name): {
            "dims": [str(dim) for dim in coord.dims],
            "values": [_plain(value) for value in coord.values],
            "attrs": plain_attributes(coord.attrs),
        }
        for name, coord in array.coords.items()
        if coord.ndim == 1
    }


def plain_attributes(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as JSON values: numbers, strings and lists of them as they are, all else as text."""
    return {str(name): _plain(value) for name, value in attrs.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "dtype") and value.dtype.kind not in "biufU":
        return str(value)  # times, durations, objects
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, float) and math.isfinite(value) else str(value)


def _write_json(directory: Path, content: Mapping[str, Any]) -> None:
    temporary = directory / f"{RETURNED_JSON}.tmp"
    temporary.write_text(json.dumps(content))
    os.replace(temporary, directory / RETURNED_JSON)
