"""Parameters → duration with uncertainty: what was seen, and what follows from it when it is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from asktell.runtime.attempts import FEW, Attempt, Runtime
from asktell.space import Space
from asktell.trial import Params

if TYPE_CHECKING:
    import numpy as np

    from asktell.runtime.fit import Fit

_SHORTEST_S = 1e-3


class RuntimeModel:
    """Parameters → duration with uncertainty. space: None where points tell nothing of runtimes.

    version: how much of the history is looked at; predictions change only with it.
    """

    def __init__(self, space: Space | None = None) -> None:
        self.version = 0
        self._space = space
        self._attempts: list[Attempt] = []
        self._fitted: Fit | None = None

    def add(self, params: Params, duration_s: float) -> None:
        """This point took so long."""
        self._append(Attempt(params, _log(duration_s), is_cut=False))

    def add_censored(self, params: Params, at_least_s: float) -> None:
        """This point was cut off after so long."""
        self._append(Attempt(params, _log(at_least_s), is_cut=True))

    def end(self) -> None:
        """Look at all of the history: it goes no further."""
        self.version = len(self._attempts)

    def _append(self, attempt: Attempt) -> None:
        self._attempts.append(attempt)
        n = len(self._attempts)
        if n <= FEW or n >= math.ceil(1.2 * self.version):
            self.version = n

    def estimate(self, params: Params) -> Runtime | None:
        """What a trial at this point will take; None before any has finished."""
        found = self._fit()
        return found.estimates([params])[0] if found is not None else None

    def short_s(self) -> float | None:
        """A quarter of the latest trials would be given no more than this (their `high_s`)."""
        found = self._fit()
        return found.short_s if found is not None else None

    def draw(self, params: Params, rng: np.random.Generator) -> float | None:
        """Seconds that a trial at this point may take, at random; None before any has finished."""
        found = self._fit()
        return found.draw(params, rng) if found is not None else None

    @property
    def sees_parameters(self) -> bool:
        """Whether predictions depend on the point: enough trials were seen, and it says enough."""
        found = self._fit()
        return found is not None and found.surface is not None

    def _fit(self) -> Fit | None:
        if self._fitted is None or self._fitted.version != self.version:
            from asktell.runtime.fit import fit  # scipy: only where runtimes are predicted

            self._fitted = fit(self._space, self._attempts[: self.version], self.version)
        return self._fitted


def _log(duration_s: float) -> float:
    return math.log(max(duration_s, _SHORTEST_S))
