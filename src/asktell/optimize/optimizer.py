"""Ask and tell by number, in memory: what a study's loop uses, and what people use without a study.

Objectives come and go with their author's sign; they are minimised inside, and flipped here only.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from asktell.errors import SpaceError, SpaceExhausted, TrialError
from asktell.html import card
from asktell.optimize import engines
from asktell.optimize.engines.designs import Earlier, best_of_earlier
from asktell.optimize.history import History, Proposal
from asktell.optimize.hypervolume import is_efficient
from asktell.optimize.pending import Taken
from asktell.space import Parameter, Space
from asktell.trial import Origin, Params, Trial, values_html

Direction = Literal["minimize", "maximize"]
Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Observation:
    """A trial that was told, with its values as their author gave them."""

    number: int
    params: Params
    values: Mapping[str, float]

    def _repr_html_(self) -> str:
        return card(f"trial {self.number}", "told", values_html({**self.values, **self.params}))


class Optimizer:
    """Proposes points, learns what came of them, and never proposes one twice.

    objectives: 'minimize' or 'maximize' by name; one named 'objective', minimised, when left out.
    seed: proposals follow from it and from what was asked and told, by number, whatever the order
    of the tells. initial: points of the space-filling design before the first from a model.
    options: the engine's own. outcome_bounds: (low, high) by name of a result that is told along
    with the objectives; points outside are data, never the best.
    Raises EngineError for what the engine cannot do, all of it at once.
    """

    def __init__(
        self,
        space: Space | Mapping[str, Parameter],
        objectives: Mapping[str, Direction] | None = None,
        *,
        engine: str = "gp",
        seed: int = 0,
        initial: int = 10,
        options: Mapping[str, Any] | None = None,
        outcome_bounds: Mapping[str, Bounds] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.space = space = space if isinstance(space, Space) else Space(space)
        self.objectives: Mapping[str, Direction] = dict(objectives or {"objective": "minimize"})
        wrong = [name for name, way in self.objectives.items() if way not in ("minimize", "maximize")]
        if wrong:
            raise TrialError(
                f"objectives.{wrong[0]} is {self.objectives[wrong[0]]!r}; write 'minimize' or 'maximize'"
            )
        self._bounds = dict(outcome_bounds or {})
        for name, (low, high) in self._bounds.items():
            if not low <= high:
                raise TrialError(
                    f"outcome_bounds.{name} is ({low}, {high}); write (low, high), low below high"
                )
        self._engine = engines.create(engine, space, len(self.objectives), seed, initial, options)
        self._clock = clock
        self._initial = initial
        self._queue: deque[Params] = deque()
        self._earlier: list[Earlier] = []
        self._trials: list[Trial] = []
        self._params: list[Params] = []
        self._origins: list[Origin] = []
        self._values: dict[int, dict[str, float]] = {}
        self._pending: dict[int, None] = {}
        # What engines are shown, a row for each trial; kept up to date rather than made for each proposal.
        self._columns = {
            "unit": np.empty((0, space.dims)),
            "losses": np.empty((0, len(self.objectives))),
            "is_told": np.empty(0, dtype=bool),
            "is_failed": np.empty(0, dtype=bool),
            "is_feasible": np.empty(0, dtype=bool),
        }
        self._outcomes = {name: np.empty(0) for name in (*self._bounds, *self._engine.reads)}

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Everything asked, added or restored, in the order of the numbers."""
        return tuple(self._trials)

    @property
    def pending(self) -> tuple[int, ...]:
        """Numbers that were neither told nor failed, ascending."""
        return tuple(self._pending)

    @overload
    def ask(self, n: None = None) -> Trial: ...
    @overload
    def ask(self, n: int) -> list[Trial]: ...
    def ask(self, n: int | None = None) -> Trial | list[Trial]:
        """The next trial, or `n` of them that are to be evaluated together.

        Enqueued points come first, then the best of earlier studies, then the engine's. Fewer than `n`
        are returned when the space ends before; raises SpaceExhausted when it has ended.
        """
        if n is not None and n < 1:
            raise TrialError(f"ask: n is {n}; ask for one trial or more")
        wanted, asked = n or 1, list[Trial]()
        while len(asked) < wanted:
            try:
                proposed = self.propose(wanted - len(asked))
            except SpaceExhausted:
                if not asked:
                    raise
                break
            for trial in proposed:
                self.restore(trial)
            asked += proposed
        return asked if n is not None else asked[0]

    def propose(self, n: int) -> list[Trial]:
        """Up to `n` next trials that belong together, without asking them: `restore` each to do so.

        A study journals them in between. While points are enqueued, these are all that is proposed.
        """
        start = self._clock()
        if self._queue:
            queued = list(itertools.islice(self._queue, n))
            proposals, engine = [Proposal(params, Origin.QUEUED) for params in queued], ""
        elif best := self._best_of_earlier():
            proposals, engine = [Proposal(params, Origin.EARLIER) for params in best[:n]], ""
        else:
            proposals = self._engine.propose(self.history(), len(self._trials), n)
            engine = self._engine.name
        share_s = max(self._clock() - start, 0.0) / len(proposals)
        return self._number(proposals, engine, asked_at=start, ask_s=share_s)

    def at_once(self) -> int:
        """How many trials can be proposed in hardly more time than one."""
        return len(self._queue) or self._engine.at_once(self.history())

    def tell(self, number: int, values: float | Mapping[str, float]) -> None:
        """What trial `number` came to: the objective's value, or values by name.

        Other names than objectives and bounded results are kept, for an engine that reads them.
        Raises TrialError when the trial is unknown, was told, or a value is missing or not finite.
        """
        self._require_pending(number)
        self._values[number] = checked = self._checked(values, f"trial {number}")
        del self._pending[number]
        self._columns["losses"][number] = self._losses(checked)
        self._columns["is_told"][number] = True
        self._columns["is_feasible"][number] = self._is_feasible(checked)
        for name, column in self._outcomes.items():
            column[number] = checked.get(name, math.nan)

    def check(self, number: int, values: float | Mapping[str, float] | None = None) -> None:
        """Raise the TrialError that `tell` (or `fail`, without values) would."""
        self._require_pending(number)
        if values is not None:
            self._checked(values, f"trial {number}")

    def fail(self, number: int) -> None:
        """Trial `number` brought no value. The engine learns where failures lie, not a made-up loss."""
        self._require_pending(number)
        del self._pending[number]
        self._columns["is_failed"][number] = True

    def enqueue(self, params: Params) -> None:
        """Have `params` returned by the next ask; they may repeat a point on purpose."""
        self._queue.append(self.checked_point(params))

    def add(self, params: Params, values: float | Mapping[str, float]) -> Trial:
        """A result known from elsewhere, as a trial with the next number that is told at once."""
        trial = self.known(params, values)
        self.restore(trial)
        self.tell(trial.number, values)
        return trial

    def known(self, params: Params, values: float | Mapping[str, float]) -> Trial:
        """The trial that `add` would make, without adding it: `restore` and `tell` it to do so."""
        self._checked(values, "the added result")
        proposal = Proposal(self.checked_point(params), Origin.ADDED)
        return self._number([proposal], engine="", asked_at=self._clock(), ask_s=0.0)[0]

    def warm_start(self, points: Iterable[tuple[Params, float | Mapping[str, float]]]) -> None:
        """What an earlier study of the same or a similar problem found: points and their values.

        The initial design begins with the best points of all earlier studies, each unlike the others. They
        are no trials before they are asked: none is the best, and no model sees their values. Raises
        SpaceError for a point outside the space, TrialError for a value that does not fit.
        """
        params, values = [], []
        for point, found in points:
            params.append(self.checked_point(point))
            values.append(self._checked(found, f"the earlier result at {dict(point)}"))
        losses = np.array([self._losses(item) for item in values]).reshape(-1, len(self.objectives))
        is_feasible = np.array([self._is_feasible(item) for item in values], dtype=bool)
        self._earlier.append(Earlier(params, self.space.to_unit_many(params), losses, is_feasible))

    def restore(self, trial: Trial) -> None:
        """Take back a trial that was asked or added before, in the order of the numbers.

        It is pending until it is told or failed. After the same trials and tells, proposals are
        those of an optimizer that was never interrupted.
        """
        if trial.number != len(self._trials):
            raise TrialError(
                f"trial {trial.number} cannot be restored: the next number is {len(self._trials)}"
            )
        if trial.origin is Origin.QUEUED and self._queue and self._queue[0] == trial.params:
            self._queue.popleft()
        self._append(trial)

    @property
    def best(self) -> Observation | None:
        """The best feasible trial told, the first of equals; None before there is one.

        With several objectives there is no best: None; see `front`.
        """
        numbers = self._feasible_numbers()
        if not numbers or len(self.objectives) > 1:
            return None
        return self._observation(min(numbers, key=lambda number: self._losses(self._values[number])))

    @property
    def front(self) -> list[Observation]:
        """Feasible trials that no other beats in one objective without losing in another, by number.

        Of trials with equal values the first is listed.
        """
        numbers = self._feasible_numbers()
        efficient = is_efficient(self._columns["losses"][numbers])
        return [self._observation(number) for number, kept in zip(numbers, efficient, strict=True) if kept]

    def _repr_html_(self) -> str:
        known = f"{len(self._values)} of {len(self._trials)} trials told, {len(self._pending)} pending"
        return card("optimizer", known, *(item._repr_html_() for item in [self.best] if item is not None))

    def history(self) -> History:
        """What an engine is shown; a copy."""
        n = len(self._trials)
        return History(
            numbers=np.arange(n, dtype=np.int64),
            params=tuple(self._params),
            origins=tuple(self._origins),
            outcomes={name: column[:n].copy() for name, column in self._outcomes.items()},
            outcome_bounds=dict(self._bounds),
            **{name: column[:n].copy() for name, column in self._columns.items()},
        )

    def _best_of_earlier(self) -> list[Params]:
        """Points of earlier studies with which the design begins, and which are still to be proposed."""
        if not self._earlier or len(self._trials) >= self._initial:
            return []
        taken = Taken(self._columns["unit"][: len(self._trials)])
        best = best_of_earlier(self._earlier, math.ceil(self._initial / 2))
        return [params for params in best if self.space.to_unit(params) not in taken]

    def _number(
        self, proposals: Sequence[Proposal], engine: str, *, asked_at: float, ask_s: float
    ) -> list[Trial]:
        first, pending = len(self._trials), self.pending
        return [
            Trial(
                number=number,
                params=proposal.params,
                origin=proposal.origin,
                engine=engine,
                acquisition=proposal.acquisition,
                pending=(*pending, *range(first, number)),
                told=len(self._values),
                asked_at=asked_at,
                ask_s=ask_s,
                details=dict(proposal.details or {}),
            )
            for number, proposal in enumerate(proposals, start=first)
        ]

    def _append(self, trial: Trial) -> None:
        n = len(self._trials)
        if n == len(self._columns["unit"]):
            self._columns = {name: _longer(column) for name, column in self._columns.items()}
            self._outcomes = {name: _longer(column) for name, column in self._outcomes.items()}
        self._columns["unit"][n] = self.space.to_unit(trial.params)
        self._trials.append(trial)
        self._params.append(trial.params)
        self._origins.append(trial.origin)
        self._pending[n] = None

    def checked_point(self, params: Params) -> Params:
        """The point as the space writes it; raises SpaceError if it is not in the space."""
        point: Params = self.space.validate(params)
        if not self.space.is_feasible(point):
            broken = ", ".join(map(str, self.space.constraints))
            raise SpaceError(
                f"{dict(point)} does not fulfil the constraints ({broken}); choose a point that does"
            )
        return point

    def _require_pending(self, number: int) -> None:
        if not 0 <= number < len(self._trials):
            raise TrialError(f"there is no trial {number}; {len(self._trials)} were asked, counted from 0")
        if number not in self._pending:
            became = "was told" if number in self._values else "failed"
            raise TrialError(
                f"trial {number} {became} before; a trial ends once, enqueue its point to repeat it"
            )

    def _checked(self, values: float | Mapping[str, float], where: str) -> dict[str, float]:
        if not isinstance(values, Mapping):
            if len(self.objectives) > 1 or self._bounds:
                wanted = ", ".join([*self.objectives, *self._bounds])
                raise TrialError(f"{where}: one number for several results; give them by name: {wanted}")
            values = {next(iter(self.objectives)): values}
        checked = {}
        for name in dict.fromkeys([*self.objectives, *self._bounds, *values]):
            required = name in self.objectives or name in self._bounds
            if name not in values:
                raise TrialError(
                    f"{where}: {name} is missing, it has {', '.join(values) or 'no values'}; tell it too"
                )
            try:
                checked[name] = float(values[name])
            except (TypeError, ValueError, OverflowError) as error:
                raise TrialError(f"{where}: {name} is {values[name]!r}, not a number; convert it") from error
            if required and not math.isfinite(checked[name]):
                raise TrialError(
                    f"{where}: {name} is {checked[name]}; use fail(number) for a trial without a result"
                )
        return checked

    def _losses(self, values: Mapping[str, float]) -> list[float]:
        return [values[name] if way == "minimize" else -values[name] for name, way in self.objectives.items()]

    def _observation(self, number: int) -> Observation:
        return Observation(number, self._trials[number].params, dict(self._values[number]))

    def _feasible_numbers(self) -> list[int]:
        return [number for number in sorted(self._values) if self._is_feasible(self._values[number])]

    def _is_feasible(self, values: Mapping[str, float]) -> bool:
        return all(low <= values[name] <= high for name, (low, high) in self._bounds.items())


def _longer(column: NDArray[Any]) -> NDArray[Any]:
    """Room for as many rows again, at least 16: NaN, or False."""
    more = np.zeros((max(16, len(column)), *column.shape[1:]), dtype=column.dtype)
    return np.concatenate([column, more if column.dtype == bool else more * np.nan])
