"""The simulation against what can be worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from asktell.errors import AsktellError
from asktell.simulation.functions import FUNCTIONS, TestFunction
from asktell.simulation.laws import parse_law
from asktell.simulation.play import Cell, ClusterModel, play
from asktell.space import Integer, Space
from asktell.study import Schedule, ScheduleKind

BRANIN = FUNCTIONS["branin"]
AT_ONCE = parse_law("0s", BRANIN.space, may_be_zero=True)
NOW = ClusterModel(AT_ONCE, AT_ONCE)


def cell(schedule: Schedule, runtime: str = "10min", trials: int = 24) -> Cell:
    law = parse_law(runtime, BRANIN.space)
    return Cell(
        function=BRANIN, engine="sobol", schedule=schedule, seed=0, trials=trials, runtime=law, cluster=NOW
    )


def test_constant_runtimes_take_as_many_rounds_as_there_are_trials_by_workers() -> None:
    for kind, workers, rounds in [("sequential", 1, 24), ("batch", 4, 6), ("async", 4, 6), ("async", 5, 5)]:
        played = play(cell(Schedule(ScheduleKind(kind), workers)))
        assert played.makespan_s == pytest.approx(rounds * 600)
        assert len(played.regret) == 24


def test_async_leaves_no_worker_idle_and_batch_waits_for_its_slowest() -> None:
    busy = {}
    for kind in ("async", "batch"):
        played = play(cell(Schedule(ScheduleKind(kind), 16), "lognormal(20min, 15min)", trials=160))
        busy[kind] = played.busy_s / played.live_s
    assert busy["async"] >= 0.99
    assert busy["batch"] < 0.7


def test_the_same_seed_plays_the_same_study() -> None:
    wanted = cell(Schedule(ScheduleKind.ASYNC, 3), "lognormal(20min, 15min)")
    assert play(wanted).ended_s == play(wanted).ended_s
    assert play(wanted).ended_s != play(replace(wanted, seed=1)).ended_s


def test_jobs_that_end_are_replaced_after_a_wait_and_the_model_avoids_losses() -> None:
    cluster = replace(NOW, walltime_s=3600.0, queue=parse_law("5min", BRANIN.space))
    wanted = replace(cell(Schedule(ScheduleKind.ASYNC, 4), "uniform(10min, 25min)", 80), cluster=cluster)
    aware, blind = play(wanted), play(replace(wanted, is_walltime_aware=False))
    assert len(aware.ended_s) == len(blind.ended_s) == 80
    assert blind.n_lost > 10
    assert aware.n_lost < blind.n_lost / 4
    assert aware.live_s < blind.live_s


def test_a_start_up_takes_from_the_walltime_and_is_paid_for() -> None:
    """Jobs of 60 min, 25 of them to start up: one trial of 20 min each; what is left fits none."""
    cluster = replace(NOW, walltime_s=3600.0, startup=parse_law("25min", BRANIN.space))
    timed = replace(cell(Schedule(ScheduleKind.SEQUENTIAL, 1), "20min", 6), cluster=cluster)
    played = play(timed)
    assert played.ended_s[0] == pytest.approx(45 * 60)
    assert played.spent_s[0] == pytest.approx(45 * 60)
    assert played.busy_s == pytest.approx(6 * 1200)
    assert played.live_s == pytest.approx(6 * 45 * 60)
    with pytest.raises(AsktellError, match="start up"):
        play(replace(timed, cluster=replace(cluster, startup=parse_law("2h", BRANIN.space))))


def test_a_space_of_few_points_ends_the_study_with_a_reason() -> None:
    small = TestFunction("small", Space({"n": Integer(1, 5)}), lambda params, rng: {"loss": 1.0}, 1.0)
    played = play(replace(cell(Schedule(ScheduleKind.ASYNC, 2)), function=small))
    assert played.regret == [0.0] * 5
    assert "every point of the space was proposed" in played.reason


def test_failures_and_crashes_end_no_study_early() -> None:
    cluster = replace(NOW, crash_every_s=3600.0, failure_rate=0.2)
    played = play(replace(cell(Schedule(ScheduleKind.ASYNC, 4), "20min", 60), cluster=cluster))
    failed = sum(math.isnan(value) for value in played.regret)
    assert len(played.ended_s) == 60
    assert played.n_failed == failed
    assert 3 <= failed <= 25
    assert played.n_lost > 0


def test_charged_proposals_take_time_on_the_clock() -> None:
    wanted = replace(cell(Schedule(ScheduleKind.SEQUENTIAL, 1), "1s", 16), engine="gp", initial=4)
    free, charged = play(wanted), play(replace(wanted, is_charged=True))
    assert free.makespan_s == pytest.approx(16.0)
    assert charged.makespan_s > 16.0 + 0.5 * charged.ask_s


def test_several_objectives_leave_a_front() -> None:
    zdt1 = FUNCTIONS["zdt1"]
    law = parse_law("10min", zdt1.space)
    schedule = Schedule(ScheduleKind.ASYNC, 2)
    played = play(
        Cell(function=zdt1, engine="random", schedule=schedule, seed=0, trials=12, runtime=law, cluster=NOW)
    )
    assert np.isnan(played.regret).all()
    assert np.shape(played.losses) == (12, 2)
