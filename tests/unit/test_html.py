"""What a notebook shows of a space, a trial and a study."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import asktell
from asktell.html import bar
from asktell.run import Study

EVIL = "</td><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """The text of a piece of HTML, and the tags that it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(page)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        assert {name for name, _ in attrs} <= {"style"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def shown(item: Any) -> Page:
    page = Page(item._repr_html_())
    assert page.tags <= {"div", "strong", "span", "table", "tr", "th", "td"}
    return page


def test_a_space_shows_each_parameter_and_its_constraints() -> None:
    space = asktell.Space(
        {
            "width": asktell.Real(0.01, 0.2, log=True, units="m", description=EVIL),
            "method": asktell.Categorical(["a", EVIL]),
            "angle": asktell.Integer(10, 80, when={"method": ["a"]}),
        },
        ["width < angle"],
    )
    texts = shown(space).texts
    for text in (
        "width",
        "real",
        "0.01 to 0.2",
        "log",
        "m",
        EVIL,
        f"a, {EVIL}",
        "method is a",
        "width < angle",
    ):
        assert text in texts


def test_a_trial_shows_its_point_and_where_it_comes_from() -> None:
    optimizer = asktell.Optimizer(
        asktell.Space({"x": asktell.Real(0, 1), "m": asktell.Categorical([EVIL])}), engine="random", seed=0
    )
    optimizer.ask()
    texts = shown(optimizer.ask()).texts
    assert {"trial 1", "random, by engine random; 0 results known, 1 pending", "x", "m", EVIL} <= set(texts)
    assert "0 of 2 trials told, 2 pending" in shown(optimizer).texts
    optimizer.tell(1, 0.25)
    assert {"1 of 2 trials told, 1 pending", "trial 1", "0.25", EVIL} <= set(shown(optimizer).texts)
    assert shown(optimizer).texts[3:] == shown(optimizer.best).texts


def test_a_study_shows_how_it_stands_and_its_best(tmp_path: Path) -> None:
    config = {
        "name": "toy",
        "evaluate": {"command": ["true"]},
        "space": {"x": {"type": "real", "low": 0, "high": 1}},
        "objectives": {"loss": "minimize"},
        "optimizer": {"engine": "random", "seed": 0},
        "budget": {"trials": 4},
    }
    with asktell.Study.create(config, tmp_path / "<b>toy") as study:
        assert "0 of 4 done" in shown(study).texts
        trial = study.ask()
        assert isinstance(trial, asktell.Trial)
        study.tell(trial.number, 0.25)
        texts = shown(study).texts
        assert "1 of 4 done: 1 completed" in texts
        assert str(study.path) in texts
        assert {"trial 0", "loss", "0.25", "x"} <= set(shown(study.best).texts)
    assert "stopped: closed by its owner" in shown(Study(study.path)).texts


def test_a_bar_stays_within_its_frame() -> None:
    assert [share for share in (-1.0, 0.5, 7.0) if "width:50.0%" in bar(share)] == [0.5]
    assert "width:100.0%" in bar(7.0)
    assert "width:0.0%" in bar(-1.0)
