"""Whole studies whose process tree is killed again and again lose nothing and repeat nothing."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
import studies
import xarray as xr

import asktell
from asktell.journal import read_segment, replay_driver, segments
from asktell.records import Asked, Ended, Reported, Retried, Superseded
from asktell.store import verify

READER = """
import sys, pathlib, warnings
import numpy as np, xarray as xr
warnings.simplefilter("error")
store, stop = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
reads = rows = 0
while not stop.exists():
    if not (store / "zarr.json").exists():
        continue
    with xr.open_zarr(store) as ds:
        ds = ds.load()
    assert ds.sizes["trial"] >= rows, "rows disappeared"
    reads, rows = reads + 1, ds.sizes["trial"]
    done = ds.isel(trial=ds.status.values == 0)
    assert len(np.unique(ds.trial)) == rows, "a trial has two rows"
    assert np.allclose(done.f, (done.x - 0.3) ** 2 + (done.y - 0.6) ** 2), "a torn row"
    if rows:
        assert np.allclose(done.extra, done.x + done.y), "a torn row"
print(reads, rows)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_in_a_study_of_200_trials(tmp_path: Path) -> None:
    directory = asktell.Study.create(studies.write_study(tmp_path, trials=200), tmp_path / "s").path
    enough = tmp_path / "enough"
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(directory / "results.zarr"), str(enough)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    rng = random.Random(1)
    pids: set[int] = set()
    for _ in range(20):
        before = studies.n_ended(directory)
        process = studies.start(directory)
        # Some kills hit the start-up, most the middle of the work.
        wanted = before + rng.choice([0, 1, 3, 6])
        until = time.monotonic() + 60
        while process.poll() is None and studies.n_ended(directory) < wanted and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 0.5))
        pids.update(studies.kill_tree(process))
    studies.run_to_the_end(directory)
    enough.touch()
    out, err = reader.communicate(timeout=60)
    assert reader.returncode == 0, err
    reads, _ = map(int, out.split())
    assert reads > 20

    records = replay_driver(directory / "journal")
    ends = Counter(record.number for record in records if isinstance(record, Ended))
    assert sorted(ends) == list(range(200))
    assert set(ends.values()) == {1}, "a trial was told twice"
    heard = {(r.number, r.attempt) for r in records if isinstance(r, Ended | Retried | Superseded)}
    acknowledged = {
        (record.number, record.attempt)
        for path in segments(directory / "journal", "worker")
        for _, record in read_segment(path).records
        if isinstance(record, Reported)
    }
    assert acknowledged <= heard, "a result that a worker acknowledged is not in the journal"
    assert verify(directory) == [] or not [item for item in verify(directory) if item.is_problem]
    ds = xr.open_zarr(directory / "results.zarr").load()
    assert sorted(ds.trial.values.tolist()) == list(range(200))
    assert (ds.status == 0).all()
    assert not [pid for pid in pids if _runs_here(pid, directory)], "a process is left over"


def _runs_here(pid: int, directory: Path) -> bool:
    try:
        return str(directory) in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["random", "sobol", "skopt"])
def test_a_study_killed_three_times_proposes_what_an_unbroken_one_does(engine: str, tmp_path: Path) -> None:
    file = studies.write_study(tmp_path, trials=14, engine=engine, workers=1, more="schedule: sequential")
    whole = asktell.Study.create(file, tmp_path / "whole").path
    broken = asktell.Study.create(file, tmp_path / "broken").path
    studies.run_to_the_end(whole)
    for wanted in (2, 6, 10):
        process = studies.start(broken)
        while process.poll() is None and studies.n_ended(broken) < wanted:
            time.sleep(0.02)
        studies.kill_tree(process)
    assert studies.n_ended(broken) < 14
    studies.run_to_the_end(broken)
    assert _proposals(broken) == _proposals(whole)


def _proposals(directory: Path) -> list[object]:
    records = replay_driver(directory / "journal")
    return [trial.params for record in records if isinstance(record, Asked) for trial in record.trials]
