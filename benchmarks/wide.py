"""One driver and 1000 workers: is the engine quick enough, and are its proposals still worth it?

    python benchmarks/wide.py run [ENGINE] [--options '{"estimator": "ET"}'] [--function hartmann6]
                                  [--workers 1000] [--trials 20000] [--seed 0]
    python benchmarks/wide.py table

Lognormal tasks of 60 s on the virtual clock, on which proposals take the CPU time that they take here.
An engine that cannot keep up is asked for no more than fit into the time that the workers would need.
Each run is a line of benchmarks/results/wide.jsonl; the table compares regrets at the same clock times.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np

from asktell.simulation.functions import FUNCTIONS
from asktell.simulation.laws import parse_law
from asktell.simulation.play import Cell, ClusterModel, play
from asktell.study import Schedule, ScheduleKind

RESULTS = Path(__file__).parent / "results" / "wide.jsonl"
MEAN_S, RUNTIME = 60.0, "lognormal(60s, 45s)"
SHARES = (0.1, 0.25, 0.5, 1.0)


def run(args: argparse.Namespace) -> None:
    """Play one cell and store it."""
    function = FUNCTIONS[args.function]
    at_once = parse_law("0s", function.space, may_be_zero=True)
    ideal_s = args.trials * MEAN_S / args.workers
    played = play(
        Cell(
            function=function,
            engine=args.engine,
            options=json.loads(args.options),
            schedule=Schedule(ScheduleKind.ASYNC, args.workers),
            seed=args.seed,
            trials=args.trials,
            runtime=parse_law(RUNTIME, function.space),
            cluster=ClusterModel(queue=at_once, startup=at_once),
            is_charged=True,
            asking_s=ideal_s,
        )
    )
    ended, regret = np.array(played.ended_s), np.fmin.accumulate(np.array(played.regret))
    line = {
        "engine": " ".join([args.engine, *map(str, json.loads(args.options).values())]),
        "function": args.function,
        "workers": args.workers,
        "trials": args.trials,
        "seed": args.seed,
        "ended": len(ended),
        "utilisation": played.busy_s / played.live_s,
        "ask_s": played.ask_s / len(ended),
        "regret": {str(q): float(regret[np.searchsorted(ended, q * ideal_s) - 1]) for q in SHARES},
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line))


def table(_: argparse.Namespace) -> None:
    """Medians over seeds, as Markdown."""
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    shares = [f"{q:.0%} of the time" for q in SHARES]
    print(
        "| function | engine | seeds | trials | CPU s a proposal | utilisation | " + " | ".join(shares) + " |"
    )
    print("| --- " * (6 + len(SHARES)) + "|")
    for function, engine in dict.fromkeys((line["function"], line["engine"]) for line in lines):
        same = [line for line in lines if (line["function"], line["engine"]) == (function, engine)]

        def median(key: str, same: list[dict[str, float]] = same) -> float:
            return float(np.median([line[key] for line in same]))

        regrets = [np.median([line["regret"].get(str(q), math.nan) for line in same]) for q in SHARES]
        print(
            f"| {function} | {engine} | {len(same)} | {median('ended'):.0f} | {median('ask_s'):.3f} "
            f"| {median('utilisation'):.1%} | " + " | ".join(f"{value:.2g}" for value in regrets) + " |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("engine", nargs="?", default="gp")
    parser.add_argument("--options", default="{}", help="of the engine, in JSON")
    parser.add_argument("--function", default="hartmann6", choices=list(FUNCTIONS))
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    {"run": run, "table": table}[args.what](args)


if __name__ == "__main__":
    main()
