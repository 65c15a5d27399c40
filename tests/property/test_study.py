"""The study machine under any order of events, against the promises that people rely on."""

import copy
from collections import Counter
from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st

from asktell.execute.protocol import SlotJoined, SlotLeft, TaskEnded, TaskLost
from asktell.records import (
    Added,
    Asked,
    Closed,
    Ended,
    Enqueued,
    Lost,
    Opened,
    Record,
    Retried,
    StopRequested,
    Submitted,
    Superseded,
    decode,
    encode,
)
from asktell.runtime import RuntimeModel
from asktell.study import (
    POLICIES,
    Ask,
    Budget,
    Finish,
    Policy,
    Release,
    Rules,
    Schedule,
    ScheduleKind,
    StudyMachine,
    Submit,
    Warn,
    replay,
)
from asktell.trial import Cause, Origin, Outcome, Status, Trial

KINDS = st.sampled_from(
    [
        Schedule(ScheduleKind.SEQUENTIAL),
        Schedule(ScheduleKind.BATCH, width=3),
        Schedule(ScheduleKind.ASYNC, width=3),
        Schedule(ScheduleKind.ASYNC, width=3, ahead=1),
        Schedule(ScheduleKind.HYBRID, width=4, k=2),
    ]
)


LIFE_S = 40.0
"""Of a batch job, where an event takes a second: some trials end, and some are cut off."""


class Driver:
    """A loop without a disk: carries out what the machine says and keeps the journal in a list.

    adrift: attempts whose end is not known yet: their slot left, or they outlived an earlier driver.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.journal: list[Record] = []
        self.clock = 0.0
        self.finished: Finish | None = None
        self.on_slots: dict[str, list[tuple[int, int]]] = {}
        self.adrift: list[tuple[int, int]] = []
        self.n_slots = 0
        self.restart()

    def restart(self, n_spared: int = 0) -> None:
        """The driver dies and another one replays; local workers die with it, a few in batch jobs do not."""
        self.machine = replay(self.rules, self.journal, RuntimeModel())
        spare = sorted(self.machine.running)[:n_spared]
        self.on_slots.clear()
        self.finished = None
        self.commit([Opened(token=1, at=self.tick())])
        self.commit(self.machine.abandon(self.tick(), spare))
        self.adrift = sorted(self.machine.running)
        assert self.adrift == spare
        self.act()

    def tick(self) -> float:
        self.clock += 1.0
        return self.clock

    def commit(self, records: list[Record]) -> None:
        for record in records:
            self.journal.append(decode(encode(record)))
            self.machine.apply(record)

    def happen(self, event: SlotJoined | SlotLeft | TaskEnded | TaskLost) -> None:
        if self.finished is None:
            self.commit(self.machine.on(event, self.tick()))
            self.act()

    def act(self) -> None:
        while commands := self.machine.plan(self.clock):
            for command in commands:
                match command:
                    case Ask(count):
                        first = len(self.machine.trials)
                        trials = tuple(Trial(first + i, {"x": 0.5}) for i in range(count))
                        self.commit([Asked(trials, self.tick())])
                    case Submit(number, attempt, slot):
                        assert slot in self.on_slots, "submitted to a slot that is not there"
                        self.commit(
                            [Submitted(number, attempt, slot, self.tick(), token=f"{number}/{attempt}")]
                        )
                        self.on_slots[slot].append((number, attempt))
                    case Release(slot):
                        assert not self.on_slots.pop(slot), "released a slot that has something to do"
                        self.machine.done(command)
                    case Warn():
                        self.machine.done(command)
                    case Finish():
                        self.finished = command
                        return

    def join(self, life_s: float | None = None) -> None:
        """A local slot, or one in a batch job that ends."""
        self.n_slots += 1
        slot = f"slot-{self.n_slots}"
        self.on_slots[slot] = []
        if life_s is None:
            self.happen(SlotJoined(slot))
        else:
            self.happen(SlotJoined(slot, job=f"job-{slot}", ends_at=self.clock + life_s))

    def leave(self, slot: str, *, losses_follow: bool = False) -> None:
        tasks = self.on_slots.pop(slot)
        if losses_follow:
            self.adrift += tasks
        self.happen(SlotLeft(slot, losses_follow=losses_follow))

    def explain(self, cause: Cause) -> None:
        """What became of the first of those that are adrift."""
        self.happen(TaskLost(*self.adrift.pop(0), cause=cause))

    def end(self, slot: str, outcome: Outcome) -> None:
        self.happen(_report(self.on_slots[slot].pop(0), outcome))

    def lose(self, slot: str) -> None:
        self.happen(TaskLost(*self.on_slots[slot].pop(0)))


def _report(key: tuple[int, int], outcome: Outcome) -> TaskEnded:
    return TaskEnded(*key, outcome, token=f"{key[0]}/{key[1]}")


def _state(machine: StudyMachine) -> dict[str, object]:
    """All of a machine's state but what only a live driver knows."""
    ephemeral = {"rules", "slots", "is_exhausted", "_placement", "_runtime", "_spared", "_ran_s", "_warned"}
    state = {name: value for name, value in vars(machine).items() if name not in ephemeral}
    state["trials"] = {
        number: tuple(getattr(trial, item.name) for item in fields(trial))
        for number, trial in machine.trials.items()
    }
    state["_open"] = sorted(machine._open)
    return state


OUTCOMES = st.sampled_from(
    [
        Outcome(Status.COMPLETED, values={"y": 1.0}, duration_s=1.0),
        Outcome(Status.COMPLETED, values={"y": -2.5}, duration_s=2.0),
        Outcome(Status.FAILED, Cause.OBJECTIVE_ERROR, "ValueError: no", duration_s=1.0),
        Outcome(Status.FAILED, Cause.WORKER_LOST, "the supervisor was killed"),
    ]
)
CAUSES = sorted(POLICIES)
STEP_NAMES = [
    "join",
    "batch",
    "leave",
    "vanish",
    "explain",
    "harvest",
    "lose",
    "again",
    "restart",
    *["end"] * 4,
]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(STEP_NAMES),
        st.integers(0, 7),
        OUTCOMES,
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(
    schedule=KINDS,
    retries=st.integers(0, 2),
    policies=st.dictionaries(st.sampled_from(CAUSES), st.sampled_from(Policy), max_size=3),
    steps=STEPS,
)
def test_any_order_of_events_keeps_the_promises(
    schedule: Schedule,
    retries: int,
    policies: dict[Cause, Policy],
    steps: list[tuple[str, int, Outcome]],
) -> None:
    trials = 9
    rules = Rules(
        {"y": 1},
        schedule=schedule,
        budget=Budget(trials=trials),
        retries=retries,
        policies={**POLICIES, **policies},
        walltime_s=LIFE_S,
    )
    driver = Driver(rules)
    heard: list[TaskEnded] = []
    for step, pick, outcome in steps:
        busy = [slot for slot, tasks in driver.on_slots.items() if tasks]
        slots = sorted(driver.on_slots)
        match step:
            case "join" if len(slots) < 4:
                driver.join()
            case "batch" if len(slots) < 4:
                driver.join(LIFE_S)
            case "restart":
                driver.restart(n_spared=pick % 3)
            case "leave" | "vanish" if slots:
                driver.leave(slots[pick % len(slots)], losses_follow=step == "vanish")
            case "explain" if driver.adrift:
                driver.explain(CAUSES[pick % len(CAUSES)])
            case "harvest" if driver.adrift:
                driver.happen(_report(driver.adrift.pop(0), outcome))
            case "lose" if busy:
                driver.lose(busy[pick % len(busy)])
            case "end" if busy:
                slot = busy[pick % len(busy)]
                heard.append(_report(driver.on_slots[slot][0], outcome))
                driver.end(slot, outcome)
            case "again" if heard:
                driver.happen(heard[pick % len(heard)])
        _check(driver, trials)
    _drain(driver)
    _check(driver, trials)
    assert driver.finished is not None
    assert driver.finished.done
    assert len(driver.machine.trials) == trials
    assert all(state.status.is_terminal for state in driver.machine.trials.values())


def _drain(driver: Driver) -> None:
    """From here on everything goes well."""
    if driver.finished is not None and not driver.finished.done:
        driver.restart()  # too many losses in a row
    while driver.finished is None:
        if driver.adrift:
            driver.explain(Cause.NODE_FAILURE)
        elif not driver.on_slots:
            driver.join()
        for slot in [slot for slot, tasks in driver.on_slots.items() if tasks]:
            if driver.finished is None and driver.on_slots.get(slot):
                driver.end(slot, Outcome(Status.COMPLETED, values={"y": 0.0}))
        if driver.finished is None and not any(driver.on_slots.values()):
            driver.join()


def _check(driver: Driver, trials: int) -> None:
    machine = driver.machine
    ends = Counter(record.number for record in driver.journal if isinstance(record, Ended))
    assert all(count == 1 for count in ends.values()), "a trial ended twice"
    assert len(machine.trials) <= trials
    open_numbers = [number for number, state in machine.trials.items() if not state.status.is_terminal]
    assert open_numbers == list(machine._open)
    adrift = set(driver.adrift)
    loads = Counter(task.slot for key, task in machine.running.items() if key not in adrift)
    assert sum(loads.values()) == sum(map(len, driver.on_slots.values())) or driver.finished is not None
    assert all(load <= machine.rules.schedule.depth for load in loads.values())
    if driver.finished is None and machine.rules.schedule.kind is ScheduleKind.ASYNC:
        waiting = [state for state in machine.trials.values() if state.status is Status.WAITING]
        idle = [slot for slot in machine.slots.values() if loads[slot.slot] == 0]
        is_full = len(waiting) >= machine.rules.schedule.width
        assert not idle or machine.n_counted == trials or is_full, "a slot idles while budget is left"
        assert not waiting or all(slot.ends_at is not None for slot in idle), "a trial waits beside a slot"
        if machine.n_counted == trials:
            assert not any(slot.job for slot in idle), "a job is kept for nothing"
    if machine.rules.schedule.kind is ScheduleKind.SEQUENTIAL:
        assert len(open_numbers) <= 1
    if machine.rules.schedule.kind is ScheduleKind.HYBRID:
        assert len(open_numbers) <= machine.rules.schedule.width
    assert _state(replay(driver.rules, driver.journal)) == _state(machine)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_replaying_any_prefix_gives_the_state_after_it(data: st.DataObject) -> None:
    journal: list[Record] = [Opened(1, 0.0)]
    machine = StudyMachine(Rules({"y": 1}, budget=Budget(trials=3)))
    states = [copy.deepcopy(_state(machine))]
    journal += [
        Enqueued({"x": 1.0}, 1.0, "user:0"),
        Asked((Trial(0, {"x": 1.0}, Origin.QUEUED), Trial(1, {"x": 0.5})), 2.0),
        Submitted(0, 0, "a", 3.0),
        Submitted(1, 0, "b", 3.0),
        Retried(0, 0, Outcome(Status.FAILED, Cause.TIMEOUT, duration_s=4.0), 7.0),
        Lost(1, 0, Cause.WORKER_LOST, True, 8.0),
        Added(
            Trial(2, {"x": 0.1}, Origin.ADDED), Outcome(Status.COMPLETED, values={"y": 0.3}), 9.0, "user:9"
        ),
        Submitted(1, 1, "c", 10.0),
        Ended(1, 1, Outcome(Status.COMPLETED, values={"y": 0.2}, duration_s=2.0), 12.0),
        Superseded(1, 0, Outcome(Status.COMPLETED, values={"y": 0.2}), 13.0),
        StopRequested(14.0),
        Closed(15.0, "stopped", False),
    ]
    for record in journal:
        machine.apply(record)
        states.append(copy.deepcopy(_state(machine)))
    cut = data.draw(st.integers(0, len(journal)))
    assert _state(replay(machine.rules, journal[:cut])) == states[cut]
