"""Exit codes, help and errors of the command as a whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import asktell
from asktell.cli import main

Cli = Callable[..., Result]

COMMANDS = sorted(main.commands)


def test_help_and_version_load_nothing_heavy() -> None:
    script = (
        "import sys; from asktell.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "heavy = {'numpy', 'pydantic', 'yaml', 'rich', 'distributed', 'zarr', 'xarray'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_in_one_line_what_it_does(cli: Cli, command: str) -> None:
    assert len(main.commands[command].get_short_help_str(limit=200)) <= 62
    assert cli(command, "--help").exit_code == 0


def test_version(cli: Cli) -> None:
    assert cli("--version").output == f"asktell {asktell.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "nowhere"),
        ("resume", "nowhere"),
        ("run", "nowhere.yaml"),
        ("check", "nowhere.yaml"),
        ("run", "study.yaml", "--trials", "0"),
        ("run", "study.yaml", "--set", "budget.trails=3"),
        ("run", "study.yaml", "--set", "optimizer.options={nonsense: 1}"),
        ("frobnicate",),
    ],
)
def test_bad_input_ends_with_2_and_makes_nothing(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    before = sorted(tmp_path.iterdir())
    done = cli(*arguments)
    assert done.exit_code == 2
    assert "rror: " in done.stderr
    assert "Traceback" not in done.output
    assert sorted(tmp_path.iterdir()) == before


def test_all_problems_of_a_study_file_are_told_with_their_lines(cli: Cli, tmp_path: Path) -> None:
    text = (tmp_path / "study.yaml").read_text()
    (tmp_path / "study.yaml").write_text(text.replace("low: 0,", "low: 2,").replace("trials", "trails"))
    done = cli("check", "study.yaml")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: 2 problems\n")
    assert "study.yaml:4: space.x" in done.stderr
    assert "did you mean 'trials'?" in done.stderr


@pytest.mark.parametrize("place", [0, 2])
def test_debug_shows_the_traceback_wherever_it_stands(cli: Cli, place: int) -> None:
    arguments = ["status", "nowhere"]
    arguments.insert(place, "--debug")
    done = cli(*arguments)
    assert done.exit_code == 2
    assert "Traceback" in done.stderr
    assert "error: nowhere is no study" in done.stderr


def test_run_on_an_existing_study_names_resume(cli: Cli, toy: Path) -> None:
    done = cli("run", "study.yaml")
    assert done.exit_code == 2
    assert "asktell resume toy.study" in done.stderr
