"""A study directory as a driver leaves it, made without one: asked and told by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asktell.cli import main
from asktell.run import Study

STUDY = """\
name: toy
evaluate: {call: objective.py:evaluate, timeout: 1min}
space:
  x: {type: real, low: 0, high: 1, units: cm}
  n: {type: integer, low: 1, high: 9}
  mode: {type: categorical, choices: ["1", fast]}
  depth: {type: integer, low: 1, high: 4, when: {mode: fast}}
objectives: {loss: minimize}
constraints: [x < n, mass < 5]
optimizer: {engine: random, seed: 1}
budget: {trials: 10}
cluster: {kind: local, workers: 2}
"""
OBJECTIVE = """\
def evaluate(x, n, mode, depth=0):
    if x < 0:
        raise ValueError("x is below zero")
    print("evaluating", n)
    return {"loss": x * n, "mass": 1.0}
"""

Cli = Callable[..., Result]


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
