"""Who may take which trial, as it shows in the commands of a study."""

from __future__ import annotations

from dataclasses import replace

from asktell.execute.protocol import SlotJoined, SlotLeft, TaskEnded, TaskLost
from asktell.records import Asked, Ended, Lost, Opened, Submitted
from asktell.runtime import RuntimeModel
from asktell.space import Real, Space
from asktell.study import Ask, Budget, Command, Finish, Release, Rules, Schedule, StudyMachine, Submit, Warn
from asktell.trial import Cause, Outcome, Status, Trial

WALLTIME_S = 3600.0
RULES = Rules(
    {"y": 1}, schedule=Schedule(width=2), budget=Budget(trials=100), walltime_s=WALLTIME_S, max_lost=3
)


def _taught(rules: Rules = RULES, *, finished: int = 40) -> StudyMachine:
    """A study that knows: a trial takes 1000 s times its `x`."""
    runtime = RuntimeModel(Space({"x": Real(0.1, 10.0, log=True)}))
    machine = StudyMachine(rules, runtime)
    machine.apply(Opened(1, 0.0))
    for number in range(finished):
        x = 0.1 * 40.0 ** (number / (finished - 1))
        machine.apply(Asked((Trial(number, {"x": x}),), 0.0))
        machine.apply(Submitted(number, 0, "earlier", 0.0))
        outcome = Outcome(Status.COMPLETED, values={"y": x}, started_at=1.0, duration_s=1000.0 * x)
        machine.apply(Ended(number, 0, outcome, 0.0))
    return machine


def _ask(machine: StudyMachine, *xs: float) -> list[int]:
    first = len(machine.trials)
    machine.apply(Asked(tuple(Trial(first + i, {"x": x}) for i, x in enumerate(xs)), 0.0))
    return list(range(first, first + len(xs)))


def _join(machine: StudyMachine, name: str, left_s: float | None, at: float = 0.0) -> None:
    ends_at = None if left_s is None else at + left_s
    machine.on(SlotJoined(name, job=f"job-{name}", ends_at=ends_at), at)


def _submit(machine: StudyMachine, commands: list[Command], at: float = 0.0) -> None:
    for command in commands:
        assert isinstance(command, Submit)
        machine.apply(Submitted(command.number, command.attempt, command.slot, at, token="t"))


def test_a_slot_takes_the_longest_trial_that_it_outlives() -> None:
    machine = _taught()
    _join(machine, "fresh", WALLTIME_S)
    _join(machine, "old", 1500.0)
    short, middle, long = _ask(machine, 0.3, 1.0, 2.5)
    assert machine.plan(0.0) == [Submit(middle, 0, "old"), Submit(long, 0, "fresh")]
    _submit(machine, machine.plan(0.0))
    assert machine.trials[short].status is Status.WAITING


def test_a_trial_too_long_for_the_free_slots_waits_and_another_is_asked() -> None:
    machine = _taught()
    _join(machine, "fresh", WALLTIME_S)
    _ask(machine, 3.0)
    _submit(machine, machine.plan(0.0))
    _join(machine, "old", 1500.0)
    _ask(machine, 2.0)
    assert machine.plan(0.0) == [Ask(1, joint=False)]
    (shorter,) = _ask(machine, 1.0)
    assert machine.plan(0.0) == [Submit(shorter, 0, "old")]


def test_no_more_than_w_trials_wait_for_better_slots() -> None:
    machine = _taught()
    _join(machine, "fresh", WALLTIME_S)
    _ask(machine, 3.0)
    _submit(machine, machine.plan(0.0))
    _join(machine, "old", 1500.0)
    _ask(machine, 2.0, 2.0)
    assert machine.plan(0.0) == [Release("old")]  # a slot with more time shall take its place


def test_a_slot_too_short_for_anything_drains_and_is_released_once() -> None:
    machine = _taught()
    _join(machine, "fresh", WALLTIME_S)
    _ask(machine, 3.0)
    _submit(machine, machine.plan(0.0))
    _join(machine, "old", 100.0)
    commands = machine.plan(0.0)
    assert commands == [Release("old")]
    machine.done(commands[0])  # type: ignore[arg-type]
    assert machine.plan(0.0) == []
    assert machine.on(SlotLeft("old"), 1.0) == []


def test_without_knowledge_or_without_an_end_every_slot_takes_every_trial() -> None:
    for machine, left_s in (
        (StudyMachine(RULES, RuntimeModel()), 100.0),
        (_taught(), None),
        (_taught(replace(RULES, is_walltime_aware=False)), 10.0),
    ):
        _join(machine, "a", left_s)
        (number,) = _ask(machine, 3.0)
        assert machine.plan(0.0) == [Submit(number, 0, "a")]


def test_before_any_has_finished_a_timeout_is_the_longest_that_a_trial_takes() -> None:
    machine = StudyMachine(replace(RULES, timeout_s=600.0), RuntimeModel())
    _join(machine, "fresh", WALLTIME_S)
    _ask(machine, 1.0)
    _submit(machine, machine.plan(0.0))
    _join(machine, "old", 500.0)
    assert machine.plan(0.0) == [Release("old")]


def test_a_trial_too_long_for_any_walltime_is_said_once_and_gets_a_whole_job() -> None:
    machine = _taught()
    _join(machine, "old", 3000.0)
    (number,) = _ask(machine, 9.0)
    warning = machine.plan(0.0)[0]
    assert isinstance(warning, Warn)
    assert warning.number == number
    assert "cluster.walltime" in warning.text
    assert "checkpoint" in warning.text
    machine.done(warning)
    _join(machine, "fresh", WALLTIME_S)
    assert machine.plan(0.0) == [Submit(number, 0, "fresh")]
    _submit(machine, machine.plan(0.0))
    machine.on(SlotLeft("fresh", "gone", losses_follow=True), WALLTIME_S - 5)
    lost, ended = machine.on(TaskLost(number, 0, "its job ended", Cause.WALLTIME), WALLTIME_S + 30)
    assert isinstance(lost, Lost)
    assert lost.ran_s == WALLTIME_S - 5  # not until the reason was known
    assert isinstance(ended, Ended)
    assert ended.outcome.cause is Cause.WALLTIME
    assert "cluster.walltime" in ended.outcome.error


def test_with_checkpoints_it_goes_on_in_the_next_job() -> None:
    machine = _taught(replace(RULES, has_checkpoints=True))
    (number,) = _ask(machine, 8.0)
    for attempt in range(3):
        name, at = f"job-{attempt}", attempt * WALLTIME_S
        _join(machine, name, WALLTIME_S, at)
        assert machine.plan(at)[0] == Submit(number, attempt, name)
        _submit(machine, machine.plan(at)[:1], at)
        machine.on(SlotLeft(name, losses_follow=True), at + WALLTIME_S)
        records = machine.on(TaskLost(number, attempt, "", Cause.WALLTIME), at + WALLTIME_S)
        assert [type(record) for record in records] == [Lost]
        for record in records:
            machine.apply(record)
    estimate = machine.estimate(number)
    assert estimate is not None
    assert estimate.median_s < 0.1 * WALLTIME_S  # three hours of it are done


def test_what_its_walltime_cut_off_is_given_more_time() -> None:
    machine = _taught()
    _join(machine, "old", 1500.0)
    (number,) = _ask(machine, 1.0)
    _submit(machine, machine.plan(0.0))
    machine.on(SlotLeft("old", losses_follow=True), 1500.0)
    for record in machine.on(TaskLost(number, 0, "", Cause.WALLTIME), 1500.0):
        machine.apply(record)
    _join(machine, "again", 1600.0, 1500.0)
    assert not any(isinstance(item, Submit) for item in machine.plan(1500.0))
    _join(machine, "fresh", WALLTIME_S, 1500.0)
    assert Submit(number, 1, "fresh") in machine.plan(1500.0)


def test_idle_slots_of_batch_jobs_go_when_the_budget_is_used() -> None:
    machine = _taught(replace(RULES, budget=Budget(trials=42)))
    for name in ("a", "b", "c"):
        _join(machine, name, WALLTIME_S)
    machine.on(SlotJoined("local"), 0.0)
    assert machine.wanted_slots(0.0) == 2
    _ask(machine, 1.0, 1.0)
    _submit(machine, machine.plan(0.0))
    commands = machine.plan(0.0)
    assert commands == [Release("c")]
    machine.done(commands[0])  # type: ignore[arg-type]
    assert machine.plan(0.0) == []
    done = Outcome(Status.COMPLETED, values={"y": 1.0}, started_at=1.0, duration_s=1000.0)
    for number in (40, 41):
        assert machine.wanted_slots(0.0) == 0  # both trials have a slot that outlives them
        for record in machine.on(TaskEnded(number, 0, done, "t"), 1000.0):
            machine.apply(record)
    assert machine.wanted_slots(1000.0) == 0
    assert isinstance(machine.plan(1000.0)[0], Finish)


def test_a_spare_slot_is_kept_for_a_last_trial_that_its_job_may_not_outlive() -> None:
    machine = _taught(replace(RULES, budget=Budget(trials=41), is_walltime_aware=False))
    _join(machine, "old", 500.0)
    (number,) = _ask(machine, 1.0)
    _submit(machine, machine.plan(0.0))
    assert machine.wanted_slots(0.0) == 1
    _join(machine, "successor", WALLTIME_S, 10.0)
    assert machine.plan(10.0) == []
    _join(machine, "another", WALLTIME_S, 10.0)
    (release,) = machine.plan(10.0)
    assert release in (Release("successor"), Release("another"))
    machine.on(SlotLeft("old", losses_follow=True), 500.0)
    for record in machine.on(TaskLost(number, 0, "", Cause.WALLTIME), 500.0):
        machine.apply(record)
    assert isinstance(machine.plan(500.0)[0], Submit)


def test_attempts_that_outlive_their_driver_keep_no_slot_and_are_not_run_again() -> None:
    machine = _taught()
    _join(machine, "a", WALLTIME_S)
    (number,) = _ask(machine, 1.0)
    _submit(machine, machine.plan(0.0))
    machine.slots.clear()
    assert machine.abandon(10.0, {(number, 0)}) == []
    _join(machine, "a", WALLTIME_S, 10.0)  # a new worker at the address of the old one
    assert machine.plan(10.0) == [Ask(1, joint=False)]
    assert machine.on(SlotLeft("a"), 11.0) == []
    (lost,) = machine.on(TaskLost(number, 0, "no sign of life", Cause.DRIVER_LOST, counts=False), 60.0)
    machine.apply(lost)
    assert machine.trials[number].status is Status.WAITING
