"""The Gaussian process that stands in for an expensive function."""

from asktell.optimize.surrogate.features import Features
from asktell.optimize.surrogate.fit import fit
from asktell.optimize.surrogate.kernel import Hyperparameters, Kernel
from asktell.optimize.surrogate.paths import SamplePath
from asktell.optimize.surrogate.posterior import Conditioner, Pool, Posterior, Prediction, fantasies

__all__ = [
    "Conditioner",
    "Features",
    "Hyperparameters",
    "Kernel",
    "Pool",
    "Posterior",
    "Prediction",
    "SamplePath",
    "fantasies",
    "fit",
]
