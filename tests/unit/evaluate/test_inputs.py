import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asktell.config import EvaluateConfig
from asktell.errors import ConfigError
from asktell.evaluate.inputs import arguments, fill, rendered_name, seed_of, study_environment
from asktell.execute.protocol import Task

TASK = Task(4, 2, {"width": 0.1, "kind": "a b"}, "token")


def test_placeholders_take_formats_and_braces_stay() -> None:
    assert fill("{width:.3f} {{width}} {kind!r}", TASK.params) == "0.100 {width} 'a b'"


@pytest.mark.parametrize("text", ["{height}", "{width.real}", "{kind[0]}", "{}", "{0}"])
def test_placeholders_are_plain_names_only(text: str) -> None:
    with pytest.raises(ConfigError, match="has no value in this trial; there are width, kind"):
        fill(text, TASK.params)


@pytest.mark.parametrize("text", ["{width", "width}", "{width:d}"])
def test_a_malformed_placeholder_is_an_error_of_the_study(text: str) -> None:
    with pytest.raises(ConfigError, match=r"evaluate\.command"):
        fill(text, TASK.params)


@given(st.floats(allow_nan=False), st.text(st.characters(exclude_characters="\0")))
def test_numbers_survive_and_the_shell_sees_one_word(number: float, text: str) -> None:
    assert float(fill("{x}", {"x": number})) == number
    assert shlex.split("echo " + fill("{x}", {"x": text}, quote=True)) == ["echo", text]


def test_a_program_beside_the_study_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "run.sh").touch()
    config = EvaluateConfig(
        folder=tmp_path, command=["./run.sh", "run.sh", "{trial}", "{attempt}", "{folder}"]
    )
    assert arguments(TASK, Path("there"), config) == (
        str(tmp_path / "run.sh"),
        "run.sh",
        "4",
        "2",
        str(tmp_path),
    )


@pytest.mark.parametrize(
    ("template", "name"), [("in/filter.cir.j2", "filter.cir"), ("a.jinja", "a"), ("plain.txt", "plain.txt")]
)
def test_rendered_names(template: str, name: str) -> None:
    assert rendered_name(template) == name


def test_seeds_differ_between_trials_and_studies() -> None:
    seeds = {seed_of(name, number) for name in ("a", "b") for number in range(500)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_the_studys_own_variables_have_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    config = EvaluateConfig(call="a.py:f", env={"MKL_NUM_THREADS": "2"})
    environment = study_environment(config, 4, Path("/study"), "study")
    assert (environment["OMP_NUM_THREADS"], environment["MKL_NUM_THREADS"]) == ("4", "2")
