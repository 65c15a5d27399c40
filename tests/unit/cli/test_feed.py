"""`enqueue`, `add`, `rerun`: what they write is what the next session takes in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from asktell.inbox import Inbox
from asktell.records import Enqueued, Known

Cli = Callable[..., Result]

HEADER = "x,n,mode,depth,loss,mass,remark\n"


def requests(study: Path) -> list[Enqueued | Known]:
    found = [request for _, request in Inbox(study / "journal").requests(())]
    return [request for request in found if isinstance(request, Enqueued | Known)]


def test_enqueue_reads_values_as_the_space_has_them(cli: Cli, toy: Path) -> None:
    done = cli("enqueue", toy, "mode=1", "x=5e-1", "n=3", "depth=2")
    assert done.exit_code == 0
    assert "depth left out" in done.stderr
    assert [request.params for request in requests(toy)] == [{"x": 0.5, "n": 3, "mode": "1"}]
    assert json.loads(cli("status", toy, "--json").output)["requested"] == 1


@pytest.mark.parametrize(
    ("assigned", "complaint"),
    [
        (("x=0.5", "n=3"), "mode is missing"),
        (("x=2", "n=3", "mode=1"), "x: 2"),
        (("x=1", "n=1", "mode=1"), "x < n"),
        (("x=0.5", "m=3", "mode=1"), "'m'"),
        (("x=0.5", "x=0.6", "n=3", "mode=1"), "twice"),
        (("x",), "NAME=VALUE"),
    ],
)
def test_enqueue_refuses_what_is_no_point(
    cli: Cli, toy: Path, assigned: tuple[str, ...], complaint: str
) -> None:
    done = cli("enqueue", toy, *assigned)
    assert done.exit_code == 2
    assert complaint in done.stderr
    assert requests(toy) == []


def test_rerun_enqueues_the_same_point_with_a_note(cli: Cli, toy: Path) -> None:
    params = json.loads(cli("show", toy, 2, "--json").output)["trial"]["params"]
    assert cli("rerun", toy, 2).exit_code == 0
    (request,) = requests(toy)
    assert isinstance(request, Enqueued)
    assert (dict(request.params), request.note) == (params, "rerun of 2")


def test_add_takes_every_row(cli: Cli, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text(f"{HEADER}0.5,3,1,,2.5,1,good\n0.25, 2 ,fast,4,1e-3,2,\n")
    done = cli("add", toy, "results.csv")
    assert done.exit_code == 0
    assert "remark" in done.stderr
    first, second = requests(toy)
    assert isinstance(first, Known)
    assert isinstance(second, Known)
    assert first.params == {"x": 0.5, "n": 3, "mode": "1"}
    assert second.params == {"x": 0.25, "n": 2, "mode": "fast", "depth": 4}
    assert [first.outcome.values, second.outcome.values] == [
        {"loss": 2.5, "mass": 1.0},
        {"loss": 0.001, "mass": 2.0},
    ]


def test_add_names_every_bad_row_and_adds_none(cli: Cli, toy: Path, tmp_path: Path) -> None:
    rows = ["0.5,3,1,,2.5,1,", "0.5,3,1,,nan,1,", "0.5,3,fast,,1,1,", "0.5,3,1,,1,1,,,,", "1,1,1,,1,,", "0.5"]
    (tmp_path / "results.csv").write_text(HEADER + "\n".join(rows) + "\n")
    done = cli("add", toy, "results.csv")
    assert done.exit_code == 2
    assert {int(line.split(":")[1]) for line in done.stderr.splitlines() if "results.csv:" in line} == {
        3,
        4,
        5,
        6,
        7,
    }
    assert requests(toy) == []


@pytest.mark.parametrize("text", ["", HEADER, "x,n,mode,los,mass\n", "x,x,n,mode,loss,mass\n1,1,1,1,1,1\n"])
def test_add_refuses_files_that_cannot_be_meant(cli: Cli, toy: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "results.csv").write_text(text)
    done = cli("add", toy, "results.csv")
    assert done.exit_code == 2
    assert "results.csv" in done.stderr
