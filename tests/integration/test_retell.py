"""Other objectives from stored outputs: what they are, where outputs go, how the new study goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from studies import OBJECTIVES

import asktell
from asktell.config import BudgetConfig, parse
from asktell.errors import StudyError
from asktell.overview import State, read_study
from asktell.retell import retell
from asktell.retell.measure import Measure
from asktell.retell.reading import read_here
from asktell.run import Study
from asktell.store import verify
from asktell.trial import Cause

POINTS = [0.1, 0.5, 0.95, 0.7, 0.3]
FUNCTION = {"call": "with_outputs.py:evaluate"}
PROGRAM = {
    "command": ["{python}", "{folder}/with_outputs.py", "{x}", "{n}"],
    "result": {"arrays": {"small": "arrays.npz[small]", "large": "arrays.npz[large]"}},
}


def make_source(path: Path, evaluate: Mapping[str, Any] = FUNCTION) -> Path:
    config = parse(
        {
            "name": "outputs",
            "evaluate": {**evaluate, "folder": str(OBJECTIVES), "timeout": "60s"},
            "space": {
                "x": {"type": "real", "low": 0, "high": 1},
                "n": {"type": "integer", "low": 1, "high": 9},
            },
            "objectives": {"loss": "minimize"},
            "outputs": {
                "small": {
                    "dims": ["row", "column"],
                    "units": "mm",
                    "coords": {"column": [0, 10, 20, 30, 40]},
                },
                "large": ["line", "place"],
            },
            "optimizer": {"engine": "sobol", "seed": 1},
            "budget": {"trials": len(POINTS), "target": -1},
            "cluster": {"workers": 2, "dashboard": None},
        }
    )
    with Study.create(config, path) as study:
        for number, x in enumerate(POINTS):
            study.enqueue({"x": x, "n": number + 1})
    assert study.run().done
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five trials of which the third failed."""
    return make_source(tmp_path_factory.mktemp("retell") / "outputs.study")


@pytest.fixture(autouse=True)
def _beside_the_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(OBJECTIVES)


def expected(x: float, n: int) -> float:
    """What `measures.spread` makes of a trial of `with_outputs`."""
    return 299 + 199 * x - 10 * (6 + 4 * x) + n


def opened(path: Path) -> xr.Dataset:
    return asktell.open(path).sortby("trial")


def test_every_trial_is_told_anew_and_the_new_study_stands_alone(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.study"
    shutil.copytree(source, copy)
    before = opened(copy).load()
    made = retell(copy, "measures.py:spread", tmp_path / "new.study", directions={"": "maximize"}, workers=2)
    assert made.n_completed == 2
    assert sorted(made.failed) == [1, 3]
    assert "RuntimeError: not in the middle" in made.failed[1]
    assert "ended its process" in made.failed[3]
    assert verify(copy) == []
    shutil.rmtree(copy)

    new = opened(made.path)
    assert new.x.values.tolist() == POINTS
    known = np.array([expected(x, n + 1) for n, x in enumerate(POINTS)])
    np.testing.assert_allclose(new.spread[[0, 4]], known[[0, 4]])
    assert np.isnan(new.spread[1:4]).all(), "a failure is no number"
    assert new.spread.attrs["direction"] == "maximize"
    for name in ("large", "small", "loss", "extra"):
        xr.testing.assert_equal(new[name][[0, 4]].drop_vars("spread", errors="ignore"), before[name][[0, 4]])
    assert "too far" in str(new.error[2].item()), "it failed when it was evaluated"
    assert set(new.origin.values) == {"retold"}
    assert json.loads(new.proposal_details[4].item()) == {"study": str(copy), "trial": 4}
    found = read_study(made.path)
    assert found.state is State.STOPPED
    assert [best.number for best in found.best()] == [4]
    assert found.config.budget.target is None
    assert not [finding for finding in verify(made.path) if finding.is_problem]


@pytest.mark.parametrize("evaluate", [FUNCTION, PROGRAM], ids=["function", "program"])
def test_a_resumed_study_evaluates_and_measures(
    source: Path, tmp_path: Path, evaluate: Mapping[str, Any]
) -> None:
    if evaluate is PROGRAM:
        source = make_source(tmp_path / "program.study", PROGRAM)
    made = retell(
        source, "measures.py:spread", tmp_path / "new.study", overrides=["budget.trials=2"], workers=1
    )
    with Study(made.path) as study:
        study.enqueue({"x": 0.2, "n": 3})
    assert study.run().done
    trials = opened(made.path)
    assert trials.sizes["trial"] == len(POINTS) + 2, "told trials do not count towards the budget"
    later = trials.isel(trial=slice(len(POINTS), None))
    assert later.x.values[0] == 0.2
    is_good = (later.x <= 0.9).values & ~later.x.isin([0.5, 0.7]).values
    np.testing.assert_allclose(later.spread[is_good], expected(later.x.values, later.n.values)[is_good])
    np.testing.assert_allclose(later.loss[0], (0.2 - 0.3) ** 2)
    assert later.large.dims == ("trial", "line", "place")
    assert later.small.attrs["units"] == "mm"
    assert not [finding for finding in verify(made.path) if finding.is_problem]


def test_a_result_that_was_told_has_no_outputs_to_be_retold(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.study"
    shutil.copytree(source, copy)
    with Study(copy) as study:
        study.configure(study.config.model_copy(update={"budget": BudgetConfig(trials=6)}))
        trial = study.ask()
        study.tell(trial.number, 1.0)
    made = retell(copy, "measures.py:total", tmp_path / "new.study", workers=1)
    assert sorted(made.failed) == [5], "the sum over nothing is 0"
    assert "left no outputs" in made.failed[5]
    numbers = retell(copy, "measures.py:numbers", tmp_path / "numbers.study", workers=1)
    assert not numbers.failed


def test_a_study_retold_twice_can_be_moved_and_needs_none_before(source: Path, tmp_path: Path) -> None:
    first = retell(source, "measures.py:spread", tmp_path / "first.study", workers=1)
    assert sorted(first.failed) == [1, 3], "who shared a worker with a crash has not crashed"
    made = retell(first.path, "measures.py:halved", tmp_path / "new.study", workers=1)
    shutil.rmtree(first.path)
    for trials, folder in ((1, tmp_path / "moved.study"), (2, tmp_path / "again.study")):
        made.path.rename(folder)
        made = replace(made, path=folder)
        with Study(folder) as study:
            study.enqueue({"x": 0.2 * trials, "n": 3})
        assert study.run(trials=trials).done
    known = [expected(x, n) / 2 for x, n in ((0.1, 1), (0.3, 5), (0.2, 3), (0.4, 3))]
    np.testing.assert_allclose(opened(made.path).halved[opened(made.path).status == 0], known)


def test_several_numbers_with_their_labels_are_several_objectives(source: Path, tmp_path: Path) -> None:
    made = retell(
        source, "measures.py:labelled", tmp_path / "new.study", directions={"corner": "maximize"}, workers=1
    )
    directions = {name: item.direction for name, item in made.config.objectives.items()}
    assert directions == {"corner": "maximize", "loss": "minimize"}
    new, old = opened(made.path).isel(trial=[0, 4]), opened(source).isel(trial=[0, 4])
    np.testing.assert_allclose(new.corner, old.small.isel(row=3, column=4))
    np.testing.assert_allclose(new.loss, old.loss + old.extra)


def test_a_function_that_fails_everywhere_makes_no_study(source: Path, tmp_path: Path) -> None:
    with pytest.raises(
        StudyError, match=r"(?s)any of 4 trials; for trial 0: .*'absent'.*: small, large"
    ) as error:
        retell(source, "measures.py:unknown", tmp_path / "new.study", workers=1)
    assert "measures.py" in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("nothing", "'nothing' is nan; a finite number"),
        ("array", "return numbers: the result has shape (4, 5)"),
    ],
)
def test_what_is_no_number_is_no_result(source: Path, function: str, message: str) -> None:
    (told,) = read_here(source, Measure(f"measures.py:{function}", str(OBJECTIVES)), [0]).values()
    assert told.cause is Cause.INVALID_RESULT
    assert message in told.error


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("measures.py", "names no function"),
        ("absent.py:f", "there is no file"),
        ("measures.py:number", "has no function 'number'; it has: spread"),
        ("no_such_module:f", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_called_is_said_before_anything_is_read(
    source: Path, tmp_path: Path, target: str, message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        retell(source, target, tmp_path / "new.study")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_exists_and_a_study_without_results_are_refused(
    source: Path, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match="exists already"):
        retell(source, "measures.py:spread", source)
    empty = Study.create(Study(source).config, tmp_path / "empty.study")
    with pytest.raises(StudyError, match="no"):
        retell(empty.path, "measures.py:spread", tmp_path / "new.study")
