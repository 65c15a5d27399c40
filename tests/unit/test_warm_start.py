"""What a study takes from earlier ones: what fits, once, and for good."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import asktell
from asktell.config import parse
from asktell.errors import ConfigError
from asktell.run import Study
from asktell.trial import Origin
from asktell.warm_start import warm_starts

SPACE = {"x": {"type": "real", "low": 0, "high": 1}, "n": {"type": "integer", "low": 1, "high": 9}}


def study_of(folder: Path, **sections: Any) -> Mapping[str, Any]:
    base = {
        "evaluate": {"command": ["true"]},
        "space": SPACE,
        "objectives": {"loss": "minimize"},
        "optimizer": {"engine": "sobol", "seed": 3},
    }
    return {**base, **sections}


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """Eight trials of which the last failed; the loss is lowest at x = 0.3, the time is n."""
    with Study.create(study_of(tmp_path), tmp_path / "earlier.study") as study:
        for trial in study.ask(7):
            x, n = trial.params["x"], trial.params["n"]
            study.tell(trial.number, {"loss": (x - 0.3) ** 2, "time": n})
        study.fail(study.ask().number)
    return tmp_path / "earlier.study"


def warm(folder: Path, earlier: Path, **sections: Any) -> Mapping[str, Any]:
    optimizer = {"engine": "sobol", "seed": 4, "initial": 4, "warm_start": [str(earlier)]}
    return study_of(folder, **{"optimizer": optimizer, **sections})


def test_the_best_of_the_earlier_study_come_first_and_are_trials_of_this_one(
    tmp_path: Path, earlier: Path
) -> None:
    known = asktell.open(earlier).sortby("loss")
    with Study.create(warm(tmp_path, earlier), tmp_path / "new.study") as study:
        first = study.ask()
        assert first.origin is Origin.EARLIER
        assert first.params["x"] == known["x"].values[0]
        assert study.best is None, "an earlier trial is none of this study's"
        study.tell(first.number, 0.5)
        assert study.best is not None
        assert study.best.values == {"loss": 0.5}
        origins = [trial.origin for trial in study.ask(6)]
    assert origins.count(Origin.EARLIER) <= 1, "half of the design at most"
    assert origins.count(Origin.INITIAL) >= 5
    assert asktell.open(tmp_path / "new.study").sizes["trial"] == 1, "earlier trials are no rows"


def test_a_resumed_study_does_not_need_the_earlier_one(tmp_path: Path, earlier: Path) -> None:
    def run(path: Path, *, loses: bool) -> list[Any]:
        config = warm(tmp_path, earlier)
        config = {**config, "optimizer": {**config["optimizer"], "engine": "gp"}}
        study = Study.create(config, path)
        points = []
        if loses:
            earlier.rename(tmp_path / "elsewhere")
        for number in range(7):
            trial = study.ask()
            points.append(dict(trial.params))
            study.tell(number, (trial.params["x"] - 0.35) ** 2)
            study.close()
            study = Study(path)
        study.close()
        return points

    unbroken = run(tmp_path / "one.study", loses=False)
    assert run(tmp_path / "two.study", loses=True) == unbroken


def test_trials_outside_the_space_are_left_out_and_counted(
    tmp_path: Path, earlier: Path, caplog: pytest.LogCaptureFixture
) -> None:
    space = {**SPACE, "x": {"type": "real", "low": 0, "high": 0.5}}
    config = parse(warm(tmp_path, earlier, space=space, constraints=["n < 9", "time < 100"]))
    (found,) = warm_starts(config)
    stored = asktell.open(earlier)
    fits = stored.trial[(stored.x <= 0.5) & (stored.n < 9) & (stored.status == 0)]
    assert sorted(trial.number for trial in found.trials) == sorted(fits.values.tolist())
    assert len(found.trials) + found.n_left_out == 7
    assert set(found.trials[0].values) == {"loss", "time"}
    Study.create(config, tmp_path / "new.study")
    assert f"{found.n_left_out} do not fit" in caplog.text


def test_a_constant_says_which_trials_of_a_wider_space_count(tmp_path: Path, earlier: Path) -> None:
    value = int(asktell.open(earlier).n.values[0])
    (found,) = warm_starts(parse(warm(tmp_path, earlier, space={**SPACE, "n": value})))
    assert {trial.params["n"] for trial in found.trials} == {value}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"space": {"x": SPACE["x"]}}, "has a parameter 'n', which this study does not have; add it as a"),
        ({"space": {**SPACE, "z": SPACE["x"]}}, "has no parameter 'z', so its trials have no place"),
        ({"objectives": {"loss": "maximize"}}, "is to minimize 'loss', this study to maximize it"),
        ({"objectives": {"los": "minimize"}}, "has a result 'los'; did you mean 'loss'?"),
        (
            {"space": {**SPACE, "x": {"type": "real", "low": 5, "high": 6}}},
            "is of use: none of its 7 lies in this study's space",
        ),
    ],
)
def test_what_does_not_match_is_said_and_nothing_is_made(
    tmp_path: Path, earlier: Path, sections: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        Study.create(warm(tmp_path, earlier, **sections), tmp_path / "new.study")
    assert message in str(error.value)
    assert not (tmp_path / "new.study").exists()


def test_a_folder_that_is_no_study_and_one_without_results_are_both_named(
    tmp_path: Path, earlier: Path
) -> None:
    empty = Study.create(study_of(tmp_path), tmp_path / "empty.study").path
    shutil.copytree(earlier, tmp_path / "damaged.study")
    (tmp_path / "damaged.study" / "study.yaml").unlink()
    paths = [str(empty), str(tmp_path / "damaged.study"), str(tmp_path / "none")]
    config = study_of(tmp_path, optimizer={"engine": "sobol", "seed": 1, "warm_start": paths})
    with pytest.raises(ConfigError) as error:
        warm_starts(parse(config))
    assert [path in str(problem) for path, problem in zip(paths, error.value.problems, strict=True)] == [
        True
    ] * 3
