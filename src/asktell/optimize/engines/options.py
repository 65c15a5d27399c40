"""What each engine can be told in `optimizer:` of a study file; importing this loads no engine."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from asktell.optimize.pending import Lie


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Names = Annotated[
    tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
]
"""Names of results; a single one may stand alone."""


class RandomOptions(Options):
    """Independent uniform draws."""


class SobolOptions(Options):
    """A scrambled Sobol sequence."""


class GridOptions(Options):
    """Every combination of levels."""

    levels: int = Field(default=5, ge=1, description="points along each real parameter")
    shuffle: bool = Field(default=True, description="visit in random order, so that a part covers the space")


class ScikitOptimizeOptions(Options):
    """scikit-optimize's surrogates and acquisition functions."""

    estimator: Literal["GP", "RF", "ET", "GBRT"] = Field(
        default="GP", description="Gaussian process, random forest, extra trees, gradient boosted trees"
    )
    acquisition: Literal["EI", "LCB", "PI"] = "EI"
    acq_optimizer: Literal["auto", "sampling", "lbfgs"] = "auto"
    pending: Lie = Field(default=Lie.BELIEVER, description="the loss that running trials are given meanwhile")
    n_candidates: int = Field(default=2000, ge=10, description="points at which the acquisition is compared")
    xi: float = Field(
        default=0.0, ge=0, description="improvement that EI and PI want, in standard deviations"
    )
    kappa: float = Field(default=1.96, ge=0, description="LCB: standard deviations below the mean")
    tail: bool = Field(default=True, description="compress losses worse than the median logarithmically")
    fit_points: int = Field(default=200, ge=10, description="GP: points to which length scales are fitted")


class Pending(StrEnum):
    """How the `gp` engine takes running trials into account."""

    FANTASIES = "fantasies"  # an average over what they may come to
    BELIEVER = "believer"  # their predicted loss, taken for measured
    MIN = "min"  # liars: the lowest, mean or highest loss told
    MEAN = "mean"
    MAX = "max"
    LOCAL_PENALISATION = "local_penalisation"  # not in the model; the acquisition is lowered around them
    NONE = "none"  # not at all, except that they are not proposed again


class Batch(StrEnum):
    """How the `gp` engine proposes several points that are to be evaluated together."""

    GREEDY = "greedy"  # one by one, each as if those before it ran already
    KMEANS = "kmeans"  # clusters of where the acquisition is high, the best point of each
    QEI = "qei"  # expected improvement of all together, maximised point by point
    THOMPSON = "thompson"  # the minimum of a function drawn for each
    LOCAL_PENALISATION = "local_penalisation"  # the acquisition is lowered around those before


class GaussianProcessOptions(Options):
    """A Gaussian process of our own: proposals in hundredths of a second, however many trials run."""

    acquisition: Literal["log_ei", "ei", "pi", "ucb", "random_ucb", "thompson", "gibbon"] = Field(
        default="log_ei",
        description="expected improvement, its probability, a confidence bound, a function drawn,"
        " information about the minimum",
    )
    pending: Pending = Field(
        default=Pending.FANTASIES,
        description="how running trials enter; where it says fantasies, acquisitions that are neither"
        " probability nor expectation believe",
    )
    batch: Batch = Field(
        default=Batch.GREEDY,
        description="schedules batch and hybrid: how points that start together come to differ",
    )
    fantasies: int = Field(default=8, ge=2, multiple_of=2, description="outcomes that are averaged over")
    kappa: float = Field(
        default=2.0, ge=0, description="ucb: standard deviations below the mean; random_ucb: their mean"
    )
    tail: bool = Field(default=True, description="compress losses worse than the median logarithmically")
    noise: Names = Field(
        default=(),
        description="result that is the objective's standard error (several objectives: one each, in their"
        " order); without one, or where it is not above 0, noise is only learned",
    )
    max_points: int = Field(default=1000, ge=100, description="up to so many points, all are conditioned on")
    local_points: int = Field(
        default=400,
        ge=100,
        description="of more points, so many (max_points at most): most of them around a promising one",
    )

    @property
    def limit(self) -> int:
        """Points conditioned on where not all are."""
        return min(self.local_points, self.max_points)


class BoTorchOptions(Options):
    """BoTorch's Monte Carlo acquisition functions; needs torch."""

    acquisition: Literal["qlogei", "qlognei", "qlognehvi", "qlognparego"] | None = Field(
        default=None, description="default: qlognei, with several objectives qlognehvi"
    )
    samples: int = Field(default=128, ge=8, description="draws from the posterior that are averaged over")
    tail: bool = Field(default=True, description="compress losses worse than the median logarithmically")
    device: str = Field(default="cpu", description="where torch computes: cpu, cuda, cuda:1")


class OptunaOptions(Options):
    """Optuna's samplers."""

    sampler: Literal["tpe", "cmaes", "gp"] = Field(
        default="tpe",
        description="tree-structured Parzen estimators, CMA-ES, Gaussian process (which needs torch)",
    )
