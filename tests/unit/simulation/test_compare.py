from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from asktell.cli import main
from asktell.errors import ConfigError
from asktell.simulation.compare import Comparison, compare, schedule_of, time_to
from asktell.simulation.plot import lines, plot

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
    both = [compare(wanted), compare(Comparison(**{**_fields(wanted), "jobs": 1}))]
    np.testing.assert_array_equal(both[0]["regret"], both[1]["regret"])


def test_the_time_to_a_target_is_that_of_the_first_trial_that_reaches_it() -> None:
    data = compare(SMALL)
    worst = float(data["regret"].isel(step=0).max())
    np.testing.assert_array_equal(time_to(data, worst), data["ended"].isel(step=0))
    assert np.isinf(time_to(data, -1.0)).all()


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
    assert "utilisation" in result.output
    assert output.is_file()
    wrong = CliRunner().invoke(main, ["simulate", "brannin"])
    assert wrong.exit_code == 2
    assert "did you mean 'branin'" in wrong.output


def _fields(wanted: Comparison) -> dict[str, object]:
    return {name: getattr(wanted, name) for name in Comparison.__slots__}
