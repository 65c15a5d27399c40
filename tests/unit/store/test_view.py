"""What a user finds when they open a view with xarray."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from asktell.config import parse
from asktell.errors import JournalError, StoreError
from asktell.records import Added, Asked, Ended, Lost, Record, Retried, SchemaSet, Submitted
from asktell.space import Space
from asktell.store import Layout, Row, Spool, Store, encode_output, rows_from
from asktell.store.layout import Kind, ObjectiveLayout, OutputLayout, ParameterLayout
from asktell.trial import ArrayRecord, Cause, CoordRecord, Outcome, Status, Trial

LAYOUT = Layout(
    parameters=(
        ParameterLayout("x", Kind.REAL, units="seconds", description="waiting time"),
        ParameterLayout("n", Kind.INTEGER),
        ParameterLayout("k", Kind.INTEGER, is_conditional=True),
        ParameterLayout("flag", Kind.BOOLEAN),
        ParameterLayout("method", Kind.CHOICE, is_conditional=True, choices=("a b", "Ω", 3)),
    ),
    objectives=(ObjectiveLayout("quality", "maximize", "1", "how good it is"),),
    bounds={"density": (0.0, 0.9)},
    attrs={"title": "a study"},
)


def completed(**values: float) -> Outcome:
    return Outcome(
        Status.COMPLETED, values=values, started_at=1e9, ended_at=1e9 + 2, duration_s=2.0, host="h"
    )


def row(number: int, outcome: Outcome, **params: float | str) -> Row:
    return Row(
        Trial(number, {"x": 0.5, "n": 3, "flag": True, **params}, asked_at=1e9 - 1), 0, outcome, 1e9 + 3
    )


def opened(path: Path) -> xr.Dataset:
    return xr.open_zarr(path / "results.zarr").load()


def published(path: Path, *rows: Row, layout: Layout = LAYOUT, schema: SchemaSet | None = None) -> xr.Dataset:
    store = Store(path, layout)
    if schema is not None:
        store.set_schema(schema)
    for item in rows:
        store.append(item)
    store.publish()
    return opened(path)


def with_array(name: str, array: np.ndarray, dims: tuple[str, ...], path: Path) -> tuple[Outcome, SchemaSet]:
    record = encode_output(name, array, dims, {"units": "mm"}, Spool(path, "worker-h-1-a"))
    outcome = replace(completed(quality=1.0), arrays={name: record})
    return outcome, SchemaSet({name: replace(record, inline=None, chunks=())}, {}, 0.0)


def test_parameters_are_coordinates_and_results_are_data(tmp_path: Path) -> None:
    ds = published(
        tmp_path, row(7, completed(quality=0.5, density=0.1), method="Ω", k=4), row(3, completed(quality=0.7))
    )
    assert set(ds.coords) == {"trial", "x", "n", "k", "flag", "method"}
    assert ds.trial.values.tolist() == [7, 3]
    assert ds.quality.values.tolist() == [0.5, 0.7]
    assert (ds.quality.attrs["direction"], ds.quality.attrs["units"]) == ("maximize", "1")
    assert (ds.n.dtype, ds.flag.dtype, ds.k.dtype) == (np.int64, np.bool_, np.float64)
    assert ds.method.values.tolist() == ["Ω", ""]
    assert ds.method_code.values.tolist() == [1, -1]
    assert ds.method_code.attrs["flag_meanings"] == "a_b Ω 3"
    np.testing.assert_array_equal(ds.k, [4, np.nan])
    assert ds.x.attrs == {"units": "s", "long_name": "waiting time"}  # 'seconds' would decode to timedeltas
    assert ds.sel(trial=3).quality == 0.7
    assert ds.attrs["title"] == "a study"


def test_a_failed_trial_has_no_results_but_its_reason_and_metrics(tmp_path: Path) -> None:
    failed = Outcome(
        Status.FAILED,
        Cause.TIMEOUT,
        error="too slow \udcff",
        values={"quality": 99.0},
        metrics=((1, "train/loss", 0.5), (2, "train/loss", 0.25)),
        exit_code=-9,
    )
    ds = published(tmp_path, row(0, failed), row(1, completed(quality=1.0, density=0.95)))
    np.testing.assert_array_equal(ds.quality, [np.nan, 1.0])
    meanings = ds.cause.attrs["flag_meanings"].split()
    assert [meanings[code] for code in ds.cause.values] == ["timeout", "none"]
    assert ds.status.values.tolist() == [1, 0]
    assert ds.error.values.tolist() == ["too slow ?", ""]
    assert ds.feasible.values.tolist() == [-1, 0]
    np.testing.assert_array_equal(ds["metric_train_loss"], [0.25, np.nan])
    np.testing.assert_array_equal(ds.exit_code, [-9, np.nan])


def test_times_are_times_and_unknown_ones_are_not(tmp_path: Path) -> None:
    ds = published(tmp_path, Row(Trial(0, {}), 0, Outcome(Status.COMPLETED), told_at=1.5))
    assert ds.told_at.values[0] == np.datetime64("1970-01-01T00:00:01.5")
    for name in ("asked_at", "submitted_at", "started_at", "ended_at"):
        assert np.isnat(ds[name].values[0])
    assert ds.duration.dtype == np.float64


def test_a_result_that_appears_late_is_filled_back(tmp_path: Path) -> None:
    ds = published(tmp_path, row(0, completed(quality=1.0)), row(1, completed(quality=2.0, extra=5.0)))
    np.testing.assert_array_equal(ds.extra, [np.nan, 5.0])


def test_a_result_never_hides_what_the_store_says_of_its_trial(tmp_path: Path) -> None:
    ds = published(tmp_path, row(0, completed(quality=1.0, duration=77.0, x=5.0)))
    assert (ds.duration.item(), ds.result_duration.item()) == (2.0, 77.0)
    assert (ds.x.item(), ds.result_x.item()) == (0.5, 5.0)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u1", "?", "c8"])
@pytest.mark.parametrize("size", [3, 600])
def test_an_output_comes_back_as_it_was(tmp_path: Path, dtype: str, size: int) -> None:
    array = np.arange(size * size).reshape(size, size).astype(dtype)
    outcome, schema = with_array("matrix", array, ("roi", "roi_2"), tmp_path)
    failed = Outcome(Status.FAILED, Cause.OBJECTIVE_ERROR)
    ds = published(tmp_path, row(0, failed), row(1, outcome), schema=schema)
    assert ds.matrix.dims == ("trial", "roi", "roi_2")
    assert ds.matrix.dtype == np.dtype(dtype)
    assert ds.matrix.attrs["units"] == "mm"
    np.testing.assert_array_equal(ds.matrix[1], array)
    blank = ds.matrix[0].values
    assert np.isnan(blank).all() if array.dtype.kind in "fc" else not blank.any()


def test_a_huge_output_is_cut_into_chunks_of_bounded_size(tmp_path: Path) -> None:
    array = np.zeros((3, 2500, 1001))
    array[:, ::50, ::7] = np.random.default_rng(0).random((3, 50, 143))
    outcome, schema = with_array("field", array, ("t", "y", "x_2"), tmp_path)
    assert len(outcome.arrays["field"].chunks) == 2
    ds = published(tmp_path, row(0, outcome), schema=schema)
    np.testing.assert_array_equal(ds.field[0], array)


def test_more_small_outputs_than_fit_a_block(tmp_path: Path) -> None:
    made = [with_array("v", np.full(200, float(number)), ("i",), tmp_path) for number in range(300)]
    store = Store(tmp_path, LAYOUT)
    store.set_schema(made[0][1])
    for number, (outcome, _) in enumerate(made):
        store.append(row(number, outcome))
        if number in (100, 270):
            store.publish()
            np.testing.assert_array_equal(opened(tmp_path).v[:, 0], np.arange(number + 1))
    store.publish()
    np.testing.assert_array_equal(opened(tmp_path).v[:, 7], np.arange(300))


def test_coordinates_of_outputs(tmp_path: Path) -> None:
    layout = replace(LAYOUT, outputs={"m": OutputLayout("m", "mV", "a field", {"roi": ["V1", "V2"]})})
    outcome, schema = with_array("m", np.eye(2), ("roi", "t"), tmp_path)
    coords = {
        "t": CoordRecord(("t",), (0.5, 1.5), {"units": "minutes", "scale_factor": 2}),
        "area": CoordRecord(("roi",), ("left", "right")),
        "wrong": CoordRecord(("t",), (1, 2, 3)),
    }
    ds = published(tmp_path, row(0, outcome), layout=layout, schema=replace(schema, coords=coords))
    assert ds.roi.values.tolist() == ["V1", "V2"]
    assert ds.area.values.tolist() == ["left", "right"]
    assert "area" in ds.coords
    assert "wrong" not in ds.variables
    assert ds.t.values.tolist() == [0.5, 1.5]
    assert ds.t.attrs == {"units": "min", "source_scale_factor": 2}
    assert (ds.m.attrs["units"], ds.m.attrs["long_name"]) == ("mV", "a field")


def test_outputs_whose_dimensions_do_not_agree_can_still_be_opened(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "worker-h-1-a")
    arrays = {
        "a": encode_output("a", np.zeros(2), ("i",), {}, spool),
        "b": encode_output("b", np.zeros(3), ("i",), {}, spool),
        "c": encode_output("c", np.zeros((2, 1)), ("c", "trial"), {}, spool),
        "x": encode_output("x", np.zeros(2), ("i",), {}, spool),
    }
    ds = published(tmp_path, row(0, replace(completed(), arrays=arrays)), schema=SchemaSet(arrays, {}, 0.0))
    assert ds.b.dims == ("trial", "b_i")
    assert ds.output_c.dims == ("trial", "c", "c_trial")
    assert ds.output_x.dims == ("trial", "i")


def test_an_output_of_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"names.*dtype"):
        encode_output("names", np.array(["a"]), ("i",), {}, Spool(tmp_path, "w"))


def test_a_second_schema_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path, LAYOUT)
    schema = SchemaSet({"m": ArrayRecord("<f8", (2,), ("i",))}, {}, 0.0)
    store.set_schema(schema)
    store.set_schema(schema)
    with pytest.raises(StoreError, match="differs"):
        store.set_schema(replace(schema, arrays={}))


def test_publishing_twice_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path, LAYOUT)
    store.append(row(0, completed(quality=1.0)))
    store.publish()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    store.publish()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_opening_warns_of_nothing(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    published(empty)
    failed = Outcome(Status.FAILED, Cause.TIMEOUT, error="é")
    outcome, schema = with_array("m", np.eye(2), ("i", "j"), full)
    published(full, row(0, failed, method="a b"), row(1, outcome), schema=schema)
    script = (
        "import sys, xarray; print(*(xarray.open_zarr(path).load().sizes['trial'] for path in sys.argv[1:]))"
    )
    paths = [str(path / "results.zarr") for path in (empty, full)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *paths], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("0 2\n", "")


def test_a_closed_view_can_be_read_without_the_roots_metadata(tmp_path: Path) -> None:
    store = Store(tmp_path, LAYOUT)
    store.append(row(0, completed(quality=1.0)))
    store.close()
    plain = xr.open_zarr(tmp_path / "results.zarr", consolidated=False).load()
    xr.testing.assert_identical(plain, opened(tmp_path))


def test_the_view_goes_into_netcdf(tmp_path: Path) -> None:
    outcome, schema = with_array("m", np.eye(2), ("i", "j"), tmp_path)
    ds = published(tmp_path, row(0, outcome, method="a b"), schema=schema)
    ds.to_netcdf(tmp_path / "out.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "out.nc", engine="h5netcdf") as again:
        np.testing.assert_array_equal(again.m, ds.m)
        assert again.method.values.tolist() == ["a b"]


def test_rows_follow_terminal_events_and_know_their_attempt() -> None:
    trials = tuple(Trial(number, {"x": 1.0}) for number in range(3))
    known = Trial(3, {"x": 2.0})
    schema = SchemaSet({}, {}, 5.0)
    records: list[Record] = [
        Asked(trials, 1.0),
        Submitted(0, 0, "slot", 2.0),
        Submitted(1, 0, "slot", 3.0),
        Submitted(1, 1, "slot", 4.0),
        Added(known, completed(quality=2.0), 4.5),
        schema,
        Ended(1, 1, completed(quality=1.0), 5.0),
        Ended(2, 0, Outcome(Status.CANCELLED, Cause.CANCELLED), 6.0),
    ]
    rows, found = rows_from(records)
    assert [(row.trial.number, row.attempt, row.submitted_at, row.told_at) for row in rows] == [
        (3, 0, 0.0, 4.5),
        (1, 1, 4.0, 5.0),
        (2, 0, 0.0, 6.0),
    ]
    assert found is schema
    with pytest.raises(JournalError, match="trial 1"):
        rows_from([*records, Ended(1, 0, completed(), 7.0)])


def test_the_view_says_who_ran_what_and_why_attempts_were_lost(tmp_path: Path) -> None:
    trials = tuple(Trial(number, {"x": 0.5, "n": 3, "flag": True}) for number in range(3))
    failed = Outcome(Status.FAILED, Cause.WORKER_LOST, error="its worker was lost")
    records: list[Record] = [
        Asked(trials, 1.0),
        Submitted(0, 0, "slot", 2.0, job="7", host="a"),
        Submitted(1, 0, "slot", 2.0, job="7", host="a"),
        Lost(0, 0, Cause.PREEMPTED, counts=False, at=3.0),
        Submitted(0, 1, "slot", 4.0, job="8", host="b"),
        Lost(0, 1, Cause.WALLTIME, counts=False, at=5.0),
        Lost(1, 0, Cause.WORKER_LOST, counts=True, at=5.0),
        Ended(1, 0, failed, 5.0),
        Submitted(0, 2, "slot", 6.0, job="9", host="c"),
        Ended(0, 2, completed(quality=1.0), 7.0),
        Submitted(2, 0, "slot", 8.0),
        Ended(2, 0, completed(quality=2.0), 9.0),
    ]
    rows, _ = rows_from(records)
    ds = published(tmp_path, *rows).sortby("trial")
    assert ds.n_attempts.values.tolist() == [3, 1, 1]
    assert ds.n_lost.values.tolist() == [2, 1, 0]
    assert ds.lost_causes.values.tolist() == ["preempted,walltime", "worker_lost", ""]
    assert ds.attempt_jobs.values.tolist() == ["7,8,9", "7", ""]
    assert ds.job.values.tolist() == ["9", "7", ""]
    assert ds.host.values.tolist() == ["h", "a", "h"]  # as the report says, else as the slot did


def test_the_view_keeps_what_attempts_cost_that_brought_no_result(tmp_path: Path) -> None:
    failed = Outcome(Status.FAILED, Cause.TIMEOUT, ended_at=9.5, duration_s=3.0, worker="w", host="h")
    records: list[Record] = [
        Asked((Trial(0, {"x": 0.5, "n": 3, "flag": True}),), 1.0),
        Submitted(0, 0, "slot", 2.0, job="7", host="a"),
        Lost(0, 0, Cause.PREEMPTED, counts=False, at=5.0, ran_s=2.5),
        Submitted(0, 1, "slot", 6.0, job="8"),
        Retried(0, 1, failed, 9.6),
        Submitted(0, 2, "slot", 10.0),
        Ended(0, 2, completed(quality=1.0), 11.0),
    ]
    rows, _ = rows_from(records)
    ((lost, retried),) = map(json.loads, published(tmp_path, *rows).earlier_attempts.values)
    assert lost == {
        "attempt": 0,
        "worker": "slot",
        "job": "7",
        "host": "a",
        "ended_at": 5.0,
        "ran_s": 2.5,
        "cause": "preempted",
        "is_lost": True,
    }
    assert retried == {
        "attempt": 1,
        "worker": "w",
        "job": "8",
        "host": "h",
        "ended_at": 9.5,
        "ran_s": 3.0,
        "cause": "timeout",
        "is_lost": False,
    }


def test_the_view_describes_its_search_space(tmp_path: Path) -> None:
    study = {
        "evaluate": {"command": ["true"]},
        "space": {"x": {"type": "real", "low": 0.1, "high": 1.0, "log": True}, "n": 3},
        "cluster": {"cpus_per_trial": 4},
    }
    config = parse(study, tmp_path)
    attrs = published(tmp_path, layout=Layout.from_config(config)).attrs
    assert Space.from_specification(json.loads(attrs["space"])) == config.build_space()
    assert (int(attrs["cpus_per_trial"]), attrs["schedule"]) == (4, "async")
