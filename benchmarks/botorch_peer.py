"""Plain BoTorch behind ask and tell, as its tutorials use it, for benchmarks/regret.py."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from asktell.optimize.design import design_point
from asktell.simulation.functions import TestFunction
from asktell.space import Categorical, Integer, Real
from asktell.trial import Params


class BoTorch:
    """BoTorch as its closed-loop tutorial has it, with one candidate at a time and X_pending.

    A GP for the objective and one for each bounded result, inputs scaled to the cube, qLogNEI over 256
    Sobol samples, 10 restarts of 512 points. Categories and integers through MixedSingleTaskGP and
    optimize_acqf_mixed_alternating. Failed points stay pending, which is how Ax keeps BoTorch off them.
    """

    def __init__(self, function: TestFunction, seed: int, initial: int) -> None:
        if len(function.objectives) > 1:
            raise NotImplementedError("this adapter knows one objective")
        import torch

        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        self._function, self._seed, self._initial, self._torch = function, seed, initial, torch
        parameters = [function.space.parameters[name] for name in function.space.columns]
        self._discrete: dict[int, list[float]] = {}
        self._categories: dict[int, list[float]] = {}
        ranges = []
        for index, parameter in enumerate(parameters):
            match parameter:
                case Real():
                    ranges.append((parameter.low, parameter.high))
                case Integer():
                    ranges.append((float(parameter.low), float(parameter.high)))
                    self._discrete[index] = [float(n) for n in range(parameter.low, parameter.high + 1)]
                case Categorical():
                    ranges.append((0.0, len(parameter.choices) - 1.0))
                    self._categories[index] = [float(n) for n in range(len(parameter.choices))]
        self._parameters = parameters
        self._bounds = self._tensor(ranges).T
        self._points: list[Params] = []
        self._values: dict[int, Mapping[str, float]] = {}

    def ask(self) -> tuple[int, Params]:
        if len(self._values) < 2:
            params: Params = design_point(self._function.space, self._seed, len(self._points))
        else:
            params = self._decoded(self._candidate())
        return self.begin(params), params

    def begin(self, params: Params) -> int:
        self._points.append(params)
        return len(self._points) - 1

    def tell(self, handle: int, values: Mapping[str, float] | None) -> None:
        if values is not None:
            self._values[handle] = values

    def _candidate(self) -> Any:
        from botorch.acquisition import qLogNoisyExpectedImprovement
        from botorch.acquisition.objective import GenericMCObjective
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import ModelListGP
        from botorch.optim import optimize_acqf
        from botorch.optim.optimize_mixed import optimize_acqf_mixed_alternating
        from botorch.sampling.normal import SobolQMCNormalSampler
        from gpytorch.mlls.sum_marginal_log_likelihood import SumMarginalLogLikelihood

        told = sorted(self._values)
        pending = [number for number in range(len(self._points)) if number not in self._values]
        names = [self._function.objectives[0], *self._function.bounds]
        sign = [-1.0] + [1.0] * len(self._function.bounds)  # BoTorch maximises
        columns = [
            self._tensor([[s * self._values[n][name]] for n in told])
            for s, name in zip(sign, names, strict=True)
        ]
        x = self._encoded(told)
        model = ModelListGP(*(self._gp(x, column) for column in columns))
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogNoisyExpectedImprovement(
            model,
            x,
            sampler=SobolQMCNormalSampler(self._torch.Size([256])),
            objective=GenericMCObjective(lambda samples, **_: samples[..., 0]),
            constraints=list(self._constraints()) or None,
            X_pending=self._encoded(pending) if pending else None,
        )
        shared: dict[str, Any] = {"q": 1, "num_restarts": 10, "raw_samples": 512}
        if self._discrete or self._categories:
            found, _ = optimize_acqf_mixed_alternating(
                acquisition, self._bounds, discrete_dims=self._discrete, cat_dims=self._categories, **shared
            )
        else:
            options = {"batch_limit": 5, "maxiter": 200}
            found, _ = optimize_acqf(acquisition, self._bounds, options=options, **shared)
        return found[0]

    def _gp(self, x: Any, y: Any) -> Any:
        from botorch.models import MixedSingleTaskGP, SingleTaskGP
        from botorch.models.transforms.input import Normalize

        dims = len(self._parameters)
        if not self._categories:
            return SingleTaskGP(x, y, input_transform=Normalize(dims, bounds=self._bounds))
        ordered = [index for index in range(dims) if index not in self._categories]
        scaled = Normalize(dims, indices=ordered, bounds=self._bounds)
        return MixedSingleTaskGP(x, y, cat_dims=list(self._categories), input_transform=scaled)

    def _constraints(self) -> Iterator[Callable[[Any], Any]]:
        """Each is negative where its bound holds."""
        for output, (low, high) in enumerate(self._function.bounds.values(), start=1):
            if math.isfinite(low):
                yield partial(_excess, output=output, sign=-1.0, bound=-low)
            if math.isfinite(high):
                yield partial(_excess, output=output, sign=1.0, bound=high)

    def _encoded(self, numbers: list[int]) -> Any:
        return self._tensor(
            [
                [
                    parameter.choices.index(value) if isinstance(parameter, Categorical) else value
                    for parameter, value in zip(self._parameters, self._points[number].values(), strict=True)
                ]
                for number in numbers
            ]
        )

    def _decoded(self, row: Any) -> Params:
        point: dict[str, Any] = {}
        for name, parameter, value in zip(
            self._function.space.columns, self._parameters, row.tolist(), strict=True
        ):
            match parameter:
                case Categorical():
                    point[name] = parameter.choices[round(value)]
                case Integer():
                    point[name] = round(value)
                case Real():
                    point[name] = min(max(value, parameter.low), parameter.high)
        return point

    def _tensor(self, rows: Any) -> Any:
        return self._torch.tensor(rows, dtype=self._torch.float64)


def _excess(samples: Any, output: int, sign: float, bound: float) -> Any:
    return sign * samples[..., output] - bound
