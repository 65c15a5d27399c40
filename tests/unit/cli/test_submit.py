"""What `submit` and `--dry-run` say before anything is submitted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Cli = Callable[..., Result]
SLURM = ("--cluster", "slurm", "--set", "cluster.jobs=3")


@pytest.mark.parametrize("command", ["run", "submit"])
def test_a_dry_run_prints_the_scripts_and_creates_nothing(cli: Cli, tmp_path: Path, command: str) -> None:
    before = set(tmp_path.iterdir())
    said = cli(command, "study.yaml", *SLURM, "--dry-run")
    assert said.exit_code == 0, said.output
    assert "3 of them, each a job" in said.output
    assert "-m asktell.job" in said.output
    assert ("--hand-over" in said.output) == (command == "submit")
    assert set(tmp_path.iterdir()) == before


def test_a_dry_run_of_a_resume_changes_nothing(cli: Cli, toy: Path) -> None:
    before = (toy / "study.yaml").read_text()
    said = cli("resume", toy, "--dry-run", *SLURM)
    assert "-m asktell.job" in said.output
    assert (toy / "study.yaml").read_text() == before


def test_a_local_study_submits_nothing(cli: Cli) -> None:
    said = cli("run", "study.yaml", "--dry-run")
    assert said.exit_code == 0
    assert "nothing is submitted" in said.output


def test_a_local_study_can_be_sent_to_a_batch_system(cli: Cli) -> None:
    refused = cli("submit", "study.yaml")
    assert refused.exit_code == 2
    assert "--via slurm" in refused.output
    assert "#PBS" in cli("submit", "study.yaml", "--via", "pbs", "--dry-run").output


def test_a_folder_that_is_no_study_is_none(cli: Cli, tmp_path: Path) -> None:
    said = cli("submit", tmp_path)
    assert said.exit_code == 2
    assert "name the study file in it" in said.output


def test_a_study_has_its_directory_and_its_site(cli: Cli, toy: Path) -> None:
    said = cli("submit", toy, "--dir", "elsewhere")
    assert said.exit_code == 2
    assert "--dir" in said.output


def test_where_jobs_cannot_be_submitted_the_study_is_kept(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = cli("submit", "study.yaml", *SLURM)
    assert said.exit_code == 1
    assert "sbatch" in said.output
    assert "`asktell submit toy.study` tries again" in said.output
    assert Path("toy.study/study.yaml").is_file()


def test_a_driver_hands_over_only_in_a_job(cli: Cli, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "PBS_JOBID", "JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    said = cli("resume", toy, "--hand-over")
    assert said.exit_code == 2
    assert "asktell submit" in said.output
