"""Whole studies in this process: schedules, budgets, stopping, resuming, asking and telling by hand."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import studies
import xarray as xr

import asktell
from asktell.errors import ConfigError, SpaceError, StudyError, StudyLocked, TrialError
from asktell.execute.protocol import Task
from asktell.execute.virtual import VirtualExecutor
from asktell.journal import Segment, replay_driver
from asktell.records import Asked, Ended, Enqueued, StopRequested
from asktell.session import Session
from asktell.store import verify
from asktell.trial import Cause, Outcome, Status


def _quadratic(task: Task) -> Outcome:
    x, y = float(task.params["x"]), float(task.params["y"])
    if x > 0.95:
        return Outcome(Status.FAILED, Cause.OBJECTIVE_ERROR, error="ValueError: too far out")
    return Outcome(Status.COMPLETED, values={"f": (x - 0.3) ** 2 + (y - 0.6) ** 2})


def _virtual(slots: int = 3) -> Callable[[Session], VirtualExecutor]:
    return lambda _: VirtualExecutor(
        _quadratic, lambda task: 10.0 + 50.0 * float(task.params["x"]), slots=slots, start_at=time.time()
    )


def _study(tmp_path: Path, *changes: str, engine: str = "random", trials: int = 30) -> asktell.Study:
    file = studies.write_study(tmp_path, trials=trials, engine=engine, workers=3)
    return asktell.Study.create(file, tmp_path / "s", overrides=changes)


@pytest.mark.parametrize("schedule", ["sequential", "batch", "async", "{hybrid: 2}"])
def test_every_schedule_ends_with_all_trials_in_the_store(schedule: str, tmp_path: Path) -> None:
    study = _study(tmp_path, f"schedule={schedule}")
    assert study.run(executor=_virtual()).done
    ds = asktell.open(study.path)
    assert sorted(ds.trial.values.tolist()) == list(range(30))
    assert not [item for item in verify(study.path) if item.is_problem]
    pending = [len(item.split(",")) if item else 0 for item in ds.sortby("trial").pending.values]
    most = {"sequential": 0, "batch": 2, "async": 2, "{hybrid: 2}": 2}[schedule]
    assert max(pending) == most
    groups = [len(r.trials) for r in replay_driver(study.path / "journal") if isinstance(r, Asked)]
    expected = {"sequential": {1}, "batch": {3}, "async": {3, 2, 1}, "{hybrid: 2}": {3, 2, 1}}[schedule]
    assert set(groups) <= expected


def test_async_keeps_every_slot_busy(tmp_path: Path) -> None:
    study = _study(tmp_path, trials=60)
    executor = _virtual()(None)  # type: ignore[arg-type]
    start = executor.now()
    study.run(executor=lambda _: executor)
    assert executor.busy_s / (3 * (executor.now() - start)) > 0.9


def test_failures_are_rows_with_their_cause_and_never_the_best(tmp_path: Path) -> None:
    study = _study(tmp_path, trials=60)
    study.run(executor=_virtual())
    ds = asktell.open(study.path)
    failed = ds.isel(trial=ds.status.values == 1)
    assert failed.sizes["trial"] == (ds.x > 0.95).sum() > 0
    assert np.isnan(failed.f).all()
    assert all("too far out" in text for text in failed.error.values)
    best = json.loads((study.path / "best.json").read_text())
    assert best["values"]["f"] == float(ds.f.min())


def test_a_target_patience_or_core_hours_end_a_study_early(tmp_path: Path) -> None:
    for name, change in {
        "target": "budget.target=0.1",
        "patience": "budget.patience=5",
        "hours": "budget.core_hours=0.05",
        "wall": "budget.wall_time=2min",
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        study = _study(folder, change, trials=500)
        closed = study.run(executor=_virtual())
        assert closed.done
        assert asktell.open(study.path).sizes["trial"] < 100, (name, closed.reason)


def test_a_finished_study_is_extended_and_keeps_its_rows(tmp_path: Path) -> None:
    study = _study(tmp_path, trials=10)
    study.run(executor=_virtual())
    before = asktell.open(study.path).load()
    assert asktell.Study(study.path).run(trials=15, executor=_virtual()).done
    after = asktell.open(study.path).load()
    assert after.sizes["trial"] == 15
    xr.testing.assert_identical(before.drop_attrs(), after.isel(trial=slice(10)).drop_attrs())
    assert asktell.Study(study.path).config.budget.trials == 15


def test_sixteen_pending_trials_are_never_proposed_again(tmp_path: Path) -> None:
    study = _study(
        tmp_path, "cluster.workers=16", "optimizer.options={estimator: ET}", engine="skopt", trials=48
    )
    study.run(executor=_virtual(16))
    ds = asktell.open(study.path)
    assert max(len(item.split(",")) for item in ds.pending.values) == 15
    points = np.stack([ds.x.values, ds.y.values], axis=1)
    apart = np.abs(points[:, None] - points[None]).max(axis=2) + np.eye(len(points))
    assert apart.min() > 1e-6


def test_a_signal_stops_in_an_orderly_way_and_resume_goes_on(tmp_path: Path) -> None:
    study = _study(tmp_path, "cluster.workers=1")
    done: list[int] = []

    def interrupt(snapshot: object, news: object) -> None:
        if isinstance(news, Ended):
            done.append(news.number)
            if len(done) == 3:
                os.kill(os.getpid(), signal.SIGTERM)

    closed = study.run(display=interrupt, executor=_virtual(1))
    assert not closed.done
    assert 3 <= asktell.open(study.path).sizes["trial"] < 30
    assert json.loads((study.path / "progress.json").read_text())["state"] == "stopped"
    assert asktell.Study(study.path).run(executor=_virtual(1)).done
    assert asktell.open(study.path).sizes["trial"] == 30


def test_only_one_driver_holds_a_study(tmp_path: Path) -> None:
    study = _study(tmp_path)
    with study:
        study.ask()
        failures: list[BaseException] = []

        def contend() -> None:
            try:
                asktell.Study(study.path).run(executor=_virtual())
            except StudyLocked as error:
                failures.append(error)

        thread = threading.Thread(target=contend)
        thread.start()
        thread.join()
        assert len(failures) == 1
        assert str(os.getpid()) in str(failures[0])


def test_asking_and_telling_by_hand_is_journaled_and_goes_on_by_itself(tmp_path: Path) -> None:
    study = _study(tmp_path, trials=8)
    with study:
        study.enqueue({"x": 0.3, "y": 0.6})
        first = study.ask()
        assert first.params == {"x": 0.3, "y": 0.6}
        second, third = study.ask(2)
        study.tell(first.number, 0.0)
        study.tell(second.number, {"f": 2.0, "note": 5.0})
        study.fail(third.number, "the bench was occupied")
        with pytest.raises(TrialError, match="told before"):
            study.tell(first.number, 1.0)
        assert study.best is not None
        assert study.best.number == first.number
        study.ask()
    assert asktell.Study(study.path).run(executor=_virtual()).done
    ds = asktell.open(study.path).sortby("trial")
    assert ds.sizes["trial"] == 8
    assert ds.f.values[0] == 0.0
    assert "occupied" in str(ds.error.values[2])
    assert float(ds.note.values[1]) == 5.0


def test_a_point_that_breaks_a_constraint_is_refused_before_it_is_journaled(tmp_path: Path) -> None:
    study = _study(tmp_path, "constraints=[x < y]", trials=5)
    with study, pytest.raises(SpaceError, match="x < y"):
        study.enqueue({"x": 0.9, "y": 0.1})
    assert asktell.Study(study.path).run(executor=_virtual()).done


def test_an_existing_directory_is_refused_and_left_alone(tmp_path: Path) -> None:
    study = _study(tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(StudyError, match="asktell resume"):
        asktell.Study.create(tmp_path / "study.yaml", study.path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_changed_objective_is_reported_and_must_be_accepted(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def evaluate(x, y): return x")
    file = studies.write_study(tmp_path, trials=5)
    text = file.read_text().replace("quick.py", "mine.py").replace(f'folder: "{studies.OBJECTIVES}", ', "")
    file.write_text(text)
    study = asktell.Study.create(file, tmp_path / "s")
    study.run(executor=_virtual())
    (tmp_path / "mine.py").write_text("def evaluate(x, y): return x + y")
    with pytest.raises(StudyError, match="accept"):
        asktell.Study(study.path).run(trials=6, executor=_virtual())
    assert asktell.Study(study.path).run(trials=6, executor=_virtual(), accept_code=True).done


def test_a_study_whose_first_trials_all_fail_stops_before_its_budget_is_burnt(tmp_path: Path) -> None:
    study = _study(tmp_path, trials=500)

    def broken(task: Task) -> Outcome:
        return Outcome(Status.FAILED, Cause.OBJECTIVE_ERROR, error="NameError: name 'maas' is not defined")

    closed = study.run(executor=lambda _: VirtualExecutor(broken, lambda _: 1.0, slots=3))
    assert not closed.done
    assert "maas" in closed.reason
    assert 20 <= asktell.open(study.path).sizes["trial"] <= 22
    assert asktell.Study(study.path).run(trials=25, executor=_virtual()).done


def test_requests_reach_a_study_that_is_driven_by_hand(tmp_path: Path) -> None:
    study = _study(tmp_path)
    with study:
        study.ask()
        segment = Segment.create(study.path / "journal", "user")
        segment.append(Enqueued({"x": 0.25, "y": 0.75}, time.time()))
        assert study.ask().params == {"x": 0.25, "y": 0.75}
        segment.append(StopRequested(time.time()))
        with pytest.raises(StudyError, match="told to stop"):
            study.ask()
        segment.close()


def test_looking_at_the_best_does_not_hold_the_study(tmp_path: Path) -> None:
    study = _study(tmp_path, trials=6)
    study.run(executor=_virtual())
    assert study.best is not None
    assert asktell.Study(study.path).run(trials=8, executor=_virtual()).done


def test_with_several_objectives_the_front_is_written(tmp_path: Path) -> None:
    study = _study(tmp_path, "objectives={f: minimize, g: maximize}", trials=12)

    def two(task: Task) -> Outcome:
        x = float(task.params["x"])
        return Outcome(Status.COMPLETED, values={"f": x, "g": x})

    study.run(executor=lambda _: VirtualExecutor(two, lambda _: 1.0, slots=3))
    assert study.best is None
    assert len(json.loads((study.path / "best.json").read_text())["front"]) == 12


def test_a_total_below_what_was_asked_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    study = _study(tmp_path, trials=6)
    study.run(executor=_virtual())
    before = (study.path / "study.yaml").read_text()
    with pytest.raises(ConfigError, match="6 trials were asked already"):
        asktell.Study(study.path).run(trials=4, executor=_virtual())
    assert (study.path / "study.yaml").read_text() == before
