"""Draw what a finished study found: python picture.py connectome.study expected.png"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from phantom import BUNDLES, GRID, REGIONS, VOXEL_MM, Phantom, simulate

import asktell


def main(study: Path, picture: Path) -> None:
    phantom = simulate()
    trials = asktell.open(study)
    trials = trials.isel(trial=np.isfinite(trials.quality.values)).sortby("quality")
    best, median = trials.isel(trial=-1), trials.isel(trial=trials.sizes["trial"] // 2)
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.4), layout="constrained")
    draw_phantom(axes[0], phantom)
    draw_matrix(axes[1], phantom.truth, "truth")
    draw_matrix(axes[2], best.connectivity.values, describe(best, "best"))
    image = draw_matrix(axes[3], median.connectivity.values, describe(median, "median"))
    figure.colorbar(image, ax=axes[3], label="share of streamlines")
    figure.savefig(picture, dpi=80)


def describe(trial: xr.Dataset, which: str) -> str:
    return f"{which}: trial {int(trial.trial)}, quality {float(trial.quality):.2f}"


def draw_phantom(axes: Axes, phantom: Phantom) -> None:
    """The middle slice, each bundle in a colour of its own, colours mixed where bundles cross."""
    colours = plt.get_cmap("Set2")(np.arange(len(BUNDLES)))[:, :3]
    fractions = phantom.fractions[:, :, GRID[2] // 2]
    image = fractions @ colours + (1 - fractions.sum(axis=-1, keepdims=True))
    size = VOXEL_MM * (GRID[0] - 0.5)
    edge = VOXEL_MM / 2
    axes.imshow(image.clip(0, 1).swapaxes(0, 1), origin="lower", extent=(-edge, size, -edge, size))
    for name, (x, y) in REGIONS.items():
        axes.text(x, y, name.replace("_", "\n"), fontsize=7, ha="center", va="center")
    axes.set(title="phantom (mm)")


def draw_matrix(axes: Axes, matrix: NDArray[np.floating], title: str) -> AxesImage:
    names = [name.replace("_", " ") for name in REGIONS]
    image = axes.imshow(matrix, cmap="magma_r", vmin=0.0, vmax=0.4)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_title(title, fontsize=9)
    return image


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
