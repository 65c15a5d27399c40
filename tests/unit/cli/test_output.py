from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from asktell.cli.output import echo_facts, echo_json, echo_table
from asktell.trial import Cause, Outcome, Status
from asktell.wording import assignments


def test_json_has_no_nan_and_takes_records(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome(Status.FAILED, Cause.TIMEOUT, values={"a": math.nan, "b": -math.inf})
    echo_json({"outcome": outcome, "path": Path("x"), 3: (1, 2)})
    found = json.loads(capsys.readouterr().out)
    assert found["outcome"]["values"] == {"a": None, "b": None}
    assert found["outcome"]["cause"] == "timeout"
    assert (found["path"], found["3"]) == ("x", [1, 2])


def test_plain_tables_are_aligned_and_drop_empty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    echo_table(("name", "note", "n"), [("a", "", "1"), ("longer", "", "22")])
    assert capsys.readouterr().out.splitlines() == ["name    n", "a       1", "longer  22"]


def test_facts_indent_further_lines_and_drop_empty_ones(capsys: pytest.CaptureFixture[str]) -> None:
    echo_facts([("values", assignments({"a": 0.1, "b": True}, "\n")), ("error", "")])
    assert capsys.readouterr().out.splitlines() == ["values       a = 0.1", "             b = true"]
