"""What a study found, in xarray: functions of the dataset that `asktell.open` returns, with labels and units.

`ds.asktell.trace()` is `trace(ds)`; the accessor is there as soon as a study was opened.
Outputs stay lazy: nothing here loads an array that it does not need.
"""

from asktell.analysis.accessor import StudyAccessor
from asktell.analysis.comparison import compare
from asktell.analysis.forest import importance
from asktell.analysis.opening import open
from asktell.analysis.optimum import completed, hypervolume, incumbent, pareto, regret, trace
from asktell.analysis.outputs import correlation
from asktell.analysis.surrogate import leave_one_out, partial_dependence
from asktell.analysis.workers import cost, staleness, timeline, utilisation

__all__ = [
    "StudyAccessor",
    "compare",
    "completed",
    "correlation",
    "cost",
    "hypervolume",
    "importance",
    "incumbent",
    "leave_one_out",
    "open",
    "pareto",
    "partial_dependence",
    "regret",
    "staleness",
    "timeline",
    "trace",
    "utilisation",
]
