"""How a study of 20,000 trials and 10 GB of outputs opens, and what its questions cost.

    python benchmarks/large_study.py [--trials 20000] [--side 360] [--folder DIR]

Writes the study first, unless the folder has one: rows as a driver would, one chunk for each trial's
(side, side) float32 array, whose bytes are links to a few files, so that 10 GB of results take some MB of
disk. Then every question is asked in an interpreter of its own, which opens the study first. Prints a line
for each: wall and CPU time without the imports, and the most memory that the process had.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from asktell.config import parse
from asktell.records import SchemaSet
from asktell.store import Layout, Row, Spool, Store, encode_output
from asktell.store.encoding import chunk_name
from asktell.study.results import without_bytes
from asktell.trial import ArrayRecord, Outcome, Status, Trial

WORKERS = 200
VARIANTS = 16  # different arrays; the trials share their files
QUESTIONS = {
    "open": "ds",
    "incumbent": "ds.asktell.incumbent().field.compute()",
    "trace": "ds.asktell.trace()",
    "utilisation": "ds.asktell.utilisation()",
    "timeline": "ds.asktell.timeline()",
    "cost": "ds.asktell.cost()",
    "importance": "ds.asktell.importance()",
    "leave_one_out": "ds.asktell.leave_one_out()",
    "partial_dependence": "ds.asktell.partial_dependence(['x0', 'x1'])",
    "correlation, 10 GB": "ds.asktell.correlation('field').compute()",
}
ASK = """
import resource, sys, time
import asktell, asktell.analysis
wall, cpu = time.perf_counter(), time.process_time()
ds = asktell.open(sys.argv[1])
{question}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def write(path: Path, trials: int, side: int) -> None:
    """A study of six parameters on `WORKERS` workers, one in twenty of whose trials failed."""
    rng = np.random.default_rng(0)
    space = {f"x{i}": {"type": "real", "low": 0.0, "high": 1.0} for i in range(6)}
    config = parse({"evaluate": {"command": ["true"]}, "space": space}, path)
    store, spool = Store(path, Layout.from_config(config)), Spool(path, "worker-h-1-a")
    arrays = [
        encode_output("field", np.full((side, side), i, dtype=np.float32), ("row", "column"), {}, spool)
        for i in range(VARIANTS)
    ]
    outcome = Outcome(Status.COMPLETED, arrays={"field": arrays[0]})
    store.set_schema(SchemaSet(without_bytes(outcome).arrays, {}, 0.0))
    inline = arrays[0].inline is not None
    begun, points = 1.8e9, rng.random((trials, 6))
    free = np.full(WORKERS, begun)
    for number, point in enumerate(points):
        worker, took = int(free.argmin()), float(rng.lognormal(5, 0.5))
        at = free[worker]
        free[worker] = at + took + 1.0
        is_failed = rng.random() < 0.05
        shown = {"field": arrays[number % VARIANTS] if inline else without_chunks(arrays[0])}
        outcome = Outcome(
            Status.FAILED if is_failed else Status.COMPLETED,
            values={} if is_failed else {"objective": float(((point - 0.3) ** 2 * np.arange(1, 7)).sum())},
            arrays={} if is_failed else shown,
            started_at=at,
            ended_at=at + took,
            duration_s=took,
            host=f"node{worker // 8}",
            worker=f"tls://node{worker // 8}:{worker}",
            job=str(1000 + worker // 8),
        )  # fmt: skip
        params = {f"x{i}": float(value) for i, value in enumerate(point)}
        store.append(Row(Trial(number, params, told=number, asked_at=at), 0, outcome, at + took, at, 1))
    store.close()
    if not inline:
        link(path, arrays, trials)


def without_chunks(array: ArrayRecord) -> ArrayRecord:
    return ArrayRecord(array.dtype, array.shape, array.dims, array.attrs)


def link(path: Path, arrays: list[ArrayRecord], trials: int) -> None:
    """Every row's chunk: a link to one of the few files."""
    folder = path / "results.zarr" / "field"
    folder.mkdir(exist_ok=True)
    for row in range(trials):
        for chunk in arrays[row % VARIANTS].chunks:
            os.link(path / chunk.path, folder / chunk_name(row, *chunk.key))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--trials", type=int, default=20_000)
    parser.add_argument("--side", type=int, default=360)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = options.folder or Path(temporary) / "large.study"
        if not (path / "results.zarr").is_dir():
            write(path, options.trials, options.side)
        gigabytes = options.trials * options.side**2 * 4 / 1e9
        print(f"{options.trials} trials, {gigabytes:.1f} GB of outputs", flush=True)
        for name, question in QUESTIONS.items():
            script = ASK.format(question=question)
            done = subprocess.run(
                [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
            )
            wall, cpu, memory = map(float, done.stdout.split())
            print(f"{name:20s} {wall:7.2f} s   CPU {cpu:7.2f} s   {memory:6.0f} MB", flush=True)


if __name__ == "__main__":
    main()
