"""Whole studies in processes of their own, to be watched and killed by tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import psutil

from asktell.journal import replay_driver, segments
from asktell.records import Ended

OBJECTIVES = Path(__file__).parents[1] / "objectives"

RUN = "import sys, asktell; sys.exit(0 if asktell.Study(sys.argv[1]).run().done else 3)"


def write_study(
    folder: Path,
    *,
    trials: int,
    engine: str = "random",
    workers: int = 2,
    more: str = "",
    call: str = "evaluate",
) -> Path:
    """A study file for the objective `quick`, or another function of its file."""
    path = folder / "study.yaml"
    path.write_text(
        f"""\
name: quick
evaluate: {{call: "quick.py:{call}", folder: "{OBJECTIVES}", timeout: 60s}}
space:
  x: {{type: real, low: 0, high: 1}}
  y: {{type: real, low: 0, high: 1}}
objectives: {{f: minimize}}
optimizer: {{engine: {engine}, seed: 5, initial: 4}}
budget: {{trials: {trials}}}
cluster: {{workers: {workers}, dashboard: null}}
store: {{publish_every: 0.2s}}
{more}
"""
    )
    return path


def write_misbehaving(folder: Path, modes: Collection[str]) -> Path:
    """A study file for the objective that goes wrong in so many ways, each of them twice."""
    path = folder / "study.yaml"
    path.write_text(
        f"""\
name: misbehaving
evaluate:
  call: misbehaving.py:evaluate
  folder: {OBJECTIVES}
  timeout: 12s
  grace: 1s
space:
  mode: {{type: categorical, choices: [{", ".join(modes)}]}}
  repeat: {{type: integer, low: 1, high: 2}}
objectives: {{y: minimize}}
outputs: {{field: {{dims: [row, column], shape: [2, 3]}}}}
optimizer: {{engine: grid}}
budget: {{trials: {2 * len(modes)}}}
cluster: {{workers: 2, dashboard: null}}
"""
    )
    return path


def start(directory: Path) -> subprocess.Popen[bytes]:
    """A driver in a process of its own."""
    log = (directory / "logs" / "test.log").open("ab")
    with log:
        return subprocess.Popen([sys.executable, "-c", RUN, str(directory)], stdout=log, stderr=log)


def run_to_the_end(directory: Path) -> None:
    process = start(directory)
    assert process.wait(timeout=240) == 0, (directory / "logs" / "test.log").read_text()


def n_ended(directory: Path) -> int:
    """Trials that have come to their end, as the drivers' journals say."""
    if not segments(directory / "journal", "driver"):
        return 0
    return sum(isinstance(record, Ended) for record in replay_driver(directory / "journal"))


def kill_tree(process: subprocess.Popen[bytes]) -> list[int]:
    """SIGKILL a driver and everything below it; the pids that were there."""
    try:
        root = psutil.Process(process.pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        tree = []
    for item in tree:
        try:
            item.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()
    return [item.pid for item in tree]
