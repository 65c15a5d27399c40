"""How much of its time a worker works: short trials, with and without one queued ahead.

    python benchmarks/utilisation.py [--trials 200] [--seconds 0.5] [--workers 2]

Utilisation is busy slot time (from an attempt's start on its worker to its end: process start, evaluation,
supervision, collection of the result) by live slot time (from the first start to the last end, for each
slot). Prints one line per setting; run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import xarray as xr

import asktell

OBJECTIVE = "import time\n\n\ndef evaluate(x, seconds):\n    time.sleep(seconds)\n    return x\n"


def utilisation(ds: xr.Dataset) -> float:
    """Busy by live slot time over a finished study."""
    busy = (ds.ended_at - ds.started_at).sum()
    live = (ds.ended_at.max() - ds.started_at.min()) * len(set(ds.worker.values))
    return float(busy / live)


def measure(trials: int, seconds: float, workers: int, ahead: int, isolation: str) -> float:
    """Run one study and return its utilisation."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "objective.py").write_text(OBJECTIVE)
        (root / "study.yaml").write_text(
            f"""\
evaluate: {{call: "objective.py:evaluate", isolation: {isolation}}}
space: {{x: {{type: real, low: 0, high: 1}}, seconds: {{type: constant, value: {seconds}}}}}
optimizer: {{engine: random, seed: 1}}
schedule: {{kind: async, ahead: {ahead}}}
budget: {{trials: {trials}}}
cluster: {{workers: {workers}}}
"""
        )
        study = asktell.Study.create(root / "study.yaml", root / "out.study")
        study.run()
        return utilisation(asktell.open(study.path))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    for isolation in ("fork", "fresh"):
        for ahead in (0, 1):
            share = measure(options.trials, options.seconds, options.workers, ahead, isolation)
            print(f"isolation {isolation:5s}  ahead {ahead}  utilisation {share:6.1%}", flush=True)


if __name__ == "__main__":
    main()
