"""Which free slot takes which waiting trial, and which slots can take nothing more.

left   seconds until a slot's job ends, once what is on it is done; infinite where it does not end
need   seconds that a trial must be given: the upper end of its predicted runtime, and a margin
full   seconds that a slot has when it joins, as far as the last ones tell
fresh  a slot with nearly all of `full` left: a trial that needs more will find no better one
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from asktell.execute.protocol import SlotJoined
from asktell.runtime import Runtime, RuntimeModel
from asktell.study.rules import Rules
from asktell.study.state import TrialState
from asktell.trial import Cause

MARGIN_S, MARGIN_SHARE = 5.0, 0.02
"""What is kept free at the end of a job: clocks differ, results take their time to be written."""

WHOLE = 0.9
"""The share of a job that is as good as all of it."""

_LEAST_FULL = 0.75  # of the walltime: workers left by an earlier driver tell nothing of what a new job has
_CUT_MEDIAN, _CUT_HIGH = 1.25, 1.5  # what a trial is expected to take that was cut off at 1


@dataclass(frozen=True, slots=True)
class Place:
    """Room for one task. behind: what it would have to wait for on the slot."""

    slot: SlotJoined
    behind: Sequence[TrialState] = ()


class Placement:
    """Holds slots that end against a model of runtimes."""

    def __init__(self, rules: Rules, runtime: RuntimeModel | None) -> None:
        self._rules = rules
        self._runtime = runtime
        self._lives: deque[float] = deque(maxlen=2 * rules.schedule.width)
        self._estimates: dict[int, Runtime | None] = {}
        self._version = -1

    def join(self, slot: SlotJoined, at: float) -> None:
        """Note how long a new slot has."""
        if slot.ends_at is not None:
            self._lives.append(slot.ends_at - at)

    def learn(self, state: TrialState, cause: Cause, ran_s: float = 0.0) -> None:
        """An attempt of this trial ended after `ran_s`; what its walltime cut off before is in its state."""
        is_whole = cause not in (Cause.WALLTIME, Cause.OBJECTIVE_ERROR, Cause.OUT_OF_MEMORY)
        if cause is Cause.WALLTIME or (ran_s > 0 and self._rules.has_checkpoints):
            ran_s += state.ran_s
        if self._runtime is None or ran_s <= 0:
            return
        if is_whole:
            self._runtime.add(state.trial.params, ran_s)
        else:  # it might have run for longer
            self._runtime.add_censored(state.trial.params, ran_s)

    def assign(
        self, waiting: Iterable[TrialState], places: Iterable[Place], at: float
    ) -> list[tuple[TrialState, str]]:
        """Trials and their slots.

        Slots that end choose before others, and those that end first before all: each takes the longest
        trial that it will outlive. Slots that do not end take trials in the order of their numbers.
        """
        rest = list(waiting)
        found: list[tuple[TrialState, str]] = []
        taken: dict[str, float] = {}
        for place in sorted(places, key=lambda place: self.left_s(place, at)):
            if not rest:
                break
            name = place.slot.slot
            left_s = self.left_s(place, at) - taken.get(name, 0.0)
            is_fresh = not place.behind and name not in taken and self._is_fresh(left_s)
            state = self._choose(rest, left_s, is_fresh=is_fresh)
            if state is not None:
                rest.remove(state)
                found.append((state, name))
                taken[name] = taken.get(name, 0.0) + self.need_s(state)
        return found

    def _choose(self, rest: Sequence[TrialState], left_s: float, *, is_fresh: bool) -> TrialState | None:
        if left_s == math.inf:
            return rest[0]
        fitting = rest if is_fresh else [state for state in rest if self.need_s(state) <= left_s]
        return max(fitting, key=self.need_s, default=None)

    def is_spent(self, place: Place, at: float) -> bool:
        """Not even a short trial would come to its end here."""
        left_s = self.left_s(place, at)
        if left_s == math.inf or self._is_fresh(left_s):
            return False
        short_s = self._runtime.short_s() if self._runtime is not None else None
        return left_s < _with_margin(self._least(short_s))

    def leaving(
        self,
        free: Iterable[Place],
        usable: Container[Place],
        at: float,
        *,
        spares: int | None,
        n_stuck: int,
    ) -> Sequence[str]:
        """Idle slots that are of no more use: no trial fits them, or none will come.

        usable: those that are not spent; spares: how many are kept when no more points are asked, None
        while they are; n_stuck: trials that fit no free slot, and wait for slots with more time, which
        take the place of as many with too little.
        """
        idle = [place for place in free if not place.behind]
        kept = [place for place in idle if place in usable]
        going = [place for place in idle if place not in usable]
        if spares is not None:
            ours = [place for place in kept if place.slot.job]
            going += sorted(ours, key=lambda place: self.left_s(place, at), reverse=True)[spares:]
        else:
            ending = [place for place in kept if self.left_s(place, at) < math.inf]
            going += sorted(ending, key=lambda place: self.left_s(place, at))[:n_stuck]
        return list(dict.fromkeys(place.slot.slot for place in going))

    def is_endangered(self, state: TrialState, slot: SlotJoined, began_at: float) -> bool:
        """Its job may end before this running trial does."""
        return slot.ends_at is not None and began_at + self.need_s(state) > slot.ends_at

    def left_s(self, place: Place, at: float) -> float:
        if place.slot.ends_at is None or not self._rules.is_walltime_aware:
            return math.inf
        return place.slot.ends_at - at - sum(map(self.need_s, place.behind))

    def need_s(self, state: TrialState) -> float:
        estimate = self.estimate(state)
        return _with_margin(self._least(estimate.high_s if estimate is not None else None))

    def estimate(self, state: TrialState) -> Runtime | None:
        """How long the next attempt of this trial will run; None where nothing is known."""
        number = state.trial.number
        if self._runtime is not None and self._version != self._runtime.version:
            self._version = self._runtime.version
            self._estimates.clear()
        if number not in self._estimates:
            self._estimates[number] = (
                self._runtime.estimate(state.trial.params) if self._runtime is not None else None
            )
        found = self._estimates[number]
        return found if not state.ran_s else self._after_cut(found, state.ran_s)

    def _after_cut(self, found: Runtime | None, ran_s: float) -> Runtime | None:
        if not self._rules.has_checkpoints:
            least = Runtime(_CUT_MEDIAN * ran_s, ran_s, _CUT_HIGH * ran_s)
            if found is None:
                return least
            return Runtime(
                max(found.median_s, least.median_s),
                max(found.low_s, least.low_s),
                max(found.high_s, least.high_s),
            )
        if found is None:
            return None
        return Runtime(
            max(0.0, found.median_s - ran_s), max(0.0, found.low_s - ran_s), max(0.0, found.high_s - ran_s)
        )

    def too_long(self, state: TrialState) -> str:
        """What to tell people if hardly any attempt of this trial would end within a whole job, or ''."""
        estimate, walltime_s = self.estimate(state), self._rules.walltime_s
        if not self._rules.is_walltime_aware or self._rules.has_checkpoints:
            return ""
        if estimate is None or walltime_s is None or self._least(estimate.low_s) <= walltime_s:
            return ""
        return (
            f"it is likely to take {estimate.median_s:.0f} s, longer than cluster.walltime "
            f"({walltime_s:.0f} s): it gets a whole job, and fails if that is not enough. Give jobs a longer "
            "walltime, or let it save checkpoints (evaluate.checkpoint_signal)"
        )

    def is_whole(self, ran_s: float) -> bool:
        """An attempt that has run for so long has had a job to itself."""
        full_s = max(self._lives, default=0.0)
        if len(self._lives) <= self._rules.schedule.width:
            full_s = max(full_s, self._rules.walltime_s or math.inf)
        return ran_s >= WHOLE * full_s

    def _is_fresh(self, left_s: float) -> bool:
        full_s = max(self._lives, default=0.0)
        if len(self._lives) <= self._rules.schedule.width:
            full_s = max(full_s, _LEAST_FULL * (self._rules.walltime_s or 0.0))
        return left_s >= WHOLE * full_s

    def _least(self, seconds: float | None) -> float:
        """Seconds of a runtime, which a timeout cuts short; without any knowledge, 0."""
        timeout_s = self._rules.timeout_s
        if seconds is not None:
            return min(seconds, timeout_s) if timeout_s is not None else seconds
        known = timeout_s is not None and timeout_s < (self._rules.walltime_s or 0.0)
        return timeout_s if known and timeout_s is not None else 0.0


def places(
    slots: Mapping[str, SlotJoined], loads: Mapping[str, Sequence[TrialState]], depth: int
) -> list[Place]:
    """Room for tasks in the order in which to fill it: `depth` tasks on each slot."""
    return [
        Place(slot, loads[name])
        for level in range(depth)
        for name, slot in slots.items()
        if len(loads[name]) <= level
    ]


def _with_margin(seconds: float) -> float:
    return seconds * (1 + MARGIN_SHARE) + MARGIN_S
