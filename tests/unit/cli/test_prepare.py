"""`init`, `check`, `schema`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Cli = Callable[..., Result]


def test_a_new_study_can_be_tried_as_it_is(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    done = cli("init", "new/study.yaml")
    assert done.exit_code == 0
    assert "new/objective.py" in done.output
    assert cli("check", "new/study.yaml", "--one").exit_code == 0


def test_init_overwrites_nothing(cli: Cli, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert cli("init").exit_code == 2
    assert cli("init", "no/such/folder.yaml").exit_code == 2
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    done = cli("init", "new.yaml")
    assert done.exit_code == 0
    assert "there already" in done.output
    assert before.items() <= {file: file.read_bytes() for file in tmp_path.iterdir()}.items()


def test_check_shows_the_space_and_what_would_run(cli: Cli, tmp_path: Path) -> None:
    done = cli("check", "study.yaml", "--set", "schedule={hybrid: 2}", "--set", "cluster.workers=4")
    assert done.exit_code == 0
    for shown in (
        "mode is fast",
        "0 to 1",
        "minimize loss",
        "mass < 5",
        "x < n",
        "hybrid",
        "4 trials at a time",
    ):
        assert shown in done.output
    assert not (tmp_path / "toy.study").exists()


def test_check_json_holds_the_resolved_study(cli: Cli) -> None:
    found = json.loads(cli("check", "study.yaml", "--json").output)
    assert found["config"]["evaluate"]["timeout"] == "1min"
    assert found["slots"] == 2
    assert found["points"] is None
    assert "one" not in found


def test_check_one_evaluates_a_point(cli: Cli) -> None:
    done = cli("check", "study.yaml", "--one", "--json")
    assert done.exit_code == 0
    found = json.loads(done.output)["one"]
    assert found["outcome"]["values"]["loss"] == found["params"]["x"] * found["params"]["n"]
    assert found["kept"] is None


def test_check_one_of_a_failing_objective_ends_with_1_and_keeps_its_folder(cli: Cli, tmp_path: Path) -> None:
    text = (tmp_path / "objective.py").read_text()
    (tmp_path / "objective.py").write_text(text.replace("x < 0", "x >= 0"))
    done = cli("check", "study.yaml", "--one", "--json")
    assert done.exit_code == 1
    found = json.loads(done.output)["one"]
    assert found["outcome"]["cause"] == "objective_error"
    assert "x is below zero" in (Path(found["kept"]) / "stderr").read_text()


def test_check_one_tells_a_traceback_once(cli: Cli, tmp_path: Path) -> None:
    text = (tmp_path / "objective.py").read_text()
    text = text.replace("x < 0", "x >= 0").replace("    if", "    print('on the way')\n    if")
    (tmp_path / "objective.py").write_text(text)
    shown = cli("check", "study.yaml", "--one").output
    assert shown.count("Traceback") == 1
    assert "x is below zero" in shown
    assert "on the way" in shown


def test_schema_is_json(cli: Cli) -> None:
    assert "space" in json.loads(cli("schema").output)["properties"]
