"""Whole studies in processes of their own, to be watched and killed by tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

OBJECTIVES = Path(__file__).parents[1] / "objectives"

RUN = "import sys, asktell; sys.exit(0 if asktell.Study(sys.argv[1]).run().done else 3)"


def write_study(
    folder: Path, *, trials: int, engine: str = "random", workers: int = 2, more: str = ""
) -> Path:
    """A study file for the objective `quick`."""
    path = folder / "study.yaml"
    path.write_text(
        f"""\
name: quick
evaluate: {{call: "quick.py:evaluate", folder: "{OBJECTIVES}", timeout: 60s}}
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


def start(directory: Path) -> subprocess.Popen[bytes]:
    """A driver in a process of its own."""
    log = (directory / "logs" / "test.log").open("ab")
    with log:
        return subprocess.Popen([sys.executable, "-c", RUN, str(directory)], stdout=log, stderr=log)


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
