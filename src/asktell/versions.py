"""Versions of the packages on which results, and the talk between driver and workers, depend."""

from __future__ import annotations

import importlib.metadata

PACKAGES = ("asktell", "dask", "distributed", "numpy", "scikit-optimize", "scipy", "xarray", "zarr")


def installed() -> dict[str, str]:
    """Package → version; what is not installed is left out."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
