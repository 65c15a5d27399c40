"""Whether what a study evaluates is there, told without evaluating it."""

import os
import sys
from pathlib import Path

import pytest

from asktell.config import EvaluateConfig
from asktell.evaluate.inputs import Resources
from asktell.evaluate.presence import Presence, look


def looked(config: EvaluateConfig, launcher: str | None = None, within_s: float = 60.0) -> Presence:
    return look(config, Resources(2, launcher=launcher), {"x": 0.5}, dict(os.environ), within_s)


def test_a_function_is_imported_and_not_called(tmp_path: Path) -> None:
    (tmp_path / "objective.py").write_text("print('noise')\ndef f(x):\n    open('called', 'w')\n")
    found = looked(EvaluateConfig(folder=tmp_path, call="objective.py:f"))
    assert found.missing == ""
    assert found.took_s > 0
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    ("text", "call", "said"),
    [
        ("import no_such_library", "objective.py:f", "No module named 'no_such_library'"),
        ("def g(): pass", "objective.py:f", "has no function 'f'; it has: g"),
        ("import os; os._exit(3)", "objective.py:f", "ended with code 3"),
        ("", "elsewhere.py:f", "elsewhere.py"),
        ("", "no_such_package.module:f", "No module named 'no_such_package'"),
    ],
)
def test_a_function_that_cannot_be_imported_says_why(tmp_path: Path, text: str, call: str, said: str) -> None:
    (tmp_path / "objective.py").write_text(text)
    assert said in looked(EvaluateConfig(folder=tmp_path, call=call)).missing


def test_an_import_that_does_not_end_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "objective.py").write_text("import time; time.sleep(1000)")
    found = looked(EvaluateConfig(folder=tmp_path, call="objective.py:f"), within_s=0.5)
    assert "longer than 0.5 s" in found.missing


@pytest.mark.parametrize(
    ("settings", "launcher", "missing"),
    [
        ({"command": [sys.executable, "{folder}/there.py", "{x}", "{directory}/made"]}, None, ""),
        ({"command": ["./there.py"], "templates": ["there.py"]}, "sh -c {cpus}", ""),
        ({"command": ["{directory}/made"], "templates": ["there.py"]}, None, ""),
        ({"command": ["no-such-program"]}, None, "no-such-program is not on the PATH of the jobs"),
        ({"command": ["sh"]}, "no-such-launcher -n {cpus}", "no-such-launcher is not on the PATH"),
        ({"command": ["sh", "{folder}/gone.sh"]}, None, "there is no {folder}/gone.sh"),
        ({"command": ["sh"], "templates": ["gone.j2"]}, None, "there is no {folder}/gone.j2"),
        ({"command": "whatever < {x}", "shell": True}, None, ""),
        ({"command": ["sh"]}, "srun -n {ranks}", "cluster.launcher: {ranks} has no value"),
    ],
)
def test_programs_and_files_of_a_command_are_looked_for(
    tmp_path: Path, settings: dict[str, object], launcher: str | None, missing: str
) -> None:
    (tmp_path / "there.py").touch(mode=0o755)
    found = looked(EvaluateConfig(folder=tmp_path, **settings), launcher)
    expected = missing.replace("{folder}", str(tmp_path))
    assert expected in found.missing if missing else found.missing == ""


def test_a_folder_that_the_machine_does_not_have_is_named(tmp_path: Path) -> None:
    config = EvaluateConfig(folder=tmp_path / "elsewhere", call="objective.py:f")
    assert looked(config).missing == f"there is no folder {tmp_path / 'elsewhere'} on this machine"
