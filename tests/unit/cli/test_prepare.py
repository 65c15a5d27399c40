"""`init`, `check`, `schema`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Cli = Callable[..., Result]


def test_a_new_study_can_be_tried_as_it_is(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    done = cli("init", "new/study.yaml")
    assert done.exit_code == 0
    assert "new/objective.py" in done.output
    assert cli("check", "new/study.yaml", "--one").exit_code == 0


def test_init_overwrites_nothing(cli: Cli, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert cli("init").exit_code == 2
    assert cli("init", "no/such/folder.yaml").exit_code == 2
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    done = cli("init", "new.yaml")
    assert done.exit_code == 0
    assert "there already" in done.output
    assert before.items() <= {file: file.read_bytes() for file in tmp_path.iterdir()}.items()


def test_check_shows_the_space_and_what_would_run(cli: Cli, tmp_path: Path) -> None:
    done = cli("check", "study.yaml", "--set", "schedule={hybrid: 2}", "--set", "cluster.workers=4")
    assert done.exit_code == 0
    for shown in (
        "mode is fast",
        "0 to 1",
        "minimize loss",
        "mass < 5",
        "x < n",
        "hybrid",
        "4 trials at a time",
    ):
        assert shown in done.output
    assert not (tmp_path / "toy.study").exists()


def test_check_json_holds_the_resolved_study(cli: Cli) -> None:
    found = json.loads(cli("check", "study.yaml", "--json").output)
    assert found["config"]["evaluate"]["timeout"] == "1min"
    assert found["slots"] == 2
    assert found["points"] is None
    assert "one" not in found


def test_check_one_evaluates_a_point(cli: Cli) -> None:
    done = cli("check", "study.yaml", "--one", "--json")
    assert done.exit_code == 0
    found = json.loads(done.output)["one"]
    assert found["outcome"]["values"]["loss"] == found["params"]["x"] * found["params"]["n"]
    assert found["kept"] is None


def test_check_one_of_a_failing_objective_ends_with_1_and_keeps_its_folder(cli: Cli, tmp_path: Path) -> None:
    text = (tmp_path / "objective.py").read_text()
    (tmp_path / "objective.py").write_text(text.replace("x < 0", "x >= 0"))
    done = cli("check", "study.yaml", "--one", "--json")
    assert done.exit_code == 1
    found = json.loads(done.output)["one"]
    assert found["outcome"]["cause"] == "objective_error"
    assert "x is below zero" in (Path(found["kept"]) / "stderr").read_text()


def test_check_one_tells_a_traceback_once(cli: Cli, tmp_path: Path) -> None:
    text = (tmp_path / "objective.py").read_text()
    text = text.replace("x < 0", "x >= 0").replace("    if", "    print('on the way')\n    if")
    (tmp_path / "objective.py").write_text(text)
    shown = cli("check", "study.yaml", "--one").output
    assert shown.count("Traceback") == 1
    assert "x is below zero" in shown
    assert "on the way" in shown


BATCH = ("--set", "cluster={kind: slurm, jobs: 2, workers_per_job: 2, cpus_per_trial: 4, walltime: 10min}")


def test_check_shows_the_job_script_and_submits_nothing(cli: Cli, tmp_path: Path) -> None:
    done = cli("check", "study.yaml", *BATCH)
    assert done.exit_code == 0
    assert "4 trials at a time, 4 cores each; 2 slurm jobs of 8 cores, 10 min" in done.output
    assert "#SBATCH --cpus-per-task=8\n#SBATCH -t 00:10:00\n" in done.output
    assert "--signal=B:USR1@60" in done.output
    assert not (tmp_path / "toy.study").exists()


def test_check_estimates_from_the_timeout(cli: Cli) -> None:
    """200 trials of up to 1 min, 4 at a time: 50 min; of each job's 2 x 10 trials, 10 jobs."""
    found = json.loads(cli("check", "study.yaml", *BATCH, "--set", "budget.trials=200", "--json").output)
    estimate = found["estimate"]
    assert (estimate["time_s"], estimate["jobs"], estimate["is_bound"]) == (3000, 10, True)
    assert round(estimate["core_hours"], 6) == round(200 * 60 * 4 / 3600, 6)
    assert "#SBATCH" in found["job_script"]


def test_check_says_what_no_job_can_hold(cli: Cli) -> None:
    done = cli("check", "study.yaml", *BATCH, "--set", "evaluate.timeout=1h")
    assert done.exit_code == 0
    assert "timeout, 1 h, cannot end within any job of 10 min" in done.output
    unknown = cli("check", "study.yaml", *BATCH, "--set", "evaluate.timeout=null")
    assert "--one measures one" in unknown.output
    unbounded = cli("check", "study.yaml", "--set", "budget={trials: null, target: 0.1}")
    assert "names no number of trials" in unbounded.output


def test_check_estimates_the_files_that_a_study_leaves(cli: Cli, toy: Path) -> None:
    estimate = json.loads(cli("check", "study.yaml", "--set", "budget.trials=4", "--json").output)["estimate"]
    there = sum(1 for _ in toy.rglob("*"))
    assert there < estimate["files"] < 1.5 * there


def test_check_takes_a_sites_defaults(cli: Cli, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("cluster: {kind: lsf, workers_per_job: 4, queue: night}\n")
    text = (tmp_path / "study.yaml").read_text().replace("kind: local, ", "")
    (tmp_path / "study.yaml").write_text(text)
    done = cli("check", "study.yaml", "--site", "site.yaml")
    assert done.exit_code == 0
    assert "#BSUB -q night" in done.output
    assert "tested as text only" in done.output


def test_a_wrong_option_of_the_job_class_is_bad_input(cli: Cli) -> None:
    done = cli("check", "study.yaml", *BATCH, "--set", "cluster.options={job_cpus: 3}")
    assert done.exit_code == 2
    assert "cluster.options.job_cpus" in done.output


def test_schema_is_json(cli: Cli) -> None:
    assert "space" in json.loads(cli("schema").output)["properties"]
