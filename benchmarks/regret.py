"""Asynchronous regret: how far each optimiser is from the optimum after N evaluations on W workers.

    python benchmarks/regret.py run [--engines gp optuna-tpe ...] [--functions branin ...] [--workers 4 16]
                                    [--seeds 10] [--trials 100]
    python benchmarks/regret.py table [--workers 4]
    python benchmarks/regret.py plot FILE.png

Runtimes are lognormal (standard deviation 0.75 of the mean) on a virtual clock: whoever is asked next,
and what is pending then, is the same for every optimiser with the same seed. All begin with the same
10 Sobol points. Each finished cell is a line of benchmarks/results/regret.jsonl, so that a run can be
stopped and goes on where it was; tables and plots are made from that file alone.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from peers import PEERS, installed
from threadpoolctl import threadpool_limits

from asktell.optimize.design import design_point
from asktell.simulation.functions import FUNCTIONS, TestFunction

RESULTS = Path(__file__).parent / "results" / "regret.jsonl"
INITIAL = 10
SINGLE = [name for name, function in FUNCTIONS.items() if function.optimum is not None]


def play(engine: str, function: TestFunction, workers: int, seed: int, trials: int) -> dict[str, Any]:
    """One cell: the running best regret after each evaluation told, and the CPU time of all proposals."""
    peer = PEERS[engine][1](function, seed, INITIAL)
    noise = np.random.default_rng([seed, 1])
    running: list[tuple[float, int, Any, Mapping[str, Any]]] = []
    best, trace, now, asked, ask_s = math.inf, [], 0.0, 0, 0.0
    while len(trace) < trials:
        while len(running) < workers and asked < trials:
            begun = time.process_time()
            if asked < INITIAL:
                params: Mapping[str, Any] = design_point(function.space, seed, asked)
                handle = peer.begin(params)
            else:
                handle, params = peer.ask()
            ask_s += time.process_time() - begun
            duration = np.random.default_rng([seed, 0, asked]).lognormal(0.0, 0.7)
            heapq.heappush(running, (now + duration, asked, handle, params))
            asked += 1
        now, _, handle, params = heapq.heappop(running)
        values = function.evaluate(params, noise)
        begun = time.process_time()
        peer.tell(handle, values)
        ask_s += time.process_time() - begun
        if values is not None and all(low <= values[k] <= high for k, (low, high) in function.bounds.items()):
            best = min(best, function.regret(params, values["loss"]))
        trace.append(best)
    return {
        "regret": [float(f"{value:.4g}") if math.isfinite(value) else None for value in trace],
        "ask_s": ask_s,
    }


def stored() -> dict[tuple[str, str, int, int], dict[str, Any]]:
    """Finished cells by (engine, function, workers, seed)."""
    if not RESULTS.exists():
        return {}
    lines = map(json.loads, RESULTS.read_text().splitlines())
    return {(line["engine"], line["function"], line["workers"], line["seed"]): line for line in lines}


def run(args: argparse.Namespace) -> None:
    """Play every cell that is not stored yet, seed by seed, so that all engines have the same seeds early."""
    RESULTS.parent.mkdir(exist_ok=True)
    done = stored()
    for seed in range(args.seeds):
        for name in args.functions:
            for workers in args.workers:
                for engine in args.engines:
                    key = (engine, name, workers, seed)
                    if key in done or not installed(engine):
                        continue
                    try:
                        with threadpool_limits(1):
                            cell = play(engine, FUNCTIONS[name], workers, seed, args.trials)
                    except NotImplementedError:
                        continue
                    line = {"engine": engine, "function": name, "workers": workers, "seed": seed, **cell}
                    with RESULTS.open("a") as file:
                        file.write(json.dumps(line) + "\n")
                    print(*key, f"{cell['regret'][-1]}", f"{cell['ask_s']:.1f} s", flush=True)


def table(args: argparse.Namespace) -> None:
    """Median final regret over seeds, as Markdown; the number of seeds in brackets where they differ."""
    cells = stored()
    for workers in args.workers:
        engines = [e for e in PEERS if any(key[0] == e and key[2] == workers for key in cells)]
        most = max((sum(k[:3] == (e, f, workers) for k in cells) for e in engines for f in SINGLE), default=0)
        print(f"\n| {workers} workers | " + " | ".join(engines) + " |")
        print("| --- " * (len(engines) + 1) + "|")
        for name in SINGLE:
            finals = {e: _finals(cells, e, name, workers) for e in engines}
            medians = {e: float(np.median(values)) for e, values in finals.items() if values}
            lowest = min(medians.values(), default=math.nan)
            shown = []
            for engine in engines:
                if engine not in medians:
                    shown.append("–")
                    continue
                text = "none" if math.isinf(medians[engine]) else f"{medians[engine]:.2g}"
                text = f"**{text}**" if medians[engine] == lowest else text
                n = len(finals[engine])
                shown.append(text if n == most else f"{text} ({n})")
            print(f"| {name} | " + " | ".join(shown) + " |")


def _finals(cells: Mapping[Any, dict[str, Any]], engine: str, name: str, workers: int) -> list[float]:
    return [
        math.inf if line["regret"][-1] is None else line["regret"][-1]
        for key, line in sorted(cells.items())
        if key[:3] == (engine, name, workers)
    ]


def plot(args: argparse.Namespace) -> None:
    """Median regret against evaluations, a panel for each function, the first number of workers given."""
    from matplotlib.figure import Figure

    from asktell.simulation.plot import COLOURS, STYLES

    cells, workers = stored(), args.workers[0]
    figure = Figure(figsize=(15, 9), layout="constrained")
    panels = figure.subplots(3, math.ceil(len(SINGLE) / 3)).ravel()
    engines = [e for e in args.engines if any(key[0] == e for key in cells)]
    for panel, name in zip(panels, SINGLE, strict=False):
        for index, engine in enumerate(engines):
            rows = [line["regret"] for key, line in cells.items() if key[:3] == (engine, name, workers)]
            if rows:
                median = np.median(np.array(rows, dtype=float), axis=0)
                style = {"color": COLOURS[index % len(COLOURS)], "linestyle": STYLES[index // len(COLOURS)]}
                panel.plot(np.arange(1, len(median) + 1), median, label=engine, **style)
        panel.set_yscale("log")
        panel.set_title(name, fontsize=10)
        panel.grid(alpha=0.3)
    for panel in panels[len(SINGLE) :]:
        panel.set_axis_off()
    figure.supxlabel("evaluations told")
    figure.supylabel(f"regret of the best so far, {workers} workers, median")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center")
    figure.savefig(args.file, dpi=120)


def main(argv: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "table", "plot"))
    parser.add_argument("file", nargs="?", default="regret.png")
    parser.add_argument("--engines", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--functions", nargs="+", default=SINGLE, choices=SINGLE)
    parser.add_argument("--workers", nargs="+", type=int, default=[4, 16])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=100)
    args = parser.parse_args(None if argv is None else list(argv))
    {"run": run, "table": table, "plot": plot}[args.what](args)


if __name__ == "__main__":
    main()
