"""From a study to a paper's figures and table: python figures.py connectome.study figures"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import asktell
from asktell import plots


def main(study: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    trials = asktell.open(study)

    figure, axes = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
    plots.plot_convergence(trials, ax=axes[0, 0])
    plots.plot_importance(trials, ax=axes[0, 1])
    plots.plot_objective(trials, "fa_threshold", "max_angle", ax=axes[1, 0])
    plots.plot_agreement(trials, ax=axes[1, 1])
    figure.savefig(folder / "optimisation.pdf")
    plots.plot_best_and_median(trials, "connectivity")[0].figure.savefig(folder / "matrices.pdf")

    # Which connections depend on which setting, and how much the ten best trials differ in them?
    found = trials.asktell.correlation("connectivity").sel(parameter=["fa_threshold", "max_angle"])
    best = trials.asktell.completed().sortby("quality").isel(trial=slice(-10, None)).connectivity
    figure, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    for one, ax in zip(found, axes, strict=False):
        plots.plot_array(one, ax=ax, limits=(-1, 1)).set_title(one.parameter.item())
    plots.plot_array(best.std("trial"), ax=axes[2]).set_title("standard deviation of the ten best")
    figure.savefig(folder / "connections.pdf")

    results = ["quality", "false_positives", "unconnected", "duration"]
    by_method = trials.asktell.completed()[results].groupby("method").median()
    by_method.to_dataframe().round(3).to_csv(folder / "methods.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
