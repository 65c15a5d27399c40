"""The study `filter`: a program with a template, whose points fail as a simulator's do."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import signal

import asktell
from asktell.config import load

STUDY = Path(__file__).parents[2] / "configs" / "filter" / "study.yaml"
PLAIN = {"opamp": "ne5532", "r_1": 4000.0, "r_2": 6000.0, "c": 3e-9, "gain_1": 1.6, "gain_2": 2.4}
OVERDRIVEN = {
    "opamp": "tl081",
    "r_1": 1690.67,
    "r_2": 2328.48,
    "c": 1.10373e-8,
    "gain_1": 2.6,
    "gain_2": 2.36,
}

if shutil.which("ngspice") is None:
    if "ngspice" in os.environ.get("ASKTELL_CI_PROVIDES", "").split():
        raise FileNotFoundError("ngspice should be here (Debian: apt-get install ngspice)")
    pytest.skip("ngspice is not installed (Debian: apt-get install ngspice)", allow_module_level=True)


@pytest.fixture(scope="module")
def simulate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulate", STUDY.with_name("simulate.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """A plain design, and one that overdrives its op-amps."""
    directory = tmp_path_factory.mktemp("filter") / "s"
    with asktell.Study.create(load(STUDY, ["budget.trials=2", "cluster.workers=1"]), directory) as study:
        study.enqueue(PLAIN)
        study.enqueue(OVERDRIVEN)
    assert study.run().done
    return asktell.open(directory).sortby("trial").load()


def _ideal(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gain (dB, relative to 0 Hz) of PLAIN with perfect op-amps: two equal-component Sallen-Key stages."""
    gain = np.zeros_like(frequency)
    for r, k in ((PLAIN["r_1"], PLAIN["gain_1"]), (PLAIN["r_2"], PLAIN["gain_2"])):
        s = 2j * np.pi * frequency * float(r) * float(PLAIN["c"])
        gain -= 20 * np.log10(np.abs(1 + (3 - float(k)) * s + s**2))
    return gain


def test_response_is_that_of_the_circuit(results: xr.Dataset) -> None:
    response = results.response.sel(trial=0)
    assert response.dims == ("frequency",)
    assert response.units == "dB"
    assert response.frequency.units == "Hz"
    below = response.sel(frequency=slice(None, 20e3))
    relative_to_1_khz = _ideal(below.frequency.values) - _ideal(np.array([1e3]))
    assert np.allclose(below, relative_to_1_khz, atol=0.5)


def test_point_that_does_not_converge_is_failed(results: xr.Dataset) -> None:
    trial = results.sel(trial=1)
    assert trial.status.flag_meanings.split()[int(trial.status)] == "failed"
    assert "did not converge" in str(trial.error.values)
    assert np.isnan(trial.mask_error)
    assert np.isnan(trial.response).all()


def test_scalars_of_both_sources_are_there(results: xr.Dataset) -> None:
    trial = results.sel(trial=0)
    assert 0 < float(trial.noise) < 1e-3
    assert 0 < float(trial.distortion) < 1
    assert int(trial.feasible) == 1


@pytest.mark.parametrize("order", range(2, 7))
@pytest.mark.parametrize("ripple_db", [0.3, 0.5, 0.9, 1.5, 3.0])
def test_negative_mask_error_means_inside_the_mask(
    simulate: ModuleType, order: int, ripple_db: float
) -> None:
    frequency = np.geomspace(1e3, 1e6, 121)
    chebyshev = signal.cheby1(order, ripple_db, 2 * np.pi * 10e3, analog=True)
    _, response = signal.freqs(*chebyshev, 2 * np.pi * frequency)
    gain = 20 * np.log10(np.abs(response) / np.abs(response[0]))
    scores = simulate.score(frequency, gain)
    is_inside = scores["ripple"] < 1.0 and scores["attenuation"] > 36.0
    assert is_inside or scores["mask_error"] > 0
    assert scores["mask_error"] < 0 or ripple_db > 0.5 or order < 4
