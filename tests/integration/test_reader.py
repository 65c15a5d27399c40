"""Who looks at a study while it runs, and is killed, and goes on, sees whole rows and ever more of them."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import studies

import asktell

TRIALS = 40
KILLS = 4

READER = """
import pathlib, sys, warnings
import numpy as np
warnings.simplefilter("error")
import asktell
from asktell.analysis import facts
try:
    import matplotlib
except ImportError:
    plots = None
else:
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from asktell import plots

study, stop = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
rounds = rows = changes = 0
is_last = False
while not is_last:
    is_last = stop.exists()  # looks once more at the finished study
    if not (study / "results.zarr" / "zarr.json").exists():
        continue
    ds = asktell.open(study)
    n = ds.sizes["trial"]
    assert n >= rows, f"{rows} rows have become {n}"
    rounds, changes, rows = rounds + 1, changes + (n > rows), n
    assert len(np.unique(ds.trial)) == n, "a trial has two rows"
    busy = ds.asktell.utilisation()
    assert int(busy.attempts.sum()) >= n, "an attempt is missing"
    trace = ds.asktell.trace()
    assert trace.sizes["trial"] == n
    if plots is not None:
        plots.plot_convergence(ds).figure.canvas.draw()
        plots.plot_timeline(ds).figure.canvas.draw()
        plt.close("all")
    if not facts.is_candidate(ds).any():
        continue
    assert np.allclose(ds.f, (ds.x - 0.3) ** 2 + (ds.y - 0.6) ** 2), "a torn row"
    assert (ds.small == ds.x).all(), "a torn row of an array"
    best = ds.asktell.incumbent()
    assert float(best.f) == float(trace.best[-1]) == float(ds.f.min())
    assert (best.large.load() == best.y).all(), "another trial's array, or a torn one"
    assert (ds.large[-1].load() == ds.y[-1]).all(), "the newest array is torn"
print(rounds, changes, rows)
"""


@pytest.mark.slow
def test_a_reader_of_a_study_that_is_killed_again_and_again_sees_whole_rows_only(tmp_path: Path) -> None:
    file = studies.write_study(tmp_path, trials=TRIALS, call="fields")
    directory = asktell.Study.create(file, tmp_path / "s").path
    enough = tmp_path / "enough"
    command = [sys.executable, "-c", READER, str(directory), str(enough)]
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    rng = random.Random(2)
    for _ in range(KILLS):
        wanted = studies.n_ended(directory) + rng.choice([1, 3, 6])
        process = studies.start(directory)
        while process.poll() is None and reader.poll() is None and studies.n_ended(directory) < wanted:
            time.sleep(0.02)
        studies.kill_tree(process)
    assert 0 < studies.n_ended(directory) < TRIALS
    studies.run_to_the_end(directory)
    enough.touch()
    out, err = reader.communicate(timeout=60)
    assert reader.returncode == 0, err
    _, changes, rows = map(int, out.split())
    assert rows == TRIALS
    assert changes >= KILLS // 2, "the reader has seen too little of the study's growth"
