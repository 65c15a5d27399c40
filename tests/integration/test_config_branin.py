"""The quickstart: a study that ends well within a minute, near a minimum that is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import xarray as xr

STUDY = Path(__file__).parents[2] / "configs" / "branin" / "study.yaml"
MINIMUM = 0.397887


def test_quickstart(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("asktell")
    done = subprocess.run([program, "run", STUDY, "--dir", tmp_path / "s"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    with xr.open_zarr(tmp_path / "s" / "results.zarr") as results:
        assert results.sizes == {"trial": 40}
        assert {"x1", "x2", "trial"} <= set(results.coords)
        assert MINIMUM <= results.branin.min() < MINIMUM + 0.5
        x1, x2 = results.x1.values, results.x2.values
        oracle = (x2 - 5.1 / (4 * np.pi**2) * x1**2 + 5 / np.pi * x1 - 6) ** 2
        oracle += 10 * (1 - 1 / (8 * np.pi)) * np.cos(x1) + 10
        assert np.allclose(results.branin, oracle)
