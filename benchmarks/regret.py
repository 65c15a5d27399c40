"""Asynchronous regret: how far each optimiser is from the optimum after N evaluations on W workers.

    python benchmarks/regret.py run [--engines gp optuna-tpe ...] [--functions branin ...] [--workers 4 16]
                                    [--seeds 10] [--trials 100]
    python benchmarks/regret.py merge FILE.jsonl ...
    python benchmarks/regret.py table [--workers 4] [--engines ...]
    python benchmarks/regret.py plot FILE.png [--workers 4] [--engines ...]

Runtimes are lognormal (standard deviation 0.75 of the mean) on a virtual clock: whoever is asked next,
and what is pending then, is the same for every optimiser with the same seed. All begin with the same
10 Sobol points. With several objectives, regret is the share of the front's hypervolume that is missing.
Each finished cell is a line of benchmarks/results/regret.jsonl, so that a run can be stopped and goes on
where it was; tables and plots are made from that file alone. Engines whose names begin
with 'groups-' propose as many points as there are workers and wait for all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from groups import GROUPED
from peers import PEERS, installed
from threadpoolctl import threadpool_limits

from asktell.optimize.design import design_point
from asktell.optimize.hypervolume import hypervolume
from asktell.simulation.compare import hypervolumes
from asktell.simulation.functions import FUNCTIONS, TestFunction
from asktell.study import is_feasible
from asktell.trial import Params

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

RESULTS = Path(__file__).parent / "results" / "regret.jsonl"
INITIAL = 10
Evaluated = tuple[Params, Mapping[str, float] | None]
ON_FRONT = {"zdt1": 0.0, "c2dtlz2": 0.5}
"""With several objectives: what all parameters but the first are along the front."""

MODULES = {name: modules for name, (modules, _) in (*PEERS.items(), *GROUPED.items())}


def play(engine: str, function: TestFunction, workers: int, seed: int, trials: int) -> dict[str, Any]:
    """One cell: the running best regret after each evaluation told, and the CPU time of all proposals."""
    peer = PEERS[engine][1](function, seed, INITIAL)
    noise = np.random.default_rng([seed, 1])
    running: list[tuple[float, int, Any, Mapping[str, Any]]] = []
    found, now, asked, ask_s = list[Evaluated](), 0.0, 0, 0.0
    while len(found) < trials:
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
        found.append((params, values))
    return cell(function, found, ask_s)


class Spent(Exception):
    """All trials were evaluated."""


def play_groups(engine: str, function: TestFunction, size: int, seed: int, trials: int) -> dict[str, Any]:
    """One cell of groups that are waited for. Of the last group, only what is left of the trials counts."""
    noise = np.random.default_rng([seed, 1])
    first = [design_point(function.space, seed, index) for index in range(INITIAL)]
    found: list[Evaluated] = []

    def evaluate(batch: Sequence[Params]) -> list[Mapping[str, float] | None]:
        values = [function.evaluate(params, noise) for params in batch]
        found.extend(zip(batch, values, strict=True))
        if len(found) >= trials:
            raise Spent
        return values

    begun = time.process_time()
    with contextlib.suppress(Spent):
        GROUPED[engine][1](function, seed, first, size, evaluate)
    return cell(function, found[:trials], time.process_time() - begun)


def cell(function: TestFunction, found: Sequence[Evaluated], ask_s: float) -> dict[str, Any]:
    trace = running_regret(function, found) if function.optimum is not None else missing(function, found)
    return {
        "regret": [float(f"{value:.4g}") if math.isfinite(value) else None for value in trace],
        "ask_s": ask_s,
    }


def running_regret(function: TestFunction, found: Sequence[Evaluated]) -> list[float]:
    """Of the best so far; inf before there is one."""
    regrets = [
        function.regret(params, values["loss"])
        if values and is_feasible(values, function.bounds)
        else math.inf
        for params, values in found
    ]
    return [float(value) for value in np.minimum.accumulate(regrets)]


def missing(function: TestFunction, found: Sequence[Evaluated]) -> list[float]:
    """The share of the whole front's hypervolume that the front so far lacks."""
    first, *others = function.space.columns
    rest, rng = dict.fromkeys(others, ON_FRONT[function.name]), np.random.default_rng(0)
    front = [function.evaluate({first: x, **rest}, rng) for x in np.linspace(0.0, 1.0, 2001)]
    reference = np.array(function.reference)
    whole = hypervolume(np.array([v for v in losses(function, front) if not math.isnan(v[0])]), reference)
    volumes = hypervolumes(losses(function, [values for _, values in found]), reference)
    return [float(volume) for volume in 1.0 - volumes / whole]


def losses(function: TestFunction, found: Sequence[Mapping[str, float] | None]) -> list[list[float]]:
    """NaN where a trial failed or is out of bounds."""
    names = function.objectives
    return [[v[name] if v and is_feasible(v, function.bounds) else math.nan for name in names] for v in found]


def stored(path: Path) -> dict[tuple[str, str, int, int], dict[str, Any]]:
    """Finished cells by (engine, function, workers, seed)."""
    if not path.exists():
        return {}
    lines = map(json.loads, path.read_text().splitlines())
    return {(line["engine"], line["function"], line["workers"], line["seed"]): line for line in lines}


def run(args: argparse.Namespace) -> None:
    """Play every cell that is not stored yet, seed by seed, so that all engines have the same seeds early."""
    RESULTS.parent.mkdir(exist_ok=True)
    done = stored(RESULTS)
    for seed in range(args.seeds):
        for name in args.functions:
            for workers in args.workers:
                for engine in args.engines:
                    key = (engine, name, workers, seed)
                    if key in done or not installed(MODULES[engine]):
                        continue
                    how = play if engine in PEERS else play_groups
                    try:
                        with threadpool_limits(1):
                            found = how(engine, FUNCTIONS[name], workers, seed, args.trials)
                    except NotImplementedError:
                        continue
                    line = {"engine": engine, "function": name, "workers": workers, "seed": seed, **found}
                    with RESULTS.open("a") as file:
                        file.write(json.dumps(line) + "\n")
                    print(*key, f"{found['regret'][-1]}", f"{found['ask_s']:.1f} s", flush=True)


def merge(args: argparse.Namespace) -> None:
    """Add the cells of other files that are not stored here."""
    cells = stored(RESULTS)
    for file in args.files:
        cells = stored(Path(file)) | cells
    with RESULTS.open("w") as out:
        out.writelines(json.dumps(cells[key]) + "\n" for key in sorted(cells))


def table(args: argparse.Namespace) -> None:
    """Median final regret over seeds, as Markdown; the number of seeds in brackets where they differ.

    The last line counts functions on which the first engine has the lower median of the seeds that both have.
    """
    cells = stored(RESULTS)
    for workers in args.workers:
        engines = [e for e in args.engines if any(key[0] == e and key[2] == workers for key in cells)]
        if not engines:
            continue
        finals = {(e, f): _finals(cells, e, f, workers) for e in engines for f in FUNCTIONS}
        most = max(map(len, finals.values()), default=0)
        print(f"\n| {workers} worker{'s' * (workers > 1)} | " + " | ".join(engines) + " |")
        print("| --- " * (len(engines) + 1) + "|")
        for name in FUNCTIONS:
            medians = {e: np.median(list(finals[e, name].values())) for e in engines if finals[e, name]}
            if not medians:
                continue
            shown = []
            for engine in engines:
                if engine not in medians:
                    shown.append("–")
                    continue
                median, n = medians[engine], len(finals[engine, name])
                text = "none" if math.isinf(median) else f"{median:.2g}"
                text = f"**{text}**" if median == min(medians.values()) else text
                shown.append(text if n == most else f"{text} ({n})")
            print(f"| {name} | " + " | ".join(shown) + " |")
        first, *others = engines
        counts = [_count_better(finals, first, engine) for engine in others]
        print(f"| {first} is better on | | " + " | ".join(counts) + " |")


Finals = dict[int, float]
"""Final regret by seed; inf where nothing feasible was found."""


def _finals(cells: Mapping[Any, dict[str, Any]], engine: str, name: str, workers: int) -> Finals:
    found = {key[3]: line["regret"][-1] for key, line in cells.items() if key[:3] == (engine, name, workers)}
    return {seed: math.inf if final is None else final for seed, final in found.items()}


def _count_better(finals: Mapping[tuple[str, str], Finals], first: str, other: str) -> str:
    """'so many of so many' functions, by the median of the seeds that both have."""
    is_better = []
    for name in FUNCTIONS:
        mine, theirs = finals[first, name], finals[other, name]
        if seeds := mine.keys() & theirs.keys():
            is_better.append(np.median([mine[s] for s in seeds]) < np.median([theirs[s] for s in seeds]))
    return f"{sum(is_better)} of {len(is_better)}"


def plot(args: argparse.Namespace) -> None:
    """Median regret against evaluations, a panel for each function, the first number of workers given.

    In brackets: the fewest seeds that an engine has on any function.
    """
    from matplotlib.figure import Figure

    from asktell.plots.style import line_style

    cells, workers = stored(RESULTS), args.workers[0]
    figure = Figure(figsize=(15, 9), layout="constrained")
    panels = figure.subplots(3, math.ceil(len(FUNCTIONS) / 3)).ravel()
    engines = [e for e in args.engines if any(key[0] == e and key[2] == workers for key in cells)]
    seeds: dict[str, int] = {}
    lines: dict[str, Line2D] = {}
    for panel, name in zip(panels, FUNCTIONS, strict=False):
        for index, engine in enumerate(engines):
            rows = [line["regret"] for key, line in cells.items() if key[:3] == (engine, name, workers)]
            if rows:
                median = np.median(np.array(rows, dtype=float), axis=0)
                seeds[engine] = min(len(rows), seeds.get(engine, len(rows)))
                evaluations = np.arange(1, len(median) + 1)
                (lines[engine],) = panel.plot(evaluations, median, **line_style(index))
        panel.set_yscale("log")
        panel.set_title(name, fontsize=10)
        panel.grid(alpha=0.3)
    for panel in panels[len(FUNCTIONS) :]:
        panel.set_axis_off()
    figure.supxlabel("evaluations told")
    figure.supylabel(f"regret of the best so far, {workers} workers, median")
    labels = [f"{engine} ({seeds[engine]})" for engine in lines]
    figure.legend(lines.values(), labels, loc="outside right center", title="engine (seeds)")
    figure.savefig(args.files[0], dpi=120)


def main(argv: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "merge", "table", "plot"))
    parser.add_argument("files", nargs="*", default=["regret.png"])
    parser.add_argument("--engines", nargs="+", default=list(PEERS), choices=list(MODULES))
    parser.add_argument("--functions", nargs="+", default=list(FUNCTIONS), choices=list(FUNCTIONS))
    parser.add_argument("--workers", nargs="+", type=int, default=[4, 16])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=100)
    args = parser.parse_args(None if argv is None else list(argv))
    {"run": run, "merge": merge, "table": table, "plot": plot}[args.what](args)


if __name__ == "__main__":
    main()
