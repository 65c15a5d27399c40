"""The command line as a person uses it: a real cluster of two workers, driven by real processes."""

from __future__ import annotations

import csv
import json
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from asktell.cli import main

ASKTELL = str(Path(sysconfig.get_path("scripts")) / "asktell")
STUDY = """\
name: short
evaluate: {call: objective.py:evaluate}
space:
  x: {type: real, low: 0, high: 1}
  kind: {type: categorical, choices: [a, b]}
objectives: {loss: minimize}
optimizer: {engine: random, seed: 3}
schedule: {kind: async, ahead: 1}
budget: {trials: 8}
cluster: {kind: local, workers: 2, dashboard: null}
store: {publish_every: 0.2s}
"""
OBJECTIVE = """\
import asktell

def evaluate(x, kind):
    if kind == "a":
        print("evaluating", x)
    asktell.log(1, progress=0.5)
    if 0.45 < x < 0.55:
        raise ValueError("singular")
    return {"loss": (x - 0.2) ** 2, "image": [[x, x], [x, x]]}
"""


Command = subprocess.Popen[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "objective.py").write_text(OBJECTIVE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Command]]:
    """Starts `asktell` as a process of its own; whatever still runs at the end is ended."""
    begun: list[Command] = []

    def start(*arguments: str) -> Command:
        process = subprocess.Popen(
            [ASKTELL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        if process.poll() is None:
            process.terminate()
            process.communicate()


def ended(process: Command) -> tuple[int, str]:
    """(exit code, what was written)."""
    text, _ = process.communicate()
    return process.returncode, text


def told(*arguments: object) -> str:
    """What a command that ends well prints."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def answer(*arguments: object) -> Any:
    return json.loads(told(*arguments, "--json"))


def test_a_study_from_its_first_run_to_its_extension(folder: Path, start: Callable[..., Command]) -> None:
    code, text = ended(start("run", "study.yaml", "--dir", "runs/1"))
    assert code == 0, text
    assert "asktell.open('runs/1')" in text
    status = answer("status", "runs/1")
    assert (status["state"], status["done"], status["running"]) == ("done", 8, 0)
    best = answer("best", "runs/1")
    assert best == status["incumbent"]
    assert best == json.loads((folder / "runs/1/best.json").read_text())
    shown = answer("show", "runs/1", best["number"])
    assert shown["outcome"]["arrays"]["image"]["shape"] == [2, 2]
    assert shown["outcome"]["metrics"] == {"progress": [[1.0, 0.5]]}
    for number in range(8):
        found, logs = answer("show", "runs/1", number), told("logs", "runs/1", number)
        assert ("evaluating" in logs) == (found["trial"]["params"]["kind"] == "a")
        assert ("Traceback" in logs) == (found["status"] == "failed")
    told("export", "runs/1", "-o", "short.csv")
    with Path("short.csv").open() as file:
        assert sorted(int(row["trial"]) for row in csv.DictReader(file)) == list(range(8))
    assert answer("verify", "runs/1")["is_sound"]
    assert "all 8 trials are done" in (folder / "runs/1/logs/driver-000001.log").read_text()

    told("enqueue", "runs/1", "x=0.2", "kind=b")
    (folder / "known.csv").write_text("x,kind,loss\n0.9,a,0.49\n")
    told("add", "runs/1", "known.csv")
    code, text = ended(start("resume", "runs/1", "--trials", "10"))
    assert code == 0, text
    status = answer("status", "runs/1")
    assert (status["total"], status["requested"]) == (10, 0)
    assert status["incumbent"]["params"] == {"x": 0.2, "kind": "b"}
    origins = [answer("show", "runs/1", number)["trial"]["origin"] for number in (8, 9)]
    assert sorted(origins) == ["added", "queued"]


def test_stop_from_elsewhere_ends_a_run_with_3_and_says_how_to_go_on(start: Callable[..., Command]) -> None:
    driver = start("run", "study.yaml", "--trials", "100000")
    assert driver.stdout is not None
    assert any("completed in" in line for line in driver.stdout)
    status = answer("status", "short.study")
    assert (status["state"], status["driver"]["pid"]) == ("running", driver.pid)
    assert ended(start("resume", "short.study"))[0] == 2
    told("stop", "short.study", "--wait")
    code, text = ended(driver)
    assert code == 3
    assert "asktell resume short.study" in text
    assert answer("status", "short.study")["state"] == "stopped"
