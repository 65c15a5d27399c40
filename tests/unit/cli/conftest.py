"""A study directory as a driver leaves it, made without one: asked and told by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_study import OBJECTIVE, STUDY, Cli
from click.testing import CliRunner

from asktell.cli import main
from asktell.run import Study


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Calls `asktell` with these arguments in a folder that holds a study file and its objective."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASKTELL_SITE", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-site"))
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "objective.py").write_text(OBJECTIVE)
    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def toy(cli: Cli, tmp_path: Path) -> Path:
    """A stopped study of four trials: told 3.0, told 1.0, failed, told 0.5 but too heavy."""
    with Study.create("study.yaml", "toy.study") as study:
        study.ask(4)
        study.tell(0, {"loss": 3.0, "mass": 1.0})
        study.tell(1, {"loss": 1.0, "mass": 2.0})
        study.fail(2, "it exploded")
        study.tell(3, {"loss": 0.5, "mass": 50.0})
    return Path("toy.study")
