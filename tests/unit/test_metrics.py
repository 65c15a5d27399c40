"""`asktell.log` keeps numbers, line by line, and never costs a result."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from asktell import metrics
from asktell.errors import TrialError


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    monkeypatch.setenv(metrics.FILE_VARIABLE, str(path))
    metrics._warn_once.cache_clear()
    return path


def read(path):
    return [entry for line in path.read_bytes().splitlines() for entry in metrics.parse(line)]


def test_what_is_logged_is_read(file):
    metrics.log(1, loss=0.5, accuracy=np.float32(0.25))
    metrics.log(step=2, loss=math.nan, size=7)
    assert read(file)[:2] == [(1.0, "loss", 0.5), (1.0, "accuracy", 0.25)]
    assert math.isnan(read(file)[2][2])
    assert read(file)[3] == (2.0, "size", 7.0)


def test_lines_of_several_processes_do_not_mix(file):
    code = (
        "from asktell.metrics import log\nfor i in range(300): log(i, **{f'{j:099d}': i for j in range(5)})"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert sorted(step for step, _, _ in read(file)) == sorted(15 * [float(i) for i in range(300)])


def test_a_name_too_long_for_a_file_is_left_out(file):
    metrics.log(1, loss=0.5, **{"x" * 200: 1.0})
    assert read(file) == [(1.0, "loss", 0.5)]


def test_outside_an_evaluation_it_warns_once(monkeypatch, recwarn):
    monkeypatch.delenv(metrics.FILE_VARIABLE, raising=False)
    metrics._warn_once.cache_clear()
    with pytest.warns(UserWarning, match="outside an evaluation"):
        metrics.log(1, loss=1.0)


def test_a_file_that_cannot_be_written_only_warns(file):
    file.mkdir()
    with pytest.warns(UserWarning, match="metrics are lost"):
        metrics.log(1, loss=1.0)
    metrics.log(2, loss=1.0)


def test_what_is_no_number_is_refused(file):
    with pytest.raises(TrialError, match="loss is 'much'; give a number"):
        metrics.log(1, loss="much")
    assert not file.exists()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "3",
        '{"loss": 1}',
        '{"step": "a", "loss": 1}',
        "[" * 100_000,
        '{"step": 1' + "0" * 400 + "}",
    ],
)
def test_damaged_lines_are_left_out(line):
    assert metrics.parse(line) == ()


def test_other_values_on_a_line_are_left_out():
    line = '{"step": 1, "loss": 0.5, "note": "x", "ok": true, "list": []}'
    assert metrics.parse(line) == ((1.0, "loss", 0.5),)
