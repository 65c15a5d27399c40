"""What a proposal costs: CPU seconds for one `ask` against trials told and trials pending, engine by engine.

    python benchmarks/latency.py [--engines gp skopt-gp botorch] [--told 50 200 500] [--pending 1 64]
                                 [--asks 8] [--limit 5] [--out latency.csv]

Hartmann-6 for this project's engines and others' (peers.py), asked as a study asks: half of the points
told are spread over the cube, half lie around the minimum. After each ask one pending trial is told, which
is counted too: some libraries fit when they are told. So refits and whatever else an engine does now and
then are included: 'first' is the first ask of a process, which has nothing to build upon and fits anew
(what a resume costs), 'mean' and 'worst' are over the asks that follow. An engine that takes more than
`limit` seconds for one is not tried on more trials. CPU time on one thread of linear algebra.

'skopt-engine' is our engine on scikit-optimize's surrogates; 'skopt-gp' is the library itself as it is
documented, told the mean for each pending point. SMAC3 is left out: it begins with points
of its own, not with those told here.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections import deque
from typing import Any

import numpy as np
from peers import PEERS, Peer, installed
from threadpoolctl import threadpool_limits

from asktell.simulation.functions import FUNCTIONS
from asktell.trial import Params

HARTMANN_6 = FUNCTIONS["hartmann6"]
SPACE = HARTMANN_6.space
MINIMUM = np.array([0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573])
ENGINES = [name for name in PEERS if not name.startswith("smac")]

Pending = deque[tuple[Any, Params]]


def evaluate(params: Params) -> Any:
    return HARTMANN_6.evaluate(params, np.random.default_rng(0))


def prepared(engine: str, told: int, pending: int) -> tuple[Peer, Pending]:
    """An engine that knows `told` results and waits for `pending` more."""
    rng = np.random.default_rng(1)
    peer = PEERS[engine][1](HARTMANN_6, 0, told)
    spread = rng.random((told + 1) // 2 * 6).reshape(-1, 6)
    close = np.clip(MINIMUM + 0.1 * rng.standard_normal((told // 2, 6)), 0.0, 1.0)
    for row in rng.permutation(np.concatenate([spread, close])):
        params = SPACE.from_unit(row)
        peer.tell(peer.begin(params), evaluate(params))
    return peer, deque((peer.begin(params), params) for params in SPACE.sample(rng, pending))


def measure(peer: Peer, pending: Pending, asks: int, limit: float) -> list[float]:
    """CPU seconds of each of so many asks, with the tell before it; fewer where they are too slow."""
    seconds: list[float] = []
    while len(seconds) <= asks and max(seconds, default=0.0) <= limit:
        start = time.process_time()
        if seconds:
            handle, params = pending.popleft()
            peer.tell(handle, evaluate(params))
        pending.append(peer.ask())
        seconds.append(time.process_time() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", nargs="+", default=["gp", "skopt-engine", "skopt-gp"], choices=ENGINES)
    parser.add_argument("--told", nargs="+", type=int, default=[50, 200, 500, 1000, 2000, 5000, 20000])
    parser.add_argument("--pending", nargs="+", type=int, default=[1, 64])
    parser.add_argument("--asks", type=int, default=8)
    parser.add_argument("--limit", type=float, default=5.0)
    parser.add_argument("--out", type=argparse.FileType("w"), default=sys.stdout)
    options = parser.parse_args()
    table = csv.writer(options.out)
    table.writerow(["engine", "told", "pending", "first_s", "mean_s", "worst_s", "asks"])
    for engine in options.engines:
        if not installed(PEERS[engine][0]):
            sys.exit(f"{engine} needs {PEERS[engine][0]}; install it, or leave it out of --engines")
        for pending in options.pending:
            for told in sorted(options.told):
                with threadpool_limits(1):
                    seconds = measure(*prepared(engine, told, pending), options.asks, options.limit)
                later = seconds[1:] or seconds
                figures = [seconds[0], float(np.mean(later)), max(later)]
                table.writerow([engine, told, pending, *(f"{s:.3f}" for s in figures), len(seconds)])
                options.out.flush()
                if max(seconds) > options.limit:
                    break


if __name__ == "__main__":
    main()
