"""A study's results as xarray sees them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from asktell.directory import StudyDirectory
from asktell.errors import StudyError

if TYPE_CHECKING:
    import xarray as xr


def open(path: str | os.PathLike[str]) -> xr.Dataset:
    """The results of a study, lazily; also while it runs.

    path: of the study directory, or of its results.zarr. Along dim `trial`, in the order in which
    trials ended: one coordinate per parameter, one variable per objective, output and fact.
    """
    import xarray as xr

    root = Path(path)
    store = root if root.suffix == ".zarr" else StudyDirectory(root).store
    if not (store / "zarr.json").is_file():
        raise StudyError(f"{path}: no results to open; is it a study directory that was run?")
    found: xr.Dataset = xr.open_zarr(store)
    # NOTE: `Dataset.where` cannot promote numpy's StringDType (xarray 2026.7), so text becomes objects.
    text = {name: item.astype(object) for name, item in found.variables.items() if item.dtype.kind == "T"}
    return found.assign(
        {name: item for name, item in text.items() if name not in found.coords}
    ).assign_coords({name: item for name, item in text.items() if name in found.coords})
