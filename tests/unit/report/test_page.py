"""What a report says of a study, whatever became of it; how it looks and reacts is tested in a browser."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asktell
from asktell import report
from asktell.config import load
from asktell.errors import StudyError
from asktell.report.page import brief

EVIL = "</script><img src=x onerror=alert(1)>&\"' $$x$$ {{7*7}}"
Make = Callable[..., Path]


class Read(HTMLParser):
    """What a browser makes of a page: its tags, its text, its data."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
        assert found is not None
        self.data: dict[str, Any] = json.loads(found[1])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.text += data

    def column(self, name: str) -> Sequence[Any]:
        return next(column["values"] for column in self.data["columns"] if column["name"] == name)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """make(values, ...): a stopped study whose trials were told these values, or failed with these words."""

    def study(
        values: Sequence[dict[str, float] | str], objectives: str = "{loss: minimize}", more: str = ""
    ) -> Path:
        file = tmp_path / "study.yaml"
        file.write_text(
            f"""\
name: toy
evaluate: {{command: ["true"]}}
space:
  x: {{type: real, low: 0.1, high: 10, log: true, units: cm}}
  n: {{type: integer, low: 1, high: 9, when: {{mode: fast}}}}
  mode: {{type: categorical, choices: [fast, {json.dumps(EVIL)}]}}
  is_on: {{type: boolean, when: {{mode: fast}}}}
  name: {{type: constant, value: kept, when: {{mode: fast}}}}
objectives: {objectives}
optimizer: {{engine: random, seed: 1}}
budget: {{trials: 40}}
{more}
"""
        )
        path = tmp_path / "toy.study"
        with asktell.Study.create(file, path) as found:
            for value in values:
                trial = found.ask()
                if isinstance(value, str):
                    found.fail(trial.number, value)
                else:
                    found.tell(trial.number, value)
        return path

    return study


def test_the_best_point_comes_with_the_commands_that_bring_it_back(make: Make) -> None:
    path = make([{"loss": 3.0}, {"loss": 1.5}, "it exploded", {"loss": 2.0}])
    page = Read(report.render(path))
    assert "Best: trial 1" in page.text
    assert f"asktell export {path} --config --trial 1 -o toy-best.json" in page.text
    assert f"asktell evaluate {path} toy-best.json" in page.text
    point = asktell.open(path).asktell.incumbent()
    assert json.dumps(float(point.x)) in page.text
    assert page.data["best"] == [1]
    assert page.data["sort"] == {"column": "loss", "descending": False}


def test_failures_are_in_the_table_with_their_cause_and_counted(make: Make) -> None:
    page = Read(report.render(make([{"loss": 3.0}, "it exploded\nat once", "it exploded\nlater"])))
    assert page.column("outcome") == ["completed", "failed", "failed"]
    assert page.column("cause") == ["", "objective_error", "objective_error"]
    assert page.column("error")[1] == "it exploded\nat once"
    assert page.column("loss") == [3.0, None, None]
    assert re.search(r"2\s*failed\s*objective_error\s*it exploded", page.text)


def test_parameters_are_shown_as_evaluations_got_them(make: Make) -> None:
    path = make([{"loss": float(i)} for i in range(12)])
    text, ds = report.render(path), asktell.open(path)
    page = Read(text)
    is_fast = ds["mode"].values == "fast"
    assert 0 < is_fast.sum() < 12
    expected = [int(n) if fast else None for n, fast in zip(ds["n"].values, is_fast, strict=True)]
    assert page.column("n") == expected
    np.testing.assert_array_equal(page.column("x"), ds["x"].values)
    assert set(page.column("mode")) == {"fast", EVIL}
    flags = [bool(flag) if fast else None for flag, fast in zip(ds["is_on"].values, is_fast, strict=True)]
    assert page.column("is_on") == flags
    assert {True, False} <= set(flags)
    assert text.count("name = kept") == is_fast.sum()


def test_several_objectives_have_a_front_instead_of_a_best_point(make: Make) -> None:
    values = [{"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 3.0}, {"a": 3.0, "b": 2.0}]
    page = Read(report.render(make(values, "{a: minimize, b: maximize}")))
    assert page.data["best"] == [0, 1]
    assert "2 trials that no other beats in all objectives" in page.text
    assert page.data["sort"] == {"column": "trial", "descending": False}


def test_a_large_front_is_shown_from_end_to_end_by_a_few(make: Make) -> None:
    values = [{"a": float(i), "b": float(i)} for i in range(30)]
    page = Read(report.render(make(values, "{a: minimize, b: maximize}")))
    assert page.data["best"] == list(range(30))
    assert "30 trials that no other beats in all objectives; 20 of them" in page.text


def test_trials_outside_the_constraints_are_no_candidates(make: Make) -> None:
    values = [{"loss": 1.0, "mass": 9.0}, {"loss": 2.0, "mass": 1.0}]
    page = Read(report.render(make(values, more="constraints: [mass < 5]")))
    assert page.column("outcome") == ["infeasible", "completed"]
    assert page.data["best"] == [1]


def test_a_study_that_was_never_run_says_so(make: Make, tmp_path: Path) -> None:
    make([])
    asktell.Study.create(tmp_path / "study.yaml", tmp_path / "new.study")
    page = Read(report.render(tmp_path / "new.study"))
    assert "The study was never run." in page.text
    assert "columns" not in page.data
    assert "optimizer:" in page.text


def test_a_study_without_an_ended_trial_says_so(make: Make) -> None:
    path = make([])
    with asktell.Study(path) as study:
        study.ask()
    assert "No trial has ended yet." in Read(report.render(path)).text


def test_a_study_of_which_every_trial_failed_says_so(make: Make) -> None:
    page = Read(report.render(make(["it exploded"] * 3)))
    assert "3 trials ended, none of them within the constraints." in page.text
    assert page.data["best"] == []


def test_axes_of_values_at_the_end_of_the_doubles_have_an_end(make: Make) -> None:
    page = Read(report.render(make([{"loss": 1.7e308}, {"loss": -1.7e308}])))
    assert page.column("loss") == [1.7e308, -1.7e308]
    loss = page.data["quantities"][0]
    assert 1.7e308 < loss["end"] - loss["start"] < math.inf


def test_texts_of_the_study_stay_texts(make: Make) -> None:
    page = report.render(make([{"loss": 3.0}, EVIL]))
    read = Read(page)
    assert not [attrs for tag, attrs in read.tags if tag == "img"]
    assert EVIL in read.text
    assert read.column("error")[1] == EVIL
    assert "<img" not in page


def test_what_the_environment_holds_is_not_passed_on(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        "evaluate: {command: ['true'], env: {API_KEY: hush}}\n"
        "space: {x: {type: real, low: 0, high: 1}}\nobjectives: {loss: minimize}\nbudget: {trials: 2}\n"
    )
    with asktell.Study.create(tmp_path / "study.yaml", tmp_path / "s") as found:
        found.tell(found.ask().number, {"loss": 1.0})
    page = report.render(tmp_path / "s")
    assert "API_KEY" in page
    assert "hush" not in page


def test_nothing_is_loaded_from_elsewhere(make: Make) -> None:
    page = Read(report.render(make([{"loss": 3.0}])))
    loading = {"script": "src", "link": "href", "img": "src", "iframe": "src", "object": "data"}
    sources = [attrs.get(loading[tag]) for tag, attrs in page.tags if tag in loading]
    assert {source for source in sources if source is not None} == {"data:,"}
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_the_brief_configuration_is_a_study_file_of_the_same_study(make: Make, tmp_path: Path) -> None:
    make([], more="constraints: [x * 2 < 15]\ncluster: {workers: 3}")
    config = load(tmp_path / "study.yaml")
    again = tmp_path / "again.yaml"
    again.write_text(brief(config))
    assert load(again) == config
    assert len(brief(config)) < len(config.to_yaml()) / 2


def test_no_study_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no study"):
        report.render(tmp_path / "nothing")
