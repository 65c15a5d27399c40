"""The study `connectome`: DIPY's tractography through the whole of asktell, and what its score means."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

import asktell
from asktell.config import load
from asktell.retell import retell
from asktell.space import Space

STUDY = Path(__file__).parents[2] / "configs" / "connectome" / "study.yaml"
GOOD = {
    "fa_threshold": 0.2,
    "step_size": 1.0,
    "max_angle": 35.0,
    "min_length": 20,
    "max_length": 150,
    "seeds_per_voxel": 1,
    "method": "probabilistic",
    "pmf_threshold": 0.2,
    "fod_power": 2.0,
}
STIFF = {
    **{name: value for name, value in GOOD.items() if name not in ("pmf_threshold", "fod_power")},
    "fa_threshold": 0.6,
    "max_angle": 5.0,
    "min_length": 60,
    "max_length": 61,
    "method": "deterministic",
    "relative_peak_threshold": 0.9,
}

if importlib.util.find_spec("dipy") is None:
    if "dipy" in os.environ.get("ASKTELL_CI_PROVIDES", "").split():
        raise ModuleNotFoundError("dipy should be here: pip install 'asktell[examples]'")
    pytest.skip("needs dipy: pip install 'asktell[examples]'", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings(
    # DIPY warns of its own default inside spherical deconvolution, which has no option to change it.
    "ignore:The legacy descoteaux07 SH basis:PendingDeprecationWarning"
)


@pytest.fixture(scope="module")
def objective() -> Iterator[ModuleType]:
    """The study's objective, imported as a worker does it: its folder first on the path."""
    spec = importlib.util.spec_from_file_location("connectome_objective", STUDY.with_name("objective.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(STUDY.parent)
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


def test_every_region_has_its_connections_and_no_voxel_is_overfull(objective: ModuleType) -> None:
    phantom = objective.PHANTOM
    assert set(np.unique(phantom.labels)) == set(range(len(objective.REGIONS) + 1))
    assert phantom.fractions.sum(axis=-1).max() == pytest.approx(1.0)
    assert np.triu(phantom.truth).sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(phantom.truth, phantom.truth.T)
    assert (phantom.truth.sum(axis=1) > 0).all(), "a region that nothing connects to"


def test_anisotropy_drops_where_fibres_cross(objective: ModuleType) -> None:
    fractions = objective.PHANTOM.fractions
    is_crossing = fractions[..., :2].min(axis=-1) > 0.3  # west to east, south to north
    is_single = fractions.max(axis=-1) > 0.95
    assert is_crossing.sum() > 20
    assert objective.ANISOTROPY[is_crossing].mean() < 0.6 * objective.ANISOTROPY[is_single].mean()


def test_the_score_is_one_for_the_truth_and_falls_with_every_kind_of_error(objective: ModuleType) -> None:
    truth = objective.PHANTOM.truth
    rng = np.random.default_rng(0)
    order = rng.permutation(len(truth))
    noise = np.triu(rng.dirichlet(np.ones(truth.size)).reshape(truth.shape), k=1)
    noise = (noise + noise.T) / noise.sum()
    assert objective.overlap(truth, truth) == pytest.approx(1.0)
    assert objective.overlap(0.7 * truth, truth) == pytest.approx(0.7), "streamlines that end nowhere"
    assert objective.overlap(np.zeros_like(truth), truth) == 0.0
    assert objective.overlap(noise, truth) < 0.5
    permuted = np.ix_(order, order)
    assert objective.overlap(noise[permuted], truth[permuted]) == pytest.approx(
        objective.overlap(noise, truth)
    )


def test_streamlines_are_counted_between_the_regions_where_they_end(objective: ModuleType) -> None:
    west, east, north = (np.array([*objective.REGIONS[name], 4.0]) for name in ("west", "east", "north"))
    nowhere = np.array([40.0, 60.0, 4.0])
    lines = [
        np.array(ends) for ends in [(west, east), (east, west), (west, north), (west, nowhere), (west, west)]
    ]
    matrix, unconnected = objective.connect(lines)
    row, column, other = (list(objective.REGIONS).index(name) for name in ("west", "east", "north"))
    assert matrix[row, column] == matrix[column, row] == 2
    assert matrix[row, other] == 1
    assert matrix.sum() == 6
    assert unconnected == 2
    assert objective.connect([])[0].sum() == 0


def test_a_point_has_one_result(objective: ModuleType) -> None:
    first, second = objective.evaluate(**GOOD), objective.evaluate(**GOOD)
    xr.testing.assert_identical(first, second)
    assert first.quality > 0.7
    connected = np.triu(first.connectivity).sum()
    assert connected == pytest.approx(1 - float(first.unconnected), abs=1e-6)
    assert float(first.quality) <= connected - float(first.false_positives) + 1e-6


@pytest.mark.slow
def test_the_store_holds_labelled_matrices_and_an_empty_tractogram_is_no_result(tmp_path: Path) -> None:
    config = load(STUDY, ["optimizer.engine=random", "budget.trials=4"])
    with asktell.Study.create(config, tmp_path / "connectome.study") as study:
        study.enqueue(GOOD)
        study.enqueue(STIFF)
    assert study.run().done
    with xr.open_zarr(study.path / "results.zarr") as stored:
        trials = stored.load().sortby("trial")
    assert trials.connectivity.dims == ("trial", "roi", "roi_2")
    assert trials.sizes["trial"] == 4
    assert trials.connectivity.dtype == np.float32
    assert "north_west" in trials.roi.values
    assert trials.roi.values.tolist() == trials.roi_2.values.tolist()

    good, stiff = trials.isel(trial=0), trials.isel(trial=1)
    assert good.connectivity.sel(roi="west", roi_2="east") > 0.2
    np.testing.assert_array_equal(good.connectivity, good.connectivity.transpose())
    assert np.triu(good.connectivity).sum() == pytest.approx(1 - float(good.unconnected), abs=1e-6)
    assert trials.status.attrs["flag_meanings"].split()[int(stiff.status)] == "failed"
    assert "0 < density" in str(stiff.error.values)
    assert np.isnan(stiff.quality)


@pytest.mark.slow
def test_another_measure_of_the_stored_matrices_is_what_measuring_directly_gives(
    objective: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(STUDY, ["optimizer.engine=random", "budget.trials=3"])
    with asktell.Study.create(config, tmp_path / "connectome.study") as study:
        study.enqueue(GOOD)
    assert study.run().done
    monkeypatch.chdir(STUDY.parent)
    made = retell(study.path, "measures.py:efficiency", tmp_path / "new.study", directions={"": "maximize"})
    assert asktell.Study(made.path).run(trials=1).done

    trials = asktell.open(made.path).sortby("trial")
    assert trials.origin.values.tolist()[:3] == ["retold"] * 3
    completed = trials.isel(trial=trials.status == 0)
    assert completed.sizes["trial"] >= 1
    for row in range(completed.sizes["trial"]):
        trial = completed.isel(trial=row)
        direct = objective.evaluate(**active(config.build_space(), trial))
        np.testing.assert_allclose(trial.connectivity, direct.connectivity)
        np.testing.assert_allclose(trial.efficiency, efficiency(direct.connectivity.values), rtol=1e-6)


def active(space: Space, trial: xr.Dataset) -> dict[str, Any]:
    """The parameters of a row that the trial had."""
    given = {name: trial[name].item() for name in space.parameters}
    numbers = {name: int(given[name]) for name in ("min_length", "max_length", "seeds_per_voxel")}
    return dict(space.validate(given | numbers))


def efficiency(weights: NDArray[np.float32]) -> float:
    """Global efficiency by Floyd's and Warshall's algorithm."""
    n = len(weights)
    with np.errstate(divide="ignore"):
        distances = np.where(weights > 0, 1.0 / weights.astype(float), np.inf)
    for k in range(n):
        distances = np.minimum(distances, distances[:, k, None] + distances[None, k, :])
    return float(np.mean([1.0 / distances[i, j] for i in range(n) for j in range(i)]))
