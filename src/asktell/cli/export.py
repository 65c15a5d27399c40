"""A study's results in one file, for programs that do not read zarr."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asktell.durable import check_folder
from asktell.errors import StoreError

if TYPE_CHECKING:
    import xarray as xr


def to_netcdf(results: xr.Dataset, file: Path) -> list[str]:
    """Write everything, some blocks of arrays at a time; returns no names, as nothing is left out.

    netCDF has no complex numbers: such an output becomes `<name>_real` and `<name>_imag`.
    Raises StoreError where no library for netCDF 4 is installed.
    """
    found = _without_complex(results).drop_encoding()
    found.attrs = _plain_attrs(found.attrs)
    for variable in found.variables.values():
        variable.attrs = _plain_attrs(variable.attrs)
    engine = _netcdf_engine()
    replace(file, lambda path: found.to_netcdf(path, engine=engine))
    return []


def to_csv(results: xr.Dataset, file: Path) -> list[str]:
    """Write a row per trial; returns the variables with more dimensions, which do not fit.

    Codes are written as what they mean ('completed'), times in ISO 8601, of texts the first line, so
    that a row is a line for every program.
    """
    columns = [str(name) for name, variable in results.variables.items() if variable.dims == ("trial",)]
    codes = {f"{name}_code" for name in columns if f"{name}_code" in columns}
    others = [name for name in columns if name not in codes | {"trial"}]
    parameters = [name for name in others if name in results.coords]
    values = [name for name in others if name not in results.coords]
    found = results[parameters + values].load()
    for name in values:
        if "flag_meanings" in found[name].attrs:
            found[name] = ("trial", _meanings(found[name]))
        elif found[name].dtype.kind in "OTU":
            found[name] = ("trial", [next(iter(str(text).splitlines()), "") for text in found[name].values])
    frame = found.to_dataframe()[parameters + values]
    replace(file, lambda path: frame.to_csv(path, date_format="%Y-%m-%dT%H:%M:%S.%fZ"))
    return [str(name) for name, variable in results.data_vars.items() if variable.ndim > 1]


def _meanings(variable: xr.DataArray) -> Any:
    """Words for codes; '' for what has no word."""
    words = str(variable.attrs["flag_meanings"]).split()
    flags = np.atleast_1d(variable.attrs["flag_values"]).tolist()
    by_code = {int(code): word for code, word in zip(flags, words, strict=True)}
    return np.array([by_code.get(int(code), "") for code in variable.values], dtype=object)


def _without_complex(results: xr.Dataset) -> xr.Dataset:
    names = [name for name, variable in results.data_vars.items() if variable.dtype.kind == "c"]
    parts = {f"{name}_{part}": getattr(results[name], part) for name in names for part in ("real", "imag")}
    return results.drop_vars(names).assign(parts)


def _plain_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes that netCDF holds: text, numbers and lists of them; all else as JSON."""
    return {str(name): value if _is_plain(value) else json.dumps(value) for name, value in attrs.items()}


def _is_plain(value: Any) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, list | tuple):
        return bool(value) and all(
            isinstance(item, int | float) and not isinstance(item, bool) for item in value
        )
    return isinstance(value, str | int | float | np.ndarray | np.generic)


def _netcdf_engine() -> Any:
    from importlib.util import find_spec

    for engine, package in (("h5netcdf", "h5netcdf"), ("netcdf4", "netCDF4")):
        if find_spec(package) is not None:
            return engine
    raise StoreError("netCDF needs another library; `pip install h5netcdf`, or export to a .csv file")


def replace(file: Path, write: Callable[[Path], object]) -> None:
    """Write beside the file and rename, so that nobody reads half of it."""
    check_folder(file)
    partial = file.with_name(f".{uuid.uuid4().hex[:8]}-{file.name}")
    try:
        write(partial)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
