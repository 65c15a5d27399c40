"""What people ask of a study's dataset, held against counting by hand and other programs."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import asktell
from asktell import analysis
from asktell.errors import StudyError

REAL = {"type": "real", "low": 0.0, "high": 1.0}
MAKE = Callable[..., xr.Dataset]


def bowl(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"loss": (params["x"] - 0.3) ** 2}


def sometimes(params: Mapping[str, Any]) -> dict[str, Any]:
    if params["x"] > 0.8:
        raise ValueError("too far")
    return {"loss": (params["x"] - 0.3) ** 2, "duration": 60 + 600 * params["x"]}


# ---- opening -----------------------------------------------------------------------------------


def test_a_study_opens_from_a_url(make_study: MAKE, tmp_path: Path) -> None:
    ds = make_study({"x": REAL}, bowl)
    there = asktell.open(f"file://{tmp_path}/study")
    xr.testing.assert_identical(there.drop_encoding(), ds.drop_encoding())


def test_every_function_is_a_method_of_the_accessor(make_study: MAKE) -> None:
    ds = make_study({"x": REAL}, bowl)
    for name in set(analysis.__all__) - {"StudyAccessor", "compare", "open"}:
        assert callable(getattr(ds.asktell, name)), name
    xr.testing.assert_identical(ds.asktell.trace(), analysis.trace(ds))


def test_a_study_without_a_result_yet_has_empty_answers_and_clear_errors(make_study: MAKE) -> None:
    ds = make_study({"x": REAL}, bowl, trials=0)
    for ask in (analysis.trace, analysis.timeline, analysis.staleness, analysis.pareto, analysis.hypervolume):
        assert 0 in ask(ds).sizes.values()
    assert math.isnan(analysis.utilisation(ds).total_utilisation)
    assert analysis.cost(ds).core_hours.sum() == 0
    with pytest.raises(StudyError, match="no trial has a valid result"):
        analysis.incumbent(ds)
    for ask in (analysis.importance, analysis.leave_one_out):
        with pytest.raises(StudyError, match="0 trials have 'loss'"):
            ask(ds)


def test_a_dataset_of_something_else_is_refused_with_what_to_do() -> None:
    with pytest.raises(StudyError, match="asktell consolidate"):
        analysis.trace(xr.Dataset({"loss": ("trial", [1.0])}))


def test_no_output_is_read_that_is_not_asked_for(make_study: MAKE, tmp_path: Path) -> None:
    ds = make_study({"x": REAL}, lambda p: {**bowl(p), "m": np.full((300, 300), p["x"])}, trials=12)
    shutil.rmtree(tmp_path / "study" / "results.zarr" / "m")
    for ask in (analysis.trace, analysis.utilisation, analysis.importance, analysis.pareto, analysis.cost):
        ask(ds)
    assert analysis.incumbent(ds).m.chunks is not None
    analysis.correlation(ds, "m")


def test_plain_xarray_answers_too(make_study: MAKE, tmp_path: Path) -> None:
    """Its texts are of another type than those that `asktell.open` gives."""
    ds = make_study({"x": REAL}, sometimes, loses=0.2)
    plain = xr.open_zarr(tmp_path / "study" / "results.zarr")
    for ask in (analysis.trace, analysis.timeline, analysis.utilisation, analysis.staleness, analysis.cost):
        xr.testing.assert_equal(ask(plain), ask(ds))


def test_a_selection_made_with_where_answers_too(make_study: MAKE) -> None:
    """Its codes are no integers any more."""
    ds = make_study({"x": REAL}, sometimes)
    completed = ds.where(ds.status == 0, drop=True)
    xr.testing.assert_equal(analysis.timeline(completed), analysis.timeline(ds.asktell.completed()))


def test_one_trial_without_its_dimension_is_refused(make_study: MAKE) -> None:
    best = make_study({"x": REAL}, bowl).asktell.incumbent()
    with pytest.raises(StudyError, match="isel"):
        best.asktell.cost()


def test_arrays_come_in_blocks_of_trials_and_one_trial_needs_no_other(
    make_study: MAKE, tmp_path: Path
) -> None:
    ds = make_study({"x": REAL}, lambda p: {**bowl(p), "m": np.full((300, 300), p["x"])}, trials=12)
    assert max(ds.m.chunks[0]) > 1
    for chunk in (tmp_path / "study" / "results.zarr" / "m").glob("c.0.*"):
        chunk.write_bytes(b"damaged")
    assert (ds.m[1].load() == ds.x[1]).all()
    with pytest.raises((RuntimeError, ValueError)):
        ds.m[0].load()


# ---- the best ----------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_trace_is_what_a_loop_over_the_trials_finds(make_study: MAKE, direction: str) -> None:
    ds = make_study(
        {"x": REAL}, sometimes, objectives={"loss": direction}, constraints=("loss < 0.2",), loses=0.3, cpus=4
    )
    found = analysis.trace(ds)
    best, number, hours = math.nan, -1, 0.0
    for row in range(ds.sizes["trial"]):
        value = float(ds.loss[row])
        is_better = value < best if direction == "minimize" else value > best
        if value < 0.2 and (is_better or number < 0):
            best, number = value, int(ds.trial[row])
        np.testing.assert_equal(float(found.best[row]), best)
        assert int(found.best_trial[row]) == number
        lost = float(ds.duration[row]) / 2 if ds.n_lost[row] else 0.0
        hours += 4 * (float(ds.duration[row]) + lost) / 3600
        assert float(found.core_hours[row]) == pytest.approx(hours)
    assert int(analysis.incumbent(ds).trial) == number
    assert (found.wall_time.attrs["units"], found["count"].values[-1]) == ("h", 40)
    span = (ds.told_at.max() - ds.asked_at.min()) / np.timedelta64(1, "h")
    assert float(found.wall_time.max()) == pytest.approx(float(span))


def test_regret_is_the_distance_to_the_optimum_in_either_direction(make_study: MAKE) -> None:
    low = make_study({"x": REAL}, bowl, "low")
    high = make_study(
        {"x": REAL}, lambda p: {"loss": -bowl(p)["loss"]}, "high", objectives={"loss": "maximize"}
    )
    expected = np.minimum.accumulate(low.loss.values)
    np.testing.assert_allclose(analysis.regret(low, 0.0).regret, expected)
    np.testing.assert_allclose(analysis.regret(high, 0.0).regret, expected)


def test_pareto_keeps_what_nothing_beats_and_hypervolume_grows_to_its_area(make_study: MAKE) -> None:
    ds = make_study(
        {"x": REAL, "y": REAL},
        lambda p: {"a": p["x"], "b": p["y"] - p["x"] ** 2},
        objectives={"a": "minimize", "b": "maximize"},
    )
    points = list(zip(ds.a.values, ds.b.values, ds.trial.values, strict=True))
    kept = [
        t for a, b, t in points if not any((c <= a and d >= b) and (c, d) != (a, b) for c, d, _ in points)
    ]
    front = analysis.pareto(ds)
    assert sorted(front.trial.values) == sorted(kept)
    found = analysis.hypervolume(ds, reference=[1.5, -1.5]).hypervolume.values
    a, b = (
        front.a.values,
        front.b.values,
    )  # by a: each strip from one point to the next has the height of its b
    area = np.sum(np.diff([*a, 1.5]) * (b + 1.5))
    assert found[-1] == pytest.approx(area)
    assert (np.diff(found) >= 0).all()
    with pytest.raises(StudyError, match="pareto"):
        analysis.trace(ds)


# ---- workers -----------------------------------------------------------------------------------


def test_the_timeline_has_every_attempt_once_and_workers_never_do_two_things(make_study: MAKE) -> None:
    ds = make_study({"x": REAL}, sometimes, loses=0.4, workers=4)
    found = analysis.timeline(ds)
    assert found.sizes["attempt"] == int(ds.n_attempts.sum())
    assert int((found.outcome == "lost").sum()) == int(ds.n_lost.sum()) > 0
    assert int((found.outcome == "failed").sum()) == int((ds.status == 1).sum()) > 0
    for _, mine in found.groupby("worker"):
        assert (mine.begin.values[1:] >= mine.end.values[:-1]).all()
        gaps = (mine.begin.values[1:] - mine.end.values[:-1]) / np.timedelta64(1, "s")
        np.testing.assert_allclose(mine.idle.values[1:], gaps, atol=1e-5)


def test_utilisation_is_busy_by_live_time(make_study: MAKE) -> None:
    ds = make_study({"x": REAL}, sometimes, workers=2)
    found = analysis.utilisation(ds)
    live = 0.0
    for worker in found.worker.values:
        mine = ds.isel(trial=ds.worker.values == worker)
        span = float((mine.ended_at.max() - mine.started_at.min()) / np.timedelta64(1, "s"))
        share = float(mine.duration.sum()) / span
        assert float(found.utilisation.sel(worker=worker)) == pytest.approx(share)
        live += span
    assert float(found.total_utilisation) == pytest.approx(float(ds.duration.sum()) / live)
    np.testing.assert_allclose(found.longest_idle, 1.0, atol=1e-5)  # as the study was made


def test_cost_adds_up_to_all_core_hours(make_study: MAKE) -> None:
    ds = make_study({"x": REAL}, sometimes, loses=0.4, cpus=8)
    found = analysis.cost(ds)
    assert float(found.core_hours.sum()) == pytest.approx(float(analysis.trace(ds).core_hours[-1]))
    lost = 8 * float(ds.duration.where(ds.n_lost > 0).sum()) / 2 / 3600
    assert float(found.core_hours.sel(outcome="lost", cause="walltime")) == pytest.approx(lost)
    assert int(found.attempts.sel(outcome="failed", cause="objective_error")) == int((ds.status == 1).sum())


def test_staleness_says_what_was_outstanding(make_study: MAKE) -> None:
    found = analysis.staleness(make_study({"x": REAL}, sometimes, workers=5))
    assert found.trial.values.tolist() == list(range(40))
    assert found.outstanding.values.tolist() == [0, 1, 2, 3, *[4] * 36]
    expected = found.outstanding / (found.outstanding + found.told)
    np.testing.assert_allclose(found.missing[1:], expected[1:])


# ---- parameters --------------------------------------------------------------------------------

MIXED = {
    "x": REAL,
    "rate": {"type": "real", "low": 1e-4, "high": 1.0, "log": True},
    "n": {"type": "integer", "low": 1, "high": 200},
    "method": {"type": "categorical", "choices": ["plain", "fine"]},
    "width": {"type": "real", "low": 0.0, "high": 2.0, "when": {"method": ["fine"]}},
}


def mixed(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"loss": 4 * params["x"] + math.log10(params["rate"]) + params.get("width", 1.0)}


def test_importance_ranks_parameters_by_their_effect(make_study: MAKE) -> None:
    found = analysis.importance(make_study(MIXED, mixed, trials=150), repeats=8)
    assert found.parameter.values[:3].tolist()[:2] == ["x", "rate"]
    assert found.low.sel(parameter="x") > found.high.sel(parameter="n")
    assert ((found.low <= found.importance) & (found.importance <= found.high)).all()
    assert (
        abs(float(found.importance.sel(parameter="n"))) < 0.05 < float(found.importance.sel(parameter="rate"))
    )
    assert float(found.score) > 0.7


def test_importance_of_few_trials_has_unseen_ones_in_every_forest(make_study: MAKE) -> None:
    """A sample of ten with replacement may have all of them."""
    ds = make_study({"x": REAL}, bowl, trials=10)
    assert np.isfinite(analysis.importance(ds, seed=146).importance).all()


def test_of_what_does_not_vary_nothing_is_known(make_study: MAKE) -> None:
    found = analysis.importance(make_study({"x": REAL}, lambda _: {"loss": 0.3}), repeats=3)
    assert float(found.score) == float(found.importance.sum()) == 0


def test_partial_dependence_finds_the_effect_within_its_band(make_study: MAKE) -> None:
    ds = make_study(MIXED, mixed, trials=100)
    for name, effect in (
        ("x", lambda v: 4 * v),
        ("rate", np.log10),
        ("width", lambda v: v),
        ("n", lambda v: 0 * v),
    ):
        found = analysis.partial_dependence(ds, name)
        error = found["mean"] - effect(found[name])
        assert float(error.std()) < 0.1, name
        assert found[name].attrs == ds[name].attrs
    assert int(found.support.sum()) == 100
    width = analysis.partial_dependence(ds, "width", points=5)
    assert int(width.support.sum()) == int((ds.method == "fine").sum())
    both = analysis.partial_dependence(ds, ["method", "x"])
    assert both["mean"].dims == ("method", "x")
    assert both.method.values.tolist() == ["plain", "fine"]
    slope = both["mean"].isel(x=-1) - both["mean"].isel(x=0)
    np.testing.assert_allclose(slope, 4, atol=0.3)
    # Where a parameter does not exist there is nothing to say.
    there = analysis.partial_dependence(ds, ["method", "width"])["mean"]
    assert there.isel(method=0).isnull().all()
    assert there.isel(method=1).notnull().all()


def test_partial_dependence_is_blank_where_constraints_allow_no_point(make_study: MAKE) -> None:
    ds = make_study({"x": REAL, "y": REAL}, bowl, constraints=("x < y",))
    found = analysis.partial_dependence(ds, ["x", "y"], points=5)
    assert (found["mean"].notnull() == (found.x < found.y)).all()


def test_a_parameter_may_be_named_as_what_is_said_of_it(make_study: MAKE) -> None:
    plain = analysis.partial_dependence(make_study({"x": REAL}, bowl), "x")
    ds = make_study({"std": REAL}, lambda p: {"loss": (p["std"] - 0.3) ** 2}, name="other")
    found = analysis.partial_dependence(ds, "std")
    np.testing.assert_allclose(found["std"], plain["x"])
    np.testing.assert_allclose(found["std_"], plain["std"])


def test_of_a_constant_no_share_is_predicted(make_study: MAKE) -> None:
    assert math.isnan(analysis.leave_one_out(make_study({"x": REAL}, lambda p: {"loss": 3.0})).r2)


@pytest.mark.parametrize("penalty", [1e200, 1e300])
def test_a_huge_value_leaves_the_surrogate_finite(make_study: MAKE, penalty: float) -> None:
    ds = make_study({"x": REAL}, lambda p: {"loss": penalty if p["x"] > 0.9 else p["x"]})
    found = analysis.leave_one_out(ds)
    assert np.isfinite(found.r2)
    assert np.isfinite(found.z).all()
    assert np.isfinite(analysis.partial_dependence(ds, "x")["mean"]).all()


def test_leave_one_out_is_what_leaving_one_out_gives(make_study: MAKE) -> None:
    from asktell.analysis.surrogate import Surrogate

    ds = make_study({"x": REAL, "y": REAL}, lambda p: {"loss": math.sin(5 * p["x"]) + p["y"]}, trials=20)
    found, model = analysis.leave_one_out(ds), Surrogate(ds)
    points, y = model._points, model._y
    covariance = model._kernel.between(points, points) + model._kernel.hyper.noise * np.eye(20)
    for row in (0, 7, 19):
        others = np.arange(20) != row
        mean = covariance[row, others] @ np.linalg.solve(covariance[np.ix_(others, others)], y[others])
        assert float(found.predicted[row]) == pytest.approx(model.values.mean() + model.values.std() * mean)
    assert float(found.r2) > 0.9


def test_correlation_is_pearsons_element_by_element(make_study: MAKE) -> None:
    noise = np.random.default_rng(0)

    def field(params: Mapping[str, Any]) -> dict[str, Any]:
        array = noise.normal(1000.0, 0.1, (2, 3))
        array[0, 0] += params["x"]
        array[1, 1] += params.get("width", 0.0)
        array[1, 2] = 7.0
        return {**mixed(params), "m": array}

    ds = make_study(MIXED, field, trials=60)
    found = analysis.correlation(ds, "m")
    assert found.chunks is not None
    found = found.compute()
    assert found.dims == ("parameter", "m_x", "m_y")
    for i, j in itertools.product(range(2), range(2)):
        y = ds.m.values[:, i, j]
        assert float(found.sel(parameter="x")[i, j]) == pytest.approx(np.corrcoef(ds.x, y)[0, 1], abs=1e-6)
        fine = ds.method.values == "fine"
        expected = np.corrcoef(ds.width.values[fine], y[fine])[0, 1]
        assert float(found.sel(parameter="width")[i, j]) == pytest.approx(expected, abs=1e-6)
        expected = np.corrcoef(fine, y)[0, 1]
        assert float(found.sel(parameter="method=fine")[i, j]) == pytest.approx(expected, abs=1e-6)
    assert found[:, 1, 2].isnull().all()
    in_blocks = analysis.correlation(ds.chunk(trial=7), "m")
    np.testing.assert_allclose(in_blocks, found, atol=1e-9)
    still = analysis.correlation(ds.assign_coords(x=ds.x.copy(data=np.full(60, 0.3))), "m")
    assert still.sel(parameter="x").isnull().all()


# ---- comparison --------------------------------------------------------------------------------


def test_a_result_that_was_told_has_no_output_to_correlate(make_study: MAKE) -> None:
    """The store holds the fill value for it, 0 where the output is of whole numbers."""

    def evaluate(params: Mapping[str, Any]) -> dict[str, Any]:
        if 0.2 < params["x"] < 0.4:
            return {**bowl(params), "told": True}
        return {**bowl(params), "count": np.full((1, 1), round(100 * params["x"]))}

    found = analysis.correlation(make_study({"x": REAL}, evaluate), "count")
    assert float(found.squeeze()) == pytest.approx(1.0, abs=1e-3)


def test_what_correlation_cannot_tell(make_study: MAKE) -> None:
    ds = make_study({"x": REAL}, lambda p: {**bowl(p), "m": np.zeros((0, 2))})
    assert analysis.correlation(ds, "m").compute().shape == (1, 0, 2)
    with pytest.raises(StudyError, match="rename"):
        analysis.correlation(ds.rename(m_y="parameter"), "m")


def test_comparison_tells_what_differs_from_what_may_be_chance(make_study: MAKE) -> None:
    def group(label: str, offset: float) -> list[xr.Dataset]:
        return [
            make_study({"x": REAL}, lambda p: {"loss": bowl(p)["loss"] + offset}, f"{label}{seed}", seed=seed)
            for seed in range(5)
        ]

    one = group("one", 0.0)
    found = analysis.compare({"one": one, "same": one, "worse": group("worse", 1.0)})
    np.testing.assert_allclose(
        found.best.sel(label="one"), np.median([analysis.trace(ds).best for ds in one], axis=0)
    )
    assert ((found.low <= found.best) & (found.best <= found.high)).all()
    assert found.difference_low.sel(label="worse") > 0.9
    assert found.difference_low.sel(label="same") <= 0 <= found.difference_high.sel(label="same")
    single = analysis.compare({"one": one[0], "two": one[1]}, against="core_hours")
    assert single.low.isnull().all()
    other = make_study({"x": REAL}, bowl, "other", objectives={"loss": "maximize"})
    with pytest.raises(StudyError, match="same objective"):
        analysis.compare({"one": one, "other": other})
