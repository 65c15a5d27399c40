"""Draws where a study has looked: python picture.py branin.study branin.png"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from objective import evaluate

import asktell


def main(study: str, picture: str) -> None:
    results = asktell.open(study).sortby("trial")
    x1, x2 = np.linspace(-5, 10, 150), np.linspace(0, 15, 150)
    heights = [[evaluate(a, b) for a in x1] for b in x2]
    figure, axes = plt.subplots(figsize=(5, 3.8), layout="constrained")
    axes.contour(x1, x2, heights, levels=[1, 5, 20, 50, 100, 200], colors="0.8", linewidths=0.8)
    points = axes.scatter(results.x1, results.x2, c=results.trial, s=18)
    figure.colorbar(points, label="trial")
    axes.set(xlabel="x1", ylabel="x2")
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    main(*sys.argv[1:])
