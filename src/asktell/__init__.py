"""asktell: asynchronous Bayesian optimisation whose evaluations run on a cluster.

asktell.Study       one optimisation and its directory: create, run, resume, ask, tell
asktell.Optimizer   ask/tell in memory, without a study
asktell.Space       a search space of Real, Integer, Ordinal, Categorical, Boolean, Constant
asktell.open        the results of a study as an xarray.Dataset
asktell.log         metrics from inside a running evaluation
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asktell.analysis import open
    from asktell.metrics import log
    from asktell.optimize.optimizer import Optimizer
    from asktell.run import Study
    from asktell.space import Boolean, Categorical, Constant, Integer, Ordinal, Real, Space
    from asktell.trial import Outcome, Status, Trial

__version__ = "0.1.0"

__all__ = [
    "Boolean",
    "Categorical",
    "Constant",
    "Integer",
    "Optimizer",
    "Ordinal",
    "Outcome",
    "Real",
    "Space",
    "Status",
    "Study",
    "Trial",
    "log",
    "open",
]

# Imported on first use, so that the command line answers at once and an objective can call
# `asktell.log` without loading the rest.
_HOMES = {
    "Boolean": "asktell.space",
    "Categorical": "asktell.space",
    "Constant": "asktell.space",
    "Integer": "asktell.space",
    "Optimizer": "asktell.optimize.optimizer",
    "Ordinal": "asktell.space",
    "Outcome": "asktell.trial",
    "Real": "asktell.space",
    "Space": "asktell.space",
    "Status": "asktell.trial",
    "Study": "asktell.run",
    "Trial": "asktell.trial",
    "log": "asktell.metrics",
    "open": "asktell.analysis",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'asktell' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
