"""Pictures of a study, with matplotlib (`pip install 'asktell[plots]'`).

Each function takes the dataset of `asktell.open` and draws into `ax`, or a new figure, which it returns.
"""

from asktell.plots.effects import plot_importance, plot_objective, plot_runtime, plot_slice, plot_slices
from asktell.plots.outputs import plot_array, plot_best_and_median, plot_output
from asktell.plots.parallel import plot_parallel
from asktell.plots.progress import (
    plot_agreement,
    plot_comparison,
    plot_convergence,
    plot_hypervolume,
    plot_pareto,
    plot_regret,
)
from asktell.plots.workers import plot_cost, plot_staleness, plot_timeline, plot_utilisation

__all__ = [
    "plot_agreement",
    "plot_array",
    "plot_best_and_median",
    "plot_comparison",
    "plot_convergence",
    "plot_cost",
    "plot_hypervolume",
    "plot_importance",
    "plot_objective",
    "plot_output",
    "plot_parallel",
    "plot_pareto",
    "plot_regret",
    "plot_runtime",
    "plot_slice",
    "plot_slices",
    "plot_staleness",
    "plot_timeline",
    "plot_utilisation",
]
