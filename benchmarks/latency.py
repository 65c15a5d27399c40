"""What a proposal costs: CPU seconds for one `ask` against trials told and trials pending, engine by engine.

    python benchmarks/latency.py [--engines gp skopt scikit-optimize] [--told 50 200 500] [--pending 1 64]
                                 [--asks 8] [--limit 5] [--out latency.csv]

Hartmann-6 through the public Optimizer, as a study asks it: half of the points told are spread over
the cube, half lie around the minimum. After each ask one pending trial is told, so refits and whatever
else an engine does now and then are included: 'first' is the first ask of a process, which has nothing
to build upon and fits anew (what a resume costs), 'mean' and 'worst' are over the asks that follow. An
engine that takes more than `limit` seconds for one is not tried on more trials.

'skopt' is our engine on scikit-optimize's surrogates; 'scikit-optimize' is the library itself as it is
documented, told the mean for each pending point. CPU time on one thread of linear algebra.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings

import numpy as np
import skopt
from threadpoolctl import threadpool_limits

from asktell import Optimizer
from asktell.simulation.functions import FUNCTIONS

HARTMANN_6 = FUNCTIONS["hartmann6"]
SPACE = HARTMANN_6.space
MINIMUM = np.array([0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573])


def hartmann(**params: float) -> float:
    return HARTMANN_6.evaluate(params, np.random.default_rng(0))["loss"]


def prepared(engine: str, told: int, pending: int) -> Optimizer:
    """An optimizer that knows `told` results and waits for `pending` more."""
    rng = np.random.default_rng(1)
    optimizer = Optimizer(SPACE, engine=engine)
    spread = rng.random((told + 1) // 2 * 6).reshape(-1, 6)
    close = np.clip(MINIMUM + 0.1 * rng.standard_normal((told // 2, 6)), 0.0, 1.0)
    for row in rng.permutation(np.concatenate([spread, close])):
        params = SPACE.from_unit(row)
        optimizer.add(params, hartmann(**params))
    for params in SPACE.sample(rng, pending):
        optimizer.enqueue(params)
    if pending:
        optimizer.ask(pending)
    return optimizer


def measure(optimizer: Optimizer, asks: int, limit: float) -> list[float]:
    """CPU seconds of each of so many asks, with a tell between them; fewer where they are too slow."""
    seconds: list[float] = []
    while len(seconds) <= asks and max(seconds, default=0.0) <= limit:
        start = time.process_time()
        optimizer.ask()
        seconds.append(time.process_time() - start)
        number = optimizer.pending[0]
        optimizer.tell(number, hartmann(**optimizer.trials[number].params))
    return seconds


def measure_plain(told: int, pending: int) -> list[float]:
    """CPU seconds of scikit-optimize's own first proposal after so many results."""
    source = prepared("random", told, pending).history()
    plain = skopt.Optimizer(
        [(0.0, 1.0)] * SPACE.dims, "GP", n_initial_points=0, acq_func="EI", random_state=0
    )
    losses = np.where(source.is_told, source.losses[:, 0], np.nanmean(source.losses))
    start = time.process_time()
    with warnings.catch_warnings(action="ignore"):
        plain.tell(source.unit.tolist(), losses.tolist())
    plain.ask()
    return [time.process_time() - start]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", nargs="+", default=["gp", "skopt", "scikit-optimize"])
    parser.add_argument("--told", nargs="+", type=int, default=[50, 200, 500, 1000, 2000, 5000, 20000])
    parser.add_argument("--pending", nargs="+", type=int, default=[1, 64])
    parser.add_argument("--asks", type=int, default=8)
    parser.add_argument("--limit", type=float, default=5.0)
    parser.add_argument("--out", type=argparse.FileType("w"), default=sys.stdout)
    options = parser.parse_args()
    table = csv.writer(options.out)
    table.writerow(["engine", "told", "pending", "first_s", "mean_s", "worst_s", "asks"])
    for engine in options.engines:
        for pending in options.pending:
            for told in sorted(options.told):
                with threadpool_limits(1):
                    if engine == "scikit-optimize":
                        seconds = measure_plain(told, pending)
                    else:
                        seconds = measure(prepared(engine, told, pending), options.asks, options.limit)
                later = seconds[1:] or seconds
                figures = [seconds[0], float(np.mean(later)), max(later)]
                table.writerow([engine, told, pending, *(f"{s:.3f}" for s in figures), len(seconds)])
                options.out.flush()
                if max(seconds) > options.limit:
                    break


if __name__ == "__main__":
    main()
