"""Compares engines on a study, several seeds each, by what `asktell run` makes of it.

    python configs/compare.py configs/filter
    python configs/compare.py configs/filter --engines gp skopt sobol --seeds 10 --trials 80

Finished runs are kept, one line each, in comparison.jsonl beside the study file: a comparison that
was stopped goes on where it stood, and nothing is run twice. Prints the table of medians and draws
comparison.png from all runs of the same budget.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

import asktell


@dataclass(frozen=True, slots=True)
class Run:
    """One whole study. incumbent: best feasible value after each trial, None before there is one."""

    engine: str
    seed: int
    workers: int
    trials: int
    failed: int
    objective: str
    direction: str
    units: str
    incumbent: tuple[float | None, ...]

    @property
    def key(self) -> tuple[str, int, int, int]:
        return self.engine, self.seed, self.workers, self.trials


def main() -> None:
    options = parse()
    study, kept = options.study / "study.yaml", options.study / "comparison.jsonl"
    done = {run.key for run in load(kept)}
    seeds = range(options.first, options.first + options.seeds)
    for seed, engine in product(seeds, options.engines):
        if (engine, seed, options.workers, options.trials) in done:
            continue
        run = evaluate(study, options.work, engine, seed, workers=options.workers, trials=options.trials)
        with kept.open("a") as file:
            file.write(json.dumps(asdict(run)) + "\n")
        print(f"{engine}, seed {seed}: {run.incumbent[-1]}", flush=True)
    runs = [run for run in load(kept) if (run.workers, run.trials) == (options.workers, options.trials)]
    print(table(runs))
    draw(runs, options.study / "comparison.png")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, help="folder of a study.yaml with one objective")
    parser.add_argument("--engines", nargs="+", default=["gp", "sobol"])
    parser.add_argument("--seeds", type=int, default=5, help="how many for each engine")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("comparison.study"), help="where studies run")
    return parser.parse_args()


def load(path: Path) -> list[Run]:
    if not path.exists():
        return []
    fields = [json.loads(line) for line in path.read_text().splitlines()]
    return [Run(**{**item, "incumbent": tuple(item["incumbent"])}) for item in fields]


def evaluate(study: Path, work: Path, engine: str, seed: int, *, workers: int, trials: int) -> Run:
    """Run the study, or go on with it where an earlier comparison was stopped."""
    directory = work / f"{study.parent.name}-{engine}-{seed}-{workers}-{trials}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    settings = {"optimizer.engine": engine, "optimizer.seed": seed, "cluster.workers": workers}
    begin = ["run", str(study), "--dir", str(directory), "--trials", str(trials)]
    for key, value in settings.items():
        begin += ["--set", f"{key}={value}"]
    arguments = ["resume", str(directory)] if directory.exists() else begin
    with (work / "log").open("a") as log:
        subprocess.run([Path(sys.executable).with_name("asktell"), *arguments], check=True, stdout=log)
    return read(directory, engine, seed, workers)


def read(directory: Path, engine: str, seed: int, workers: int) -> Run:
    results = asktell.open(directory)
    statuses = results.status.attrs["flag_meanings"].split()
    ((objective, direction),) = json.loads(results.attrs["directions"]).items()
    values = np.where(results.feasible == 1, results[objective], np.nan)
    best = np.fmin.accumulate(values) if direction == "minimize" else np.fmax.accumulate(values)
    return Run(
        engine=engine,
        seed=seed,
        workers=workers,
        trials=results.sizes["trial"],
        failed=int((results.status == statuses.index("failed")).sum()),
        objective=objective,
        direction=direction,
        units=results[objective].attrs.get("units", ""),
        incumbent=tuple(None if np.isnan(value) else round(float(value), 6) for value in best),
    )


def by_engine(runs: Sequence[Run]) -> Iterator[tuple[str, list[Run], NDArray[np.float64]]]:
    """Each engine with its runs and their incumbents, (runs, trials), infinitely bad before the first."""
    none_yet = np.inf if runs[0].direction == "minimize" else -np.inf
    for engine in dict.fromkeys(run.engine for run in runs):
        own = sorted((run for run in runs if run.engine == engine), key=lambda run: run.seed)
        incumbents = [[none_yet if value is None else value for value in run.incumbent] for run in own]
        yield engine, own, np.array(incumbents)


def table(runs: Sequence[Run]) -> str:
    """Medians over the seeds as a Markdown table."""
    first = runs[0]
    moments = [first.trials // 4, first.trials // 2, first.trials]
    lines = [
        f"`{first.objective}` ({first.direction}), {first.workers} workers; the median over seeds after",
        "",
        "| engine | seeds | " + " | ".join(f"{n} trials" for n in moments) + " | each seed's end | failed |",
        "| --- | --- | " + "--- | " * len(moments) + "--- | --- |",
    ]
    for engine, own, incumbents in by_engine(runs):
        medians = [f"{np.median(incumbents[:, n - 1]):.3g}" for n in moments]
        ends = ", ".join(f"{value:.3g}" for value in incumbents[:, -1])
        failed = f"{100 * median(run.failed / run.trials for run in own):.0f} %"
        lines.append(f"| {engine} | {len(own)} | " + " | ".join(medians) + f" | {ends} | {failed} |")
    return "\n".join(lines)


def draw(runs: Sequence[Run], path: Path) -> None:
    """The incumbent against trials: each run thin, each engine's median bold."""
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for index, (engine, own, incumbents) in enumerate(by_engine(runs)):
        trials = np.arange(1, incumbents.shape[1] + 1)
        axes.plot(trials, incumbents.T, color=f"C{index}", alpha=0.25, linewidth=0.8)
        median_line = np.median(incumbents, axis=0)
        axes.plot(trials, median_line, color=f"C{index}", linewidth=2, label=f"{engine}, {len(own)} seeds")
    first = runs[0]
    axes.set_xlabel("trials that have ended")
    axes.set_ylabel(f"best {first.objective}" + (f" ({first.units})" if first.units else ""))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
