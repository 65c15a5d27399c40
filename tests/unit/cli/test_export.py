"""What `export` writes: everything in netCDF, rows for pandas, a point for `evaluate`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import Result

import asktell
from asktell.cli.best_points import to_table
from asktell.cli.export import to_csv, to_netcdf
from asktell.run import Study

Cli = Callable[..., Result]

SPACE = {
    "x": {"type": "real", "low": 0, "high": 1, "units": "cm"},
    "n": {"type": "integer", "low": 1, "high": 9},
    "mode": {"type": "categorical", "choices": ["1", "fast, slow"]},
    "is_on": {"type": "boolean"},
    "depth": {"type": "integer", "low": 1, "high": 4, "when": {"mode": ["fast, slow"]}},
}


def evaluate(params: Mapping[str, Any]) -> Mapping[str, Any]:
    if params["x"] > 0.8:
        raise ValueError('it "broke", badly: ü\nat the second line')
    return {
        "loss": params["x"] * params["n"],
        "gain": params.get("depth", 0) + 0.5,
        "field": np.full((3, 4), params["x"] + 1j * params["n"]),
        "image": np.full((2, 3), params["n"], dtype="u1"),
    }


@pytest.fixture
def results(make_study: Callable[..., xr.Dataset]) -> xr.Dataset:
    """Two objectives, failed trials, lost attempts, a conditional parameter, a complex output."""
    objectives = {"loss": "minimize", "gain": "maximize"}
    return make_study(SPACE, evaluate, objectives=objectives, constraints=("loss < 5",), loses=0.3)


def test_netcdf_is_what_asktell_opens(results: xr.Dataset, tmp_path: Path) -> None:
    to_netcdf(results, tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as found:
        field = (found["field_real"] + 1j * found["field_imag"]).assign_attrs(results["field"].attrs)
        found = found.drop_vars(["field_real", "field_imag"]).assign(field=field)
        assert set(found.variables) == set(results.variables)
        assert found.attrs == results.attrs
        for name, expected in results.variables.items():
            assert found[name].variable.equals(expected.load()), name
            assert found[name].attrs.keys() == expected.attrs.keys()
            for key, value in expected.attrs.items():
                np.testing.assert_array_equal(found[name].attrs[key], value)


def test_pandas_reads_each_column_as_what_it_is(results: xr.Dataset, tmp_path: Path) -> None:
    assert set(to_csv(results, tmp_path / "a.csv")) == {"field", "image"}
    times = ["asked_at", "submitted_at", "started_at", "ended_at", "told_at"]
    found = pd.read_csv(tmp_path / "a.csv", index_col="trial", parse_dates=times)
    assert len(found) == results.sizes["trial"]
    kinds = {"x": "f", "n": "i", "is_on": "b", "depth": "f", "loss": "f", "gain": "f"}
    kinds |= dict.fromkeys(times, "M")
    assert {name: found[name].dtype.kind for name in kinds} == kinds
    for name in ("x", "n", "depth", "loss", "gain"):
        np.testing.assert_array_equal(found[name], results[name])
    np.testing.assert_array_equal(found["asked_at"].dt.tz_localize(None), results["asked_at"])
    assert list(found["mode"].astype(str)) == list(results["mode"].values)
    failed = found[found["status"] == "failed"]
    assert 0 < len(failed) < len(found)
    assert set(failed["error"]) == {'it "broke", badly: ü'}
    assert failed["loss"].isna().all()
    assert set(found["feasible"]) == {"feasible", "infeasible", "unknown"}


@pytest.mark.parametrize("suffix", ["nc", "csv", "md", "tex", "json", "yaml"])
def test_a_running_study_is_exported_as_far_as_it_came(cli: Cli, suffix: str) -> None:
    with Study.create("study.yaml", "live") as study:
        study.ask(5)
        study.tell(1, {"loss": 3.0, "mass": 1.0})
        study.fail(2, "it exploded")
        deadline = time.monotonic() + 60
        while not Path("live/results.zarr/zarr.json").is_file():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        config = ["--config"] if suffix in ("json", "yaml") else []
        done = cli("export", "live", *config, "-o", f"live.{suffix}")
    assert done.exit_code == 0, done.output
    assert Path(f"live.{suffix}").stat().st_size
    if suffix == "csv":
        assert list(pd.read_csv("live.csv")["trial"]) in ([1, 2], [1], [])  # as published


def test_a_study_without_a_result_says_so(cli: Cli) -> None:
    Study.create("study.yaml", "fresh")
    done = cli("export", "fresh", "-o", "fresh.csv")
    assert done.exit_code == 2
    assert "fresh: no results yet" in done.stderr
    assert not Path("fresh.csv").exists()


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_the_best_point_is_applied_as_it_was_exported(cli: Cli, suffix: str) -> None:
    with Study.create("study.yaml", "toy", overrides=["constraints=[x < n]"]) as study:
        for _ in range(4):
            trial = study.ask()
            assert isinstance(trial, asktell.Trial)
            study.tell(trial.number, trial.params["x"] * trial.params["n"])
    before = sorted(Path("toy").rglob("*"))
    best = json.loads(cli("best", "toy", "--json").output)
    assert cli("export", "toy", "--config", "-o", f"best.{suffix}").exit_code == 0
    done = cli("evaluate", "toy", f"best.{suffix}", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["params"] == best["params"]
    assert found["outcome"]["values"]["loss"] == pytest.approx(best["values"]["loss"])
    assert sorted(Path("toy").rglob("*")) == before


def test_a_point_is_evaluated_by_its_values_and_kept_where_one_wants_it(cli: Cli) -> None:
    done = cli("evaluate", "study.yaml", "x=0.5", "n=3", "mode=1", "--keep", "kept")
    assert done.exit_code == 0, done.output
    assert "loss = 1.5" in done.output
    assert Path("kept/stdout").read_text() == "evaluating 3\n"
    assert cli("evaluate", "study.yaml", "x=0.5", "n=3", "mode=1", "--keep", "kept").exit_code == 2


@pytest.mark.parametrize(
    ("point", "words"),
    [
        (["x=0.5"], "n is missing"),
        (["x=0.5", "n=3", "mode=1", "size=2"], "there is no parameter 'size'"),
        (["x=0.5", "n"], "'n' is no assignment"),
        (["list.yaml"], "no values by name"),
        (["broken.yaml"], "broken.yaml"),
    ],
)
def test_what_is_no_point_is_refused(cli: Cli, point: list[str], words: str) -> None:
    Path("list.yaml").write_text("[1, 2]")
    Path("broken.yaml").write_text("x: [1")
    done = cli("evaluate", "study.yaml", *point)
    assert done.exit_code == 2
    assert words in done.stderr


def test_a_table_has_parameters_as_evaluations_got_them(
    make_study: Callable[..., xr.Dataset], tmp_path: Path
) -> None:
    when = {"mode": ["a"]}
    space = {
        "mode": {"type": "categorical", "choices": ["a", "b"]},
        "n": {"type": "integer", "low": 10_000, "high": 20_000, "when": when},
        "is_on": {"type": "boolean", "when": when},
        "level": {"type": "ordinal", "choices": [0.123456, 0.123457]},
    }
    given: list[Mapping[str, Any]] = []

    def count_up(params: Mapping[str, Any]) -> Mapping[str, Any]:
        given.append(params)
        return {"loss": len(given)}

    ds = make_study(space, count_up, trials=12, workers=1)
    assert to_table(ds, tmp_path / "a.md", 12) == 12
    rows = [line.strip("| ").split(" | ")[2:] for line in (tmp_path / "a.md").read_text().splitlines()[2:]]
    assert rows == [[str(params.get(name, "–")) for name in space] for params in given]
    assert {"True", "False", "–"} == {row[2] for row in rows}
