"""What a study that has run teaches the simulation, against the laws by which it was made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asktell.directory import StudyDirectory
from asktell.execute.protocol import Task
from asktell.execute.virtual import VirtualExecutor
from asktell.loop import Loop
from asktell.run import Study
from asktell.session import Session
from asktell.simulation.compare import Comparison, compare
from asktell.simulation.problems import Subject, subject
from asktell.simulation.targets import quality
from asktell.trial import Cause, Outcome, Params, Status

SPACE = {
    "x": {"type": "real", "low": 0.0, "high": 4.0},
    "y": {"type": "real", "low": 0.0, "high": 1.0},
    "mode": {"type": "categorical", "choices": ["a", "b"]},
}
Law = Callable[[Params, np.random.Generator], float]


def score(params: Params) -> float:
    """Largest, 5, at x = 3, y = 0.5, mode b."""
    bonus = 1.0 if params["mode"] == "b" else 0.0
    return 4.0 + bonus - (float(params["x"]) - 3.0) ** 2 - 4 * (float(params["y"]) - 0.5) ** 2


def lasts_s(params: Params, rng: np.random.Generator) -> float:
    """Two to ten minutes and more with x, a tenth of it by chance."""
    return 120.0 * (1.0 + float(params["x"])) * float(rng.lognormal(0.0, 0.1))


def finished(folder: Path, law: Law = lasts_s, trials: int = 80, **changes: object) -> Path:
    """A study that ran on the virtual clock; where y is below 0.2 it failed."""

    def work(task: Task) -> Outcome:
        if float(task.params["y"]) < 0.2:
            return Outcome(Status.FAILED, Cause.OBJECTIVE_ERROR, error="ValueError: too low")
        found = score(task.params)
        return Outcome(Status.COMPLETED, values={"score": found, "cost": float(task.params["x"])})

    study = Study.create(
        {
            "name": "toy",
            "evaluate": {"command": ["true"]},
            "space": SPACE,
            "objectives": {"score": "maximize"},
            "optimizer": {"engine": "sobol", "seed": 1},
            "budget": {"trials": trials},
            "cluster": {"workers": 3},
            **changes,
        },
        folder / "toy.study",
    )
    session = Session(StudyDirectory(study.path), study.config)
    try:
        durations = VirtualExecutor(
            work, lambda task: law(task.params, np.random.default_rng(task.number)), slots=3
        )
        Loop(session.ledger, durations, tick_s=60.0).run()
    finally:
        session.close()
    return study.path


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return subject(str(finished(tmp_path_factory.mktemp("learned"))))


def points(n: int) -> list[Params]:
    rng = np.random.default_rng(5)
    rows = zip(rng.uniform(0, 4, n), rng.uniform(0.3, 1, n), rng.choice(["a", "b"], n), strict=True)
    return [{"x": float(x), "y": float(y), "mode": str(mode)} for x, y, mode in rows]


def test_trials_take_as_long_as_the_studys_did_at_these_parameters(learned: Subject) -> None:
    law, rng = learned.runtime, np.random.default_rng(0)
    assert law is not None
    assert "by their parameters" in law.text
    for params in points(8):
        drawn = np.log([law.draw(params, rng) for _ in range(400)])
        truth = np.log([lasts_s(params, rng) for _ in range(400)])
        assert np.median(drawn) == pytest.approx(np.median(truth), abs=0.1)
        assert 0.06 < drawn.std() < 0.16


def test_durations_that_parameters_do_not_explain_are_drawn_from_those_that_were_seen(tmp_path: Path) -> None:
    def heavy(params: Params, rng: np.random.Generator) -> float:
        return float(rng.choice([60.0, 3600.0]))

    law, rng = subject(str(finished(tmp_path, heavy))).runtime, np.random.default_rng(0)
    assert law is not None
    assert "by their parameters" not in law.text
    drawn = np.array([law.draw(points(1)[0], rng) for _ in range(200)])
    assert set(drawn.round()) == {60.0, 3600.0}
    assert np.mean(drawn > 600) == pytest.approx(0.5, abs=0.2)


def test_the_objective_is_the_studys_as_far_as_its_results_tell(learned: Subject) -> None:
    function = learned.function
    assert function.exact is not None
    for params in points(30):
        assert -function.exact(params) == pytest.approx(score(params), abs=0.25), (
            "minimised: the sign is flipped"
        )
    assert function.optimum == pytest.approx(-5.0, abs=0.1)
    best = {"x": 3.0, "y": 0.5, "mode": "b"}
    assert function.regret(best, 0.0) == pytest.approx(0.0, abs=0.1)
    assert (
        min(function.regret(params, 0.0) for params in function.space.sample(np.random.default_rng(1), 2000))
        > 0
    )


def test_it_fails_where_the_study_failed(learned: Subject) -> None:
    rng = np.random.default_rng(0)

    def share(y: float) -> float:
        tries = [learned.function.evaluate({**params, "y": y}, rng) for params in points(60)]
        return sum(values is None for values in tries) / len(tries)

    assert share(0.05) > 0.8
    assert share(0.6) < 0.1


def test_what_is_not_said_is_as_in_the_study(tmp_path: Path) -> None:
    path = finished(tmp_path, trials=16)
    data = compare(Comparison(problem=str(path), schedules=("async",), seeds=1))
    assert data.engine.values.tolist() == ["sobol"]
    assert data.workers.values.tolist() == [3]
    assert data.sizes["step"] == 16
    assert data.attrs["runtime"].startswith("as long as they took")
    assert int(data.failed.sum()) > 0
    fixed = compare(Comparison(problem=str(path), schedules=("async",), seeds=1, runtime="1h"))
    assert fixed.attrs["runtime"] == "1h"


def test_several_objectives_and_bounded_outcomes_are_learned_each(tmp_path: Path) -> None:
    changes = {
        "objectives": {"score": "maximize", "cost": "minimize"},
        "constraints": ["cost < 3.5"],
    }
    path = finished(tmp_path, trials=40, **changes)
    data = compare(Comparison(problem=str(path), schedules=("async",), seeds=1, trials=30))
    volume = quality(data)
    assert volume.name == "hypervolume"
    assert float(volume.isel(step=-1).max()) > 0


def test_a_few_results_are_too_few_to_learn_from(tmp_path: Path) -> None:
    found = subject(str(finished(tmp_path, trials=4)))
    assert found.runtime is None
    assert found.function.name == "toy (random)"
