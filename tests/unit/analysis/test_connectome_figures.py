"""The connectome's script for a paper, on a made-up study of its space: from the store to the figures."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from asktell.config import load

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

FOLDER = Path(__file__).parents[3] / "configs" / "connectome"


def tractography(params: Mapping[str, Any]) -> dict[str, Any]:
    """Not the real one: quality has its peak where the real one has it, and moves the matrix."""
    if params["fa_threshold"] > 0.55:
        raise ValueError("no streamline is left")
    quality = 1 / (1 + (params["max_angle"] / 35 - 1) ** 2 + (params["fa_threshold"] / 0.2 - 1) ** 2)
    return {
        "quality": quality,
        "false_positives": 0.1 * (1 - quality),
        "unconnected": 0.2 * (1 - quality),
        "connectivity": (quality * np.eye(8, k=1) + params["fa_threshold"] * np.eye(8, k=-1)).astype(
            np.float32
        ),
    }


def test_the_script_goes_from_the_store_to_the_figures_of_a_paper(
    make_study: Callable[..., xr.Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    study = load(FOLDER / "study.yaml").dump()
    options = {key: study[key] for key in ("objectives", "constraints")}
    make_study(study["space"], tractography, "connectome.study", trials=60, **options)
    script = runpy.run_path(str(FOLDER / "figures.py"))
    script["main"](tmp_path / "connectome.study", tmp_path / "figures")
    written = {path.name: path.stat().st_size for path in (tmp_path / "figures").iterdir()}
    assert written.keys() == {"optimisation.pdf", "matrices.pdf", "connections.pdf", "methods.csv"}
    assert all(size > 5000 for name, size in written.items() if name.endswith(".pdf"))
    table = (tmp_path / "figures" / "methods.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in table] == ["method", "deterministic", "probabilistic"]


def test_the_script_is_short() -> None:
    lines = (FOLDER / "figures.py").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("def main"))
    end = next(number for number, line in enumerate(lines) if line.startswith("if __name__"))
    assert sum(bool(line.strip()) for line in lines[start:end]) < 40
