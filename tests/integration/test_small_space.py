"""A study whose space has fewer points than its budget has trials, from the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import asktell

STUDY = """\
name: small
evaluate: {{call: objective.py:evaluate, timeout: 60s}}
space:
  n: {{type: integer, low: 1, high: 3}}
  mode: {{type: categorical, choices: [a, b]}}
  extra: {{type: boolean, when: {{mode: [b]}}}}
constraints: [n != 2]
objectives: {{f: minimize}}
optimizer: {{engine: {engine}, initial: 3, seed: 1}}
budget: {{trials: 30}}
cluster: {{workers: 2, dashboard: null}}
"""
OBJECTIVE = """\
def evaluate(n, mode, extra=False):
    if n == 1 and extra:
        raise ValueError("no")
    return float(n) + (mode == "b")
"""


@pytest.mark.parametrize("engine", ["gp", "skopt"])
def test_it_evaluates_every_point_once_and_ends_saying_so(engine: str, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.format(engine=engine))
    (tmp_path / "objective.py").write_text(OBJECTIVE)
    run = subprocess.run(
        [sys.executable, "-m", "asktell", "run", "study.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    assert "every point of the space was proposed" in said
    ds = asktell.open(tmp_path / "small.study")
    assert ds.sizes["trial"] == 6  # n is 1 or 3; mode is a, or b with extra or without
    assert int((ds.status == 1).sum()) == 1
