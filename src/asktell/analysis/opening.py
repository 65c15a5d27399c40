"""A study's results as xarray sees them."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr
from fsspec.core import url_to_fs

from asktell.analysis.blocks import in_blocks
from asktell.directory import StudyDirectory
from asktell.errors import StudyError


def open(path: str | os.PathLike[str]) -> xr.Dataset:
    """The results of a study; also while it runs.

    path: of the study directory, or of its results.zarr; or the URL of either (http needs the extra
    `remote`, other protocols their fsspec library). Along dim `trial`, in the order in which trials
    ended: one coordinate per parameter, one variable per objective, output and fact.
    What has one value per trial is loaded, arrays stay lazy. Raises StudyError where there are no results.
    """
    name = os.fspath(path)
    return _remote(name) if "://" in name else _local(name)


def _local(path: str) -> xr.Dataset:
    root = Path(path)
    store = root if root.suffix == ".zarr" else StudyDirectory(root).store
    if not (store / "zarr.json").is_file():
        if StudyDirectory(root).config.is_file():
            raise StudyError(f"{path}: no results yet; they are there soon after its first trial has ended")
        raise _nothing(path)
    return _read(store, path)


def _remote(url: str) -> xr.Dataset:
    root = url.rstrip("/")
    store = root if root.endswith(".zarr") else f"{root}/{StudyDirectory(Path()).store}"
    try:
        files, folder = url_to_fs(store)
        files.cat_file(f"{folder}/zarr.json")  # zarr would not say why it cannot read it
        return _read(store, url)
    except StudyError:
        raise
    except FileNotFoundError as error:
        raise _nothing(url) from error
    except ImportError as error:
        remedy = "; `pip install 'asktell[remote]'`" if url.startswith("http") else ""
        raise StudyError(f"{url}: {error}{remedy}") from error
    except Exception as error:  # whatever the protocol's library raises: no such host, not allowed, ...
        raise StudyError(f"{url} cannot be read: {error}") from error


def _read(store: Path | str, shown: str) -> xr.Dataset:
    try:
        found: xr.Dataset = xr.open_zarr(store, chunks=None, zarr_format=3, consolidated=True)
    except ValueError as error:  # its metadata are not in one place, as ours are
        raise _nothing(shown) from error
    if "trial" not in found.dims:
        raise _nothing(shown)
    variables = found.variables.items()
    return found.assign(
        {name: _plain(item) if item.ndim < 2 else in_blocks(item) for name, item in variables}
    )


def _nothing(shown: str) -> StudyError:
    return StudyError(f"{shown}: no results to open; name the directory of a study that was run")


def _plain(variable: xr.Variable) -> xr.Variable:
    loaded = variable.load()
    # NOTE: `Dataset.where` cannot promote numpy's StringDType (xarray 2026.7), so text becomes objects.
    return loaded.astype(object) if loaded.dtype.kind == "T" else loaded
