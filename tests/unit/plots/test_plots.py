"""Every picture, of small and large, failing, conditional and multi-objective studies: nothing is cut off."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from asktell import analysis, plots
from asktell.errors import StudyError

SPACE = {
    "x": {"type": "real", "low": -5.0, "high": 10.0, "units": "mm"},
    "rate": {"type": "real", "low": 0.01, "high": 1.0, "log": True},
    "n": {"type": "integer", "low": 1, "high": 64},
    "method": {"type": "categorical", "choices": ["a rather long name of a method", "fast", "exact"]},
    "tolerance": {"type": "real", "low": 0.0, "high": 1.0, "when": {"method": ["exact"]}},
}


def evaluate(params: Mapping[str, Any]) -> dict[str, Any]:
    if params["x"] > 8:
        raise ValueError("it failed")
    loss = (params["x"] - 1) ** 2 + math.log10(params["rate"]) ** 2 + params.get("tolerance", 0.5)
    return {"loss": loss, "size": 10 / params["n"], "m": np.full((4, 3), loss), "line": np.arange(5.0) * loss}


def lean(params: Mapping[str, Any]) -> dict[str, Any]:
    results = evaluate(params)
    return {"loss": results["loss"]}


TWO = {"loss": "minimize", "size": "maximize"}
ALWAYS = [
    plots.plot_convergence,
    plots.plot_hypervolume,
    plots.plot_parallel,
    lambda ds: plots.plot_regret(ds, 0.0),
    lambda ds: plots.plot_runtime(ds, "n"),
]
"""What needs no more than a trial."""


@pytest.fixture(autouse=True)
def pictures() -> Iterator[None]:
    with mpl.rc_context({"backend": "Agg"}):
        yield
        plt.close("all")


@pytest.fixture
def study(make_study: Callable[..., xr.Dataset]) -> xr.Dataset:
    return make_study(SPACE, evaluate, trials=50, loses=0.2, objectives={"loss": {"units": "s"}})


@pytest.fixture
def two(make_study: Callable[..., xr.Dataset]) -> xr.Dataset:
    return make_study(SPACE, evaluate, objectives=TWO, constraints=("size > 0.2",))


def check(ax: Axes) -> None:
    """Labelled axes, and no text that the figure cuts off."""
    figure = ax.figure
    figure.canvas.draw()
    page = figure.bbox.padded(1.0)
    renderer = figure.canvas.get_renderer()
    for one in figure.axes:
        box = one.get_tightbbox(renderer)
        assert page.x0 <= box.x0, one
        assert page.y0 <= box.y0, one
        assert box.x1 <= page.x1, one
        assert box.y1 <= page.y1, one
        for axis in (one.xaxis, one.yaxis):
            boxes = [tick.label1.get_window_extent(renderer) for tick in axis.get_major_ticks()]
            if not any(tick.label1.get_rotation() for tick in axis.get_major_ticks()):
                shown = [box for box in boxes if box.width and box.overlaps(one.bbox.padded(40))]
                overlaps = [a.overlaps(b) for a, b in itertools.pairwise(shown)]
                assert not any(overlaps), f"crowded ticks on {axis}"


def words(ax: Axes) -> str:
    legend = ax.get_legend()
    found = [ax.get_xlabel(), ax.get_ylabel(), ax.get_title(), *(text.get_text() for text in ax.texts)]
    texts = [*legend.get_texts(), legend.get_title()] if legend else []
    return " | ".join([*found, *(text.get_text() for text in texts)])


ONE = {
    "agreement": (lambda ds, ax: plots.plot_agreement(ds, ax=ax), ["loss (s)", "R²"]),
    "convergence": (
        lambda ds, ax: plots.plot_convergence(ds, ax=ax),
        ["loss (s), lower is better", "failed"],
    ),
    "wall time": (
        lambda ds, ax: plots.plot_convergence(ds, against="wall_time", ax=ax),
        ["(min)", "best so far"],
    ),
    "cost": (lambda ds, ax: plots.plot_cost(ds, ax=ax), ["core-hours (h)"]),
    "importance": (lambda ds, ax: plots.plot_importance(ds, ax=ax), ["R² for loss"]),
    "objective": (
        lambda ds, ax: plots.plot_objective(ds, "x", "method", ax=ax),
        ["x (mm)", "failed", "best", "initial"],
    ),
    "log objective": (lambda ds, ax: plots.plot_objective(ds, "rate", "n", ax=ax), ["rate", "proposed"]),
    "parallel": (lambda ds, ax: plots.plot_parallel(ds, ax=ax), ["best"]),
    "regret": (lambda ds, ax: plots.plot_regret(ds, 0.0, ax=ax), ["regret", "(s)"]),
    "runtime": (lambda ds, ax: plots.plot_runtime(ds, "n", ax=ax), ["duration of the evaluation (s)"]),
    "slice": (lambda ds, ax: plots.plot_slice(ds, "tolerance", ax=ax), ["tolerance", "loss (s)"]),
    "staleness": (lambda ds, ax: plots.plot_staleness(ds, ax=ax), ["results outstanding"]),
    "timeline": (
        lambda ds, ax: plots.plot_timeline(ds, ax=ax),
        ["completed (", "failed (", "lost (", "idle", "(min)"],
    ),
    "utilisation": (lambda ds, ax: plots.plot_utilisation(ds, ax=ax), ["utilisation", "busy", "live"]),
}


@pytest.mark.parametrize("name", ONE)
def test_a_picture_says_what_it_shows_and_cuts_nothing_off(name: str, study: xr.Dataset) -> None:
    draw, expected = ONE[name]
    ax = draw(study, None)
    check(ax)
    for text in expected:
        assert text in words(ax), text
    _, mine = plt.subplots()
    assert draw(study, mine) is mine


@pytest.mark.parametrize("name", ONE)
def test_a_picture_of_a_few_trials_cuts_nothing_off(name: str, make_study: Callable[..., xr.Dataset]) -> None:
    check(ONE[name][0](make_study(SPACE, evaluate, trials=14, workers=1), None))


def test_pictures_of_three_trials_count_in_whole_numbers(make_study: Callable[..., xr.Dataset]) -> None:
    ds = make_study(SPACE, evaluate, trials=3)
    for draw in (*ALWAYS, plots.plot_staleness, plots.plot_timeline, plots.plot_utilisation, plots.plot_cost):
        ax = draw(ds)
        check(ax)
        if ax.get_xlabel() == "trials that have ended":
            assert all(float(tick).is_integer() for tick in ax.get_xticks())


@pytest.mark.parametrize("name", sorted(ONE.keys() - {"convergence", "wall time", "regret"}))
def test_a_study_of_several_objectives_has_the_other_pictures(name: str, two: xr.Dataset) -> None:
    check(ONE[name][0](two, None))


def test_the_front_is_marked_and_directions_are_named(two: xr.Dataset) -> None:
    ax = plots.plot_pareto(two)
    check(ax)
    for text in ("loss, lower is better", "size, higher is better", "outside the constraints"):
        assert text in words(ax)
    front = next(item for item in ax.collections if item.get_label() == "not beaten")
    np.testing.assert_allclose(np.asarray(front.get_offsets())[:, 0], np.sort(analysis.pareto(two).loss))
    check(plots.plot_hypervolume(two))


def test_a_picture_of_one_objective_refuses_several(two: xr.Dataset, study: xr.Dataset) -> None:
    with pytest.raises(StudyError, match="pareto"):
        plots.plot_convergence(two)
    with pytest.raises(StudyError, match="plot_convergence"):
        plots.plot_pareto(study)


def test_what_does_not_exist_is_refused_with_what_does(two: xr.Dataset, study: xr.Dataset) -> None:
    with pytest.raises(StudyError, match=r"no objective 'nosuch'; there are loss, size"):
        plots.plot_pareto(two, "nosuch")
    against: Any = "hours"
    for ask in (plots.plot_convergence, lambda ds, against: analysis.compare({"a": ds}, against=against)):
        with pytest.raises(StudyError, match=r"'hours'; it is one of count, wall_time, core_hours"):
            ask(study, against=against)
    with pytest.raises(StudyError, match=r"name some of x, rate"):
        plots.plot_slices(study, [])


def test_convergence_ends_at_the_best(study: xr.Dataset) -> None:
    (line,) = plots.plot_convergence(study).lines
    assert line.get_ydata()[-1] == study.loss.min()


def test_regret_says_where_the_optimum_was_reached_or_passed(study: xr.Dataset) -> None:
    best, worst = float(study.loss.min()), float(study.loss.max())
    for optimum, expected in (
        (best, "then at the optimum"),
        (float(study.loss[np.isfinite(study.loss)][0]) - 1e-9, "then beyond the given optimum"),
        (worst + 1.0, "beyond the given optimum: no regret"),
    ):
        ax = plots.plot_regret(study, optimum)
        check(ax)
        assert expected in words(ax)
    ax = plots.plot_regret(study.assign(loss=study.loss * 0), 0.0)
    assert "at the optimum: no regret" in words(ax)


def test_runtimes_that_nobody_knows_are_not_called_unfinished(study: xr.Dataset) -> None:
    ax = plots.plot_runtime(study.assign(duration=study.duration * np.nan), "n")
    check(ax)
    assert "no trial's duration is known" in words(ax)


def test_slices_show_every_parameter_once(study: xr.Dataset) -> None:
    axes = plots.plot_slices(study)
    assert [ax.get_xlabel() for ax in axes] == ["x (mm)", "rate", "n", "method", "tolerance"]
    check(axes[0])


def test_slices_of_large_integers_have_room_for_their_ticks(make_study: Callable[..., xr.Dataset]) -> None:
    ends = {"a": (10_000, 20_000), "b": (100_000, 900_000), "c": (-99_999, 99_999), "d": (1000, 1009)}
    space = {name: {"type": "integer", "low": low, "high": high} for name, (low, high) in ends.items()}
    for ax in plots.plot_slices(make_study(space, lambda p: {"loss": sum(p.values())})):
        check(ax)
        shown = [tick for tick in ax.get_xticks() if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]]
        assert len(shown) > 1
        assert all(tick.is_integer() for tick in shown)


def test_the_best_array_stands_beside_the_median_on_one_scale(study: xr.Dataset) -> None:
    axes = plots.plot_best_and_median(study, "m")
    check(axes[0])
    best, median = (ax.collections[0] for ax in axes)
    assert best.get_clim() == median.get_clim()
    assert float(best.get_array().ravel()[0]) == pytest.approx(float(study.loss.min()))
    assert float(median.get_array().ravel()[0]) == pytest.approx(float(np.nanmedian(study.loss)), rel=0.2)
    (ax,) = plots.plot_best_and_median(study, "line")
    check(ax)
    assert len(ax.lines) == 2


def test_the_best_trial_that_left_an_array_is_shown(make_study: Callable[..., xr.Dataset]) -> None:
    """Not a better result that was told, for which the store holds nothing."""

    def evaluate(params: Mapping[str, Any]) -> Mapping[str, Any]:
        if params["x"] < 0.5:
            return {"loss": params["x"], "told": True}
        return {"loss": params["x"], "m": np.full((2, 2), params["x"])}

    ds = make_study({"x": {"type": "real", "low": 0.0, "high": 1.0}}, evaluate)
    image = plots.plot_best_and_median(ds, "m")[0].collections[0]
    assert float(image.get_array().ravel()[0]) == pytest.approx(min(x for x in ds.x.values if x >= 0.5))


def test_arrays_without_an_element_say_so(make_study: Callable[..., xr.Dataset]) -> None:
    ds = make_study(SPACE, lambda p: {"loss": p["x"], "m": np.zeros((0, 2))})
    assert "no value" in plots.plot_best_and_median(ds, "m")[0].texts[0].get_text()


def test_parameters_may_be_named_as_what_is_said_of_them(make_study: Callable[..., xr.Dataset]) -> None:
    real = {"type": "real", "low": 0.0, "high": 1.0}
    ds = make_study({"mean": real, "std": real}, lambda p: {"loss": p["mean"] + p["std"]})
    for ax in (*plots.plot_slices(ds), plots.plot_objective(ds, "std", "mean")):
        check(ax)


def test_a_constant_agrees_with_nothing(make_study: Callable[..., xr.Dataset]) -> None:
    assert plots.plot_agreement(make_study(SPACE, lambda p: {"loss": 1.0})).get_title() == "nothing varies"


def test_a_square_matrix_with_names_has_room_for_them(make_study: Callable[..., xr.Dataset]) -> None:
    names = [f"a region's name {place}" for place in range(8)]
    ds = make_study(SPACE, lambda p: {"loss": p["x"], "m": np.full((8, 8), p["x"])})
    ds = ds.assign_coords(m_x=names, m_y=names)
    check(plots.plot_best_and_median(ds, "m")[0])
    check(plots.plot_output(ds, "m", 0))


def test_an_array_of_one_trial_shows_what_is_there(study: xr.Dataset) -> None:
    done, failed = (int(study.trial[study.status.values == code][0]) for code in (0, 1))
    ax = plots.plot_output(study, "m", done)
    check(ax)
    (image,) = ax.collections
    np.testing.assert_allclose(np.asarray(image.get_array()), study.m.sel(trial=done))
    (line,) = plots.plot_output(study, "line", done).lines
    np.testing.assert_allclose(line.get_ydata(), study.line.sel(trial=done))
    assert "no value here" in words(plots.plot_output(study, "m", failed))
    with pytest.raises(StudyError, match="there are m, line"):
        plots.plot_output(study, "loss", done)
    with pytest.raises(StudyError, match="trial 50 has not ended"):
        plots.plot_output(study, "m", 50)
    with pytest.raises(StudyError, match="select some of it first"):
        plots.plot_array(study.m)
    with pytest.raises(StudyError, match="complex"):
        plots.plot_array(study.m.sel(trial=done) * 1j)


def test_an_array_of_both_signs_is_white_in_the_middle_and_grey_where_nothing_is() -> None:
    array = xr.DataArray([[-1.0, 0.0, 3.0], [np.nan, 1.0, 2.0]], dims=("row", "column"), name="effect")
    ax = plots.plot_array(array)
    check(ax)
    (image,) = ax.collections
    assert image.get_clim() == (-3.0, 3.0)
    assert min(image.cmap(0.5)[:3]) > 0.95
    assert ax.get_facecolor()[:3] != (1.0, 1.0, 1.0)
    (image,) = plots.plot_array(array.clip(min=0)).collections
    assert image.get_clim() == (0.0, 3.0)


def test_comparison_has_a_line_for_each_label(make_study: Callable[..., xr.Dataset]) -> None:
    studies = {
        label: [make_study(SPACE, evaluate, f"{label}{seed}", seed=seed, trials=15) for seed in range(2)]
        for label in ("async, 4 workers", "batch, 4 workers")
    }
    for against in ("count", "core_hours", "wall_time"):
        ax = plots.plot_comparison(analysis.compare(studies, against=against))
        check(ax)
        assert "batch, 4 workers (2 studies)" in words(ax)


def test_a_timeline_of_many_workers_names_some_of_them(make_study: Callable[..., xr.Dataset]) -> None:
    ax = plots.plot_timeline(make_study(SPACE, evaluate, trials=120, workers=60))
    check(ax)
    assert len(ax.get_yticks()) <= 30


def test_a_study_without_trials_has_pictures_too(make_study: Callable[..., xr.Dataset]) -> None:
    ds = make_study(SPACE, evaluate, trials=0)
    for draw in (*ALWAYS, plots.plot_timeline, plots.plot_utilisation, plots.plot_staleness, plots.plot_cost):
        ax = draw(ds)
        check(ax)
        assert "yet" in words(ax), draw
        assert not [*ax.get_xticks(), *ax.get_yticks()], draw
    check(plots.plot_pareto(make_study(SPACE, evaluate, "two", trials=0, objectives=TWO)))


def test_a_study_of_failures_only_says_so(make_study: Callable[..., xr.Dataset]) -> None:
    def fail(params: Mapping[str, Any]) -> dict[str, Any]:
        raise ValueError("it failed")

    ds = make_study(SPACE, fail, trials=12)
    for draw in ALWAYS[:-1]:
        ax = draw(ds)
        check(ax)
        assert "none of 12 trials has a valid result" in words(ax), draw
    assert "failed" in words(plots.plot_runtime(ds, "n"))
    assert "failed (12)" in words(plots.plot_timeline(ds))


def test_pictures_of_thousands_of_trials_cut_nothing_off(make_study: Callable[..., xr.Dataset]) -> None:
    ds = make_study(SPACE, lean, trials=2000, workers=100, loses=0.1)
    for draw in (
        *ALWAYS,
        plots.plot_timeline,
        plots.plot_utilisation,
        plots.plot_staleness,
        plots.plot_cost,
        lambda ds: plots.plot_objective(ds, "x", "method"),
    ):
        check(draw(ds))
    assert plots.plot_parallel(ds).collections[0].get_array().size <= 200


def test_the_best_line_is_of_a_trial_within_the_constraints(make_study: Callable[..., xr.Dataset]) -> None:
    ds = make_study(
        {"x": {"type": "real", "low": 0.0, "high": 1.0}},
        lambda p: {"loss": p["x"]},
        constraints=("loss > 0.4",),
    )
    (line,) = (line for line in plots.plot_parallel(ds).lines if line.get_label() == "best")
    assert line.get_ydata()[0] == pytest.approx(min(x for x in ds.x.values if x > 0.4))


def test_the_ends_of_an_integer_are_written_out(make_study: Callable[..., xr.Dataset]) -> None:
    space = {"n": {"type": "integer", "low": 0, "high": 1_234_567}}
    ax = plots.plot_parallel(make_study(space, lambda p: {"loss": p["n"]}))
    check(ax)
    assert {"0", "1234567"} <= {text.get_text() for text in ax.texts}


def test_parameters_that_never_exist_together_have_no_surface(make_study: Callable[..., xr.Dataset]) -> None:
    real = {"type": "real", "low": 0.01, "high": 1.0, "log": True}
    space = {
        "m": {"type": "categorical", "choices": ["a", "b"]},
        "x": {**real, "when": {"m": ["a"]}},
        "y": {**real, "when": {"m": ["b"]}},
    }
    ax = plots.plot_objective(make_study(space, lambda p: {"loss": p.get("x", 0.5)}), "x", "y")
    check(ax)
    assert "no trial tells of x and y together" in words(ax)
    assert len(ax.figure.axes) == 1


def test_each_trial_is_named_for_where_it_came_from_and_what_became_of_it(study: xr.Dataset) -> None:
    kinds = ["initial", "earlier", "model", "random", "queued", "added", "retold"]
    origins = np.array(kinds, object)[np.arange(study.sizes["trial"]) % len(kinds)]
    status = study.status.copy(data=np.where(study.loss > study.loss.median(), 2, study.status))
    ds = study.assign(origin=("trial", origins), status=status)
    n_by_status = [int((status == code).sum()) for code in range(3)]
    assert min(n_by_status) > 0
    ax = plots.plot_objective(ds, "x", "n")
    check(ax)
    shown = {item.get_label(): len(item.get_offsets()) for item in ax.collections}
    valid = origins[status == 0]
    for label, expected in (("initial", kinds[:2]), ("proposed", kinds[2:4]), ("given", kinds[4:])):
        assert shown[label] == np.isin(valid, expected).sum()
    for picture in (ax, plots.plot_convergence(ds), plots.plot_runtime(ds, "n")):
        shown = {item.get_label(): len(item.get_offsets()) for item in picture.collections}
        assert [shown["failed"], shown["cancelled"]] == n_by_status[1:]


@pytest.mark.parametrize("trials", [4, 20])
def test_values_at_the_end_of_the_doubles_are_not_drawn(
    trials: int, make_study: Callable[..., xr.Dataset]
) -> None:
    space = {"x": {"type": "real", "low": -1.0, "high": 1.0}}
    ds = make_study(space, lambda p: {"loss": math.copysign(1.7e308, p["x"])}, trials=trials)
    assert {-1.7e308, 1.7e308} == set(ds.loss.values)
    ax = plots.plot_convergence(ds)
    check(ax)
    assert "values beyond 1e+307 cannot be drawn" in words(ax)


def test_choices_on_both_axes_are_spread_over_an_area(make_study: Callable[..., xr.Dataset]) -> None:
    choice = {"type": "categorical", "choices": ["a", "b"]}
    ds = make_study({"m": choice, "k": choice}, lambda _: {"loss": 1.0})
    dots = np.concatenate(
        [item.get_offsets() for item in plots.plot_objective(ds, "m", "k").collections[1:3]]
    )
    offsets = np.asarray(dots) - np.round(dots)
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.5


def test_an_effect_far_below_the_scatter_looks_flat(study: xr.Dataset) -> None:
    image = plots.plot_objective(study, "method", "n").collections[0]
    low, high = image.get_clim()
    scatter = np.ptp(np.nanquantile(study.loss, (0.1, 0.9)))
    assert high - low >= 0.1 * scatter * (1 - 1e-9)
