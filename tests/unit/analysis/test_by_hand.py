"""What analysis says of small studies, against paper and pencil, and of functions that are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr

from asktell import analysis

REAL = {"type": "real", "low": 0.0, "high": 1.0}
MAKE = Callable[..., xr.Dataset]


def in_order(results: Iterable[Mapping[str, Any] | None]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """An evaluation that gives these results, one after another; None fails, after 60 s."""
    waiting = iter(results)

    def evaluate(params: Mapping[str, Any]) -> Mapping[str, Any]:
        result = next(waiting)
        if result is None:
            raise ValueError("it failed")
        return result

    return evaluate


@pytest.fixture
def five(make_study: MAKE) -> xr.Dataset:
    """Five trials on two workers, which are given the next one a second after the last.

    trial      0     1      2       3        4
    worker     0     1      0       1        0
    from, s    0     0      61      121      122
    to, s      60    120    121     151      152
    loss       5     3      failed  4        1
    """
    results = [
        {"loss": 5.0, "duration": 60.0},
        {"loss": 3.0, "duration": 120.0},
        None,
        {"loss": 4.0, "duration": 30.0},
        {"loss": 1.0, "duration": 30.0},
    ]
    return make_study({"x": REAL}, in_order(results), trials=5, workers=2, cpus=2)


def test_trace_and_regret(five: xr.Dataset) -> None:
    assert analysis.regret(five, 0.39788735772973816).regret.attrs["optimum"] == "0.39788735772973816"
    found = analysis.regret(five, 0.5)
    assert found.best.values.tolist() == [5, 3, 3, 3, 1]
    assert found.best_trial.values.tolist() == [0, 1, 1, 1, 4]
    assert found.regret.values.tolist() == [4.5, 2.5, 2.5, 2.5, 0.5]
    np.testing.assert_allclose(found.wall_time * 3600, [60, 120, 121, 151, 152])
    np.testing.assert_allclose(found.core_hours * 3600, [120, 360, 480, 540, 600])


def test_utilisation(five: xr.Dataset) -> None:
    found = analysis.utilisation(five)
    np.testing.assert_allclose(found.busy * 3600, [150, 150])
    np.testing.assert_allclose(found.live * 3600, [152, 151])
    np.testing.assert_allclose(found.total_utilisation, 300 / 303)
    assert found.attempts.values.tolist() == [3, 2]


def test_staleness(five: xr.Dataset) -> None:
    found = analysis.staleness(five)
    assert found.outstanding.values.tolist() == [0, 1, 1, 0, 1]
    assert found.told.values.tolist() == [0, 0, 1, 3, 3]
    np.testing.assert_allclose(found.missing, [np.nan, 1, 1 / 2, 0, 1 / 4])


def test_what_another_study_ran_is_no_work_of_this_one(five: xr.Dataset) -> None:
    origin = xr.where(five.trial < 2, "retold", five.origin)
    later = five.asked_at.where(five.trial < 2, five.asked_at + np.timedelta64(1, "D"))
    ds = five.assign(origin=origin, asked_at=later, told_at=later + np.timedelta64(1, "h"))
    found = analysis.trace(ds)
    assert found.best_trial.values.tolist() == [0, 1, 1, 1, 4]
    np.testing.assert_allclose(found.wall_time * 3600, [0, 0, 3600, 3660, 3661], atol=1.0)
    np.testing.assert_allclose(found.core_hours * 3600, [0, 0, 120, 180, 240])
    assert analysis.timeline(ds).trial.values.tolist() == [2, 4, 3]
    assert analysis.cost(ds).attempts.sum() == 3
    assert analysis.staleness(ds).trial.values.tolist() == [2, 3, 4]


def test_cost(five: xr.Dataset) -> None:
    found = analysis.cost(five)
    assert float(found.core_hours.sel(outcome="completed").sum()) == pytest.approx(480 / 3600)
    assert float(found.core_hours.sel(outcome="failed", cause="objective_error")) == pytest.approx(120 / 3600)
    assert found.attempts.sum("cause").values.tolist() == [4, 1, 0, 0, 0]


def test_front_and_volume_of_two_objectives(make_study: MAKE) -> None:
    points = [(1.0, 4.0), (2.0, 2.0), (3.0, 3.0), (4.0, 1.0)]
    objectives = {"a": "minimize", "b": "minimize"}
    results = in_order({"a": a, "b": b} for a, b in points)
    ds = make_study({"x": REAL}, results, trials=4, workers=1, objectives=objectives)
    assert analysis.pareto(ds).trial.values.tolist() == [0, 1, 3]
    found = analysis.hypervolume(ds, reference=[5, 5])
    assert found.hypervolume.values.tolist() == [4, 10, 10, 11]


def test_volume_of_three_objectives(make_study: MAKE) -> None:
    points = [(0.0, 1.0, -1.0), (1.0, 0.0, 0.0)]  # boxes of 2 and 4, which share 1
    objectives = {"a": "minimize", "b": "minimize", "c": "maximize"}
    results = in_order({"a": a, "b": b, "c": c} for a, b, c in points)
    ds = make_study({"x": REAL}, results, trials=2, workers=1, objectives=objectives)
    assert analysis.hypervolume(ds, reference=[2, 2, -2]).hypervolume.values.tolist() == [2, 5]


def weighted(p: Mapping[str, Any]) -> Any:
    return p["x1"] + 2 * p["x2"] + 3 * p["x3"]


def ishigami(p: Mapping[str, Any]) -> Any:
    """Its third parameter acts by an interaction with the first only."""
    x1, x2, x3 = (2 * math.pi * p[name] - math.pi for name in ("x1", "x2", "x3"))
    return np.sin(x1) * (1 + 0.1 * x3**4) + 7 * np.sin(x2) ** 2


def total_effects_of_ranks(function: Callable[[Mapping[str, Any]], Any], names: list[str]) -> list[float]:
    """Total Sobol indices of a function's rank on the unit cube, by Jansen's estimator."""
    rng, n = np.random.default_rng(1), 100_000
    points, others = (dict(zip(names, rng.random((len(names), n)), strict=True)) for _ in range(2))
    values = function(points)
    ordered = np.sort(values)
    ranks = np.searchsorted(ordered, values) / n
    moved = {name: np.searchsorted(ordered, function({**points, name: others[name]})) / n for name in names}
    return [float(np.mean((ranks - moved[name]) ** 2) / (2 * ranks.var())) for name in names]


@pytest.mark.parametrize(("function", "trials"), [(weighted, 300), (ishigami, 1200)])
def test_importance_is_twice_the_total_effect(
    function: Callable[[Mapping[str, Any]], Any], trials: int, make_study: MAKE
) -> None:
    names = ["x0", "x1", "x2", "x3"]
    ds = make_study(dict.fromkeys(names, REAL), lambda p: {"loss": float(function(p))}, trials=trials)
    found = analysis.importance(ds, repeats=5).sel(parameter=names)
    expected = 2 * np.array(total_effects_of_ranks(function, names))
    # What the forests have not learnt is missing from it.
    assert (found.importance > 0.5 * expected - 0.02).all()
    assert (found.importance < 1.1 * expected + 0.02).all()
    assert (np.argsort(found.importance.values) == np.argsort(expected)).all()


def test_a_comparison_s_intervals_hold_the_truth_nineteen_times_in_twenty(make_study: MAKE) -> None:
    """Studies whose ends are drawn from a known, skewed law; a few of the intervals may miss its median."""
    one = make_study({"x": REAL}, lambda p: {"loss": 0.0}, trials=1)
    rng = np.random.default_rng(0)

    def group() -> list[xr.Dataset]:
        return [one.assign(loss=one.loss.copy(data=[end])) for end in rng.lognormal(0.0, 1.0, 8)]

    covers, agrees, rounds = 0, 0, 40
    for seed in range(rounds):
        found = analysis.compare({"a": group(), "b": group()}, seed=seed).isel(count=-1)
        covers += bool(found.low.sel(label="a") <= 1.0 <= found.high.sel(label="a"))
        b = found.sel(label="b")
        agrees += bool(b.difference_low <= 0.0 <= b.difference_high)
    assert covers >= 34
    assert agrees >= 34
    assert min(covers, agrees) < rounds, "intervals that never miss are too wide to tell anything"
