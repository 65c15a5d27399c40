from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from asktell.cli import main
from asktell.errors import ConfigError
from asktell.simulation.compare import Comparison, compare, schedule_of
from asktell.simulation.plot import plot
from asktell.simulation.targets import common_target, lines, reached, verdicts

SMALL = Comparison(
    problem="branin",
    engines=("sobol", "random"),
    schedules=("batch", "async"),
    workers=(2, 4),
    seeds=2,
    trials=12,
    runtime="uniform(10min, 30min)",
)


def test_a_comparison_is_a_dataset_with_a_dimension_for_each_question() -> None:
    data = compare(SMALL)
    assert dict(data.sizes) == {"engine": 2, "schedule": 2, "workers": 2, "seed": 2, "step": 12}
    assert (data["ended"].diff("step") >= 0).all()
    assert (data["regret"].diff("step") <= 0).all()
    assert (data["utilisation"].sel(schedule="async") >= data["utilisation"].sel(schedule="batch")).all()
    assert data["makespan"].attrs["units"] == "h"


def test_parallel_cells_are_those_played_one_by_one() -> None:
    wanted = Comparison(problem="hartmann3", engines=("random",), workers=(2,), seeds=3, trials=6, jobs=2)
    both = [compare(wanted), compare(replace(wanted, jobs=1))]
    np.testing.assert_array_equal(both[0]["regret"], both[1]["regret"])


def test_the_time_to_a_target_is_that_of_the_first_trial_that_reaches_it() -> None:
    data = compare(SMALL)
    worst = float(data["regret"].isel(step=0).max())
    np.testing.assert_array_equal(reached(data, worst), data["ended"].isel(step=0))
    np.testing.assert_array_equal(reached(data, worst, "spent"), data["spent"].isel(step=0))
    assert np.isinf(reached(data, -1.0)).all()
    target = common_target(data)
    assert target is not None
    assert np.isfinite(reached(data, target)).all()
    assert target == pytest.approx(float(data["regret"].isel(step=-1).max()), rel=0.1)


def test_verdicts_answer_what_a_schedule_and_more_workers_gain() -> None:
    """By hand: 12 trials of 10 min, the seventh of which is the first at the target."""
    steps = np.arange(1, 13)
    regret = np.where(steps < 7, 1.0, 0.1)
    hours = {
        ("async", 2): np.ceil(steps / 2) / 6,
        ("async", 4): np.ceil(steps / 4) / 6,
        ("batch", 2): np.ceil(steps / 2) / 3,
        ("batch", 4): np.full(12, np.nan),
    }
    shape = (1, 2, 2, 1, 12)
    ended = np.array(list(hours.values())).reshape(shape)
    axes = ("engine", "schedule", "workers", "seed", "step")
    data = xr.Dataset(
        {
            "regret": (axes, np.where(np.isnan(ended), np.nan, regret)),
            "ended": (axes, ended),
            "spent": (axes, ended * np.array([2, 4])[:, None, None]),
        },
        {"engine": ["gp"], "schedule": ["async", "batch"], "workers": [2, 4], "seed": [0], "step": steps},
    )
    assert verdicts(data, 0.1) == [
        "2 workers: async reaches regret 0.1 in 40 min; batch takes 2 × as long (2 × the worker-hours)",
        "4 workers: async reaches regret 0.1 in 20 min; batch does not get there",
        "async: to regret 0.1, 4 workers instead of 2 take 0.5 × as long (the same worker-hours)",
        "batch: to regret 0.1, 4 workers instead of 2 do not get there",
    ]


def test_sequential_has_one_worker_however_many_the_others_have() -> None:
    wanted = replace(SMALL, engines=("sobol",), schedules=("sequential", "async"), seeds=1)
    labels = [label for label, _ in lines(compare(wanted))]
    assert labels == ["sequential", "async, 2 workers", "async, 4 workers"]


def test_hypervolume_stands_for_regret_where_there_are_several_objectives() -> None:
    data = compare(Comparison(problem="zdt1", engines=("sobol",), workers=(2,), seeds=1, trials=16))
    assert (data["hypervolume"].diff("step") >= 0).all()
    assert float(data["hypervolume"].max()) > 0


def test_a_study_file_is_simulated_with_a_random_function_over_its_space(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(
        "name: s\nevaluate: {command: ['true']}\nobjectives: {quality: maximize}\n"
        "space: {x: {type: real, low: 0, high: 1}, m: {type: categorical, choices: [a, b]}}\n"
    )
    data = compare(Comparison(problem=str(study), engines=("sobol",), workers=(2,), seeds=1, trials=8))
    assert data.attrs["problem"] == "s (random)"
    assert (data["regret"] >= 0).all()


@pytest.mark.parametrize("text", ["hybrid", "hybrid:1", "hybrid:4", "async:2", "eager"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="hybrid:K with 1 < K < workers"):
        schedule_of(text, 4)


def test_the_plot_has_a_line_and_a_bar_for_each_combination(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    data = compare(SMALL)
    assert len(lines(data)) == 8
    assert lines(data)[0][0] == "sobol, batch, 2 workers"
    plot(data, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_answers_with_a_table_and_a_file(tmp_path: Path) -> None:
    output = tmp_path / "out.nc"
    arguments = ["branin", "--engine", "sobol", "--workers", "4", "--trials", "8", "--seeds", "1"]
    result = CliRunner().invoke(main, ["simulate", *arguments, "--target", "50", "--output", str(output)])
    assert result.exit_code == 0, result.output
    assert "to regret 50" in result.output
    assert "utilisation" in result.output
    assert "async reaches regret 50 in" in result.output
    with xr.open_dataset(output) as data:
        assert dict(data.sizes) == {"engine": 1, "schedule": 2, "workers": 1, "seed": 1, "step": 8}
        assert (data["reason"] == "all 8 trials are done").all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["brannin"], "did you mean 'branin'"),
        (["branin", "--runtime", "0s"], "0s is too short"),
        (["branin", "--walltime", "0s"], "0s is too short"),
        (["branin", "--crash-every", "0s"], "0s is too short"),
        (["branin", "--schedule", ","], "name at least one"),
        (["branin", "--schedule", "hybrid:4", "--workers", "4"], "1 < K < workers"),
        (["branin", "--workers", "4,x"], "numbers of 1 or more"),
        (["branin", "--target", "nan"], "no number to reach"),
        (["branin", "--plot", "picture.xyz"], "end its name in .png"),
        (["branin", "--output", "nowhere/out.nc"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_simulated_is_said_before_anything_is_played(arguments: list[str], said: str) -> None:
    if "--plot" in arguments:
        pytest.importorskip("matplotlib", reason="plots need matplotlib")
    result = CliRunner().invoke(main, ["simulate", *arguments])
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())


def test_a_study_in_which_everything_fails_says_so_and_has_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    arguments = ["--engine", "sobol", "--workers", "2", "--trials", "4", "--seeds", "1", "--failures", "1"]
    picture = tmp_path / "plot.png"
    result = CliRunner().invoke(main, ["simulate", "branin", *arguments, "--plot", str(picture)])
    assert result.exit_code == 0, result.output
    assert "async: 1 of 1 studies have no trial that completed" in result.output
    assert picture.read_bytes().startswith(b"\x89PNG")
