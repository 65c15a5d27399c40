"""BoTorch's Gaussian processes and acquisition functions behind the engine protocol, in float64.

    q  points        n  points told        d  columns of the unit cube        D  features
    m  objectives, standardised and negated: BoTorch maximises
    outputs of the model: the m objectives, each bounded outcome as it is, success (1, or -1)

Acquisitions know pending points (X_pending) and outcome constraints. They are maximised by the search
of the `gp` engine, along gradients of torch: in steps that are exact for what is discrete, within the
space's constraints. Fits start afresh for each proposal, so nothing outlives one.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.multi_objective.parego import qLogNParEGO
from botorch.acquisition.objective import GenericMCObjective
from botorch.exceptions.errors import ModelFittingError
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from gpytorch.mlls import ExactMarginalLogLikelihood
from linear_operator.utils.errors import NotPSDError
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from asktell.optimize.engines.designs import DesignThenModel, state_of
from asktell.optimize.engines.gp_losses import draw_weights, shown
from asktell.optimize.engines.gp_search import Region, Search
from asktell.optimize.engines.options import BoTorchOptions
from asktell.optimize.history import History, Proposal
from asktell.optimize.hypervolume import is_efficient
from asktell.optimize.pending import Taken, standardised, unused_point
from asktell.optimize.surrogate import Features
from asktell.space import Space
from asktell.trial import Origin

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]
Constraint = Callable[[torch.Tensor], torch.Tensor]

_CENTRES = 8
_SCALE = 0.3  # of the unit cube: about how far from a good point something else begins
_CHUNK = 256  # points that are looked at together: memory goes with points x samples x told


class BoTorch:
    """Failures are a constraint like outcomes with bounds: they are predicted, never given a loss."""

    name = "botorch"
    reads = ()

    def __init__(self, space: Space, seed: int, initial: int, options: BoTorchOptions) -> None:
        self._space = space
        self._seed = seed
        self._options = options
        self._sequence = DesignThenModel(space, seed, initial)
        self._features = Features(space)
        self._search = Search(space)

    def at_once(self, history: History) -> int:
        return self._sequence.at_once(history)

    def propose(self, history: History, number: int, count: int) -> list[Proposal]:
        def from_model(history: History, taken: Taken, number: int, _: int) -> list[Proposal]:
            return [self._from_model(history, taken, number)]

        return self._sequence.propose(history, number, count, from_model)

    def _from_model(self, history: History, taken: Taken, number: int) -> Proposal:
        rng = np.random.default_rng([self._seed, number])
        weights = draw_weights(history.losses.shape[1], self._seed, number)
        kind = self._options.acquisition or ("qlognei" if len(weights) == 1 else "qlognehvi")
        details: dict[str, Any] = {"acquisition": kind}
        found = None
        try:
            with _quiet(), torch.random.fork_rng():
                torch.manual_seed(state_of(self._seed, number))
                function = self._acquisition(kind, history, weights, state_of(self._seed, number))
                criterion = _Criterion(function, self._features, self._options.device)
                found = self._search.best(criterion, self._region(history, weights), taken, rng)
        except (ModelFittingError, NotPSDError) as error:
            logger.warning("trial %d: BoTorch failed (%s); a random point instead", number, error)
            details["fallback"] = f"the fit failed: {error}"[:200]
        if found is None:
            details.setdefault("fallback", "every candidate was proposed before")
            return Proposal(unused_point(self._space, taken, rng), Origin.RANDOM, details=details)
        params, value = found
        return Proposal(params, Origin.MODEL, value, details)

    def _acquisition(self, kind: str, history: History, weights: Array, state: int) -> Any:
        told, m = history.is_told, len(weights)
        losses = [standardised(column, self._options.tail) for column in history.losses[told].T]
        y = -np.stack(losses, axis=1)
        outputs = [(told, column) for column in y.T]
        outputs += [(told, history.outcomes[name][told]) for name in history.outcome_bounds]
        constraints = list(_constraints(history, m))
        if history.is_failed.any():
            has_ended = ~history.is_pending
            outputs.append((has_ended, np.where(history.is_failed, -1.0, 1.0)[has_ended]))
            constraints.append(partial(_above, output=len(outputs) - 1, bound=0.0))
        model = ModelListGP(*(self._fitted(history.unit[rows], values) for rows, values in outputs))
        shared = {
            "sampler": SobolQMCNormalSampler(torch.Size([self._options.samples]), seed=state),
            "X_pending": self._tensor(history.unit[history.is_pending]) if history.is_pending.any() else None,
            "constraints": constraints or None,
        }
        baseline = self._tensor(history.unit[told])
        feasible = y[history.is_feasible[told]] if history.is_feasible.any() else y
        match kind:
            case "qlogei":
                best = float(feasible.max() if history.is_feasible.any() else y.min())
                return qLogExpectedImprovement(model, best, objective=GenericMCObjective(_first), **shared)
            case "qlognei":
                first = GenericMCObjective(_first)
                return qLogNoisyExpectedImprovement(model, baseline, objective=first, **shared)
            case "qlognehvi":
                efficient = torch.as_tensor(feasible[is_efficient(-feasible)])
                reference = infer_reference_point(efficient).to(self._options.device)
                every = IdentityMCMultiOutputObjective(outcomes=list(range(m)))
                return qLogNoisyExpectedHypervolumeImprovement(
                    model, reference, baseline, objective=every, prune_baseline=True, **shared
                )
            case _:
                every = IdentityMCMultiOutputObjective(outcomes=list(range(m)))
                scalars = torch.as_tensor(weights, device=self._options.device)
                return qLogNParEGO(model, baseline, scalars, objective=every, **shared)

    def _fitted(self, unit: Array, values: Array) -> SingleTaskGP:
        model = SingleTaskGP(
            self._tensor(unit), torch.as_tensor(values[:, None], device=self._options.device)
        )
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return model

    def _tensor(self, unit: Array) -> torch.Tensor:
        return torch.as_tensor(self._features.of(unit), dtype=torch.float64, device=self._options.device)

    def _region(self, history: History, weights: Array) -> Region:
        losses, d = history.losses[history.is_told], self._space.dims
        z = shown(losses, np.zeros_like(losses), weights, tail=self._options.tail).z
        centres = history.unit[history.is_told][np.argsort(z, kind="stable")[:_CENTRES]]
        return Region(centres, np.full(d, _SCALE), np.zeros(d), np.ones(d))


class _Criterion:
    """An acquisition function over the unit cube."""

    def __init__(self, function: Any, features: Features, device: str) -> None:
        self._function = function
        self._features = features
        self._device = device

    def value(self, unit: Array) -> Array:
        with torch.no_grad():
            parts = [self._function(self._inputs(unit[i : i + _CHUNK])) for i in range(0, len(unit), _CHUNK)]
        return np.asarray(torch.cat(parts).cpu().numpy())

    def with_gradient(self, unit: Array) -> tuple[Array, Array]:
        inputs = self._inputs(unit).requires_grad_()
        value = self._function(inputs)
        (gradient,) = torch.autograd.grad(value.sum(), inputs)
        per_feature = gradient[:, 0, :].cpu().numpy()
        return value.detach().cpu().numpy(), self._features.by_column(per_feature)

    def _inputs(self, unit: Array) -> torch.Tensor:
        """(q, 1, D): q groups of one point."""
        of = torch.as_tensor(self._features.of(unit), dtype=torch.float64, device=self._device)
        return of[:, None, :]


def _constraints(history: History, m: int) -> Iterator[Constraint]:
    """Each is negative where its bound holds."""
    for output, (low, high) in enumerate(history.outcome_bounds.values(), start=m):
        if np.isfinite(low):
            yield partial(_above, output=output, bound=low)
        if np.isfinite(high):
            yield partial(_below, output=output, bound=high)


def _above(samples: torch.Tensor, output: int, bound: float) -> torch.Tensor:
    return bound - samples[..., output]


def _below(samples: torch.Tensor, output: int, bound: float) -> torch.Tensor:
    return samples[..., output] - bound


def _first(samples: torch.Tensor, X: torch.Tensor | None = None) -> torch.Tensor:  # noqa: N803  # BoTorch's name
    return samples[..., 0]


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of a fit, which mean nothing to who waits for a proposal, and one thread on the CPU.

    More threads are slower at these sizes where cores are busy, and change the last bits.
    """
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        yield
