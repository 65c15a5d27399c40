"""A study's results as xarray sees them."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from asktell.analysis.blocks import in_blocks
from asktell.directory import StudyDirectory
from asktell.errors import StudyError


def open(path: str | os.PathLike[str]) -> xr.Dataset:
    """The results of a study; also while it runs.

    path: of the study directory, or of its results.zarr; a URL needs fsspec. Along dim `trial`, in the
    order in which trials ended: one coordinate per parameter, one variable per objective, output and fact.
    What has one value per trial is loaded, arrays stay lazy. Raises StudyError where there are no results.
    """
    store = _store(os.fspath(path))
    found: xr.Dataset = xr.open_zarr(store, chunks=None)
    variables = found.variables.items()
    return found.assign(
        {name: _plain(item) if item.ndim < 2 else in_blocks(item) for name, item in variables}
    )


def _store(path: str) -> str | Path:
    if "://" in path:
        url = path.rstrip("/")
        return url if url.endswith(".zarr") else f"{url}/{StudyDirectory(Path()).store}"
    root = Path(path)
    store = root if root.suffix == ".zarr" else StudyDirectory(root).store
    if not (store / "zarr.json").is_file():
        raise StudyError(f"{path}: no results to open; is it a study directory that was run?")
    return store


def _plain(variable: xr.Variable) -> xr.Variable:
    loaded = variable.load()
    # NOTE: `Dataset.where` cannot promote numpy's StringDType (xarray 2026.7), so text becomes objects.
    return loaded.astype(object) if loaded.dtype.kind == "T" else loaded
