"""What an engine knows: every point asked so far and what became of it.

N  points asked (told, failed and pending ones)
d  columns of the unit cube
m  objectives
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asktell.trial import Origin, Params


@dataclass(frozen=True, slots=True)
class History:
    """All points in the order of their numbers; a pure function of the trials' states.

    numbers: (N,); params: N native points; unit: (N, d);
    losses: (N, m), minimised objectives, NaN where there is none;
    is_told, is_failed, is_pending: (N,) bool, exactly one of them true.
    is_feasible: (N,) bool, told and every outcome within its bounds.
    outcomes: other results by name, (N,), NaN where there is none: those that are bounded, with their
    (low, high) in outcome_bounds, and those that the engine reads.
    """

    numbers: NDArray[np.int64]
    params: Sequence[Params]
    unit: NDArray[np.float64]
    losses: NDArray[np.float64]
    is_told: NDArray[np.bool_]
    is_failed: NDArray[np.bool_]
    is_feasible: NDArray[np.bool_]
    origins: Sequence[Origin]
    outcomes: Mapping[str, NDArray[np.float64]]
    outcome_bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def is_pending(self) -> NDArray[np.bool_]:
        return ~(self.is_told | self.is_failed)

    def with_pending(self, proposal: Proposal, unit: NDArray[np.float64]) -> History:
        """The history after the proposal, at unit (d,), has been asked under the next number."""
        return replace(
            self,
            numbers=np.append(self.numbers, len(self.numbers)),
            params=(*self.params, proposal.params),
            unit=np.vstack([self.unit, unit]),
            losses=np.vstack([self.losses, np.full((1, self.losses.shape[1]), np.nan)]),
            is_told=np.append(self.is_told, False),
            is_failed=np.append(self.is_failed, False),
            is_feasible=np.append(self.is_feasible, False),
            origins=(*self.origins, proposal.origin),
            outcomes={name: np.append(column, np.nan) for name, column in self.outcomes.items()},
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """A point that an engine wants evaluated. details: JSON values that explain it."""

    params: Params
    origin: Origin
    acquisition: float | None = None
    details: Mapping[str, Any] | None = None


class Engine(Protocol):
    """Proposes points. Proposals are a function of (space, options, seed, history, number) alone.

    An engine may cache what it derives from the history, never what changes its answers.
    """

    name: str

    @property
    def reads(self) -> Sequence[str]:
        """Results, besides objectives and bounded ones, that it wants to see."""

    def at_once(self, history: History) -> int:
        """How many points it proposes in hardly more time than one; 1 or more."""

    def propose(self, history: History, number: int, count: int) -> list[Proposal]:
        """`count` points to be evaluated together; the first gets `number`, the next number + 1, ...

        No point repeats one of the history or of the group. Raises SpaceExhausted when there is
        no new point left (fewer than `count` may be returned before that).
        """
