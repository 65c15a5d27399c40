"""`asktell retell` and `warm_start` on the command line: what is refused, and in what words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Cli = Callable[..., Result]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objective", "objective.py:absent"], "objective.py has no function 'absent'"),
        (["--objective", "measures.py:f"], "there is no file"),
        (["--objective", "objective.py:evaluate", "--direction", "loss=up"], "'up' is neither minimize nor"),
        (["--objective", "objective.py:evaluate", "--into", "toy.study"], "exists already"),
        ([], "--objective"),
    ],
)
def test_what_cannot_be_retold_is_bad_input(cli: Cli, toy: Path, arguments: list[str], message: str) -> None:
    result = cli("retell", toy, *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert not Path("toy-evaluate.study").exists()


def test_check_says_what_a_study_begins_with(cli: Cli, toy: Path) -> None:
    result = cli("check", "study.yaml", "--set", f"optimizer.warm_start={toy}")
    assert result.exit_code == 0
    assert "begins with the best of 3 trials of" in result.output
    result = cli("check", "study.yaml", "--set", "optimizer.warm_start=absent.study")
    assert result.exit_code == 2
    assert "optimizer.warm_start" in result.output
    assert "absent.study is no study" in result.output
