import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asktell.config import EvaluateConfig
from asktell.errors import ConfigError
from asktell.evaluate.inputs import (
    Resources,
    arguments,
    attempt_environment,
    fill,
    rendered_name,
    seed_of,
    study_environment,
)
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
    environment = study_environment(config, Resources(4), Path("/study"), "study")
    assert (environment["OMP_NUM_THREADS"], environment["MKL_NUM_THREADS"]) == ("4", "2")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"command": ["./solve", "{width}"]}, ("srun", "-n", "4", "./solve", "0.1")),
        (
            {"command": "solve {kind} > out", "shell": True},
            ("/bin/sh", "-c", "srun -n 4 solve 'a b' > out"),
        ),
    ],
)
def test_a_launcher_goes_before_the_command(
    tmp_path: Path, settings: dict[str, object], expected: tuple[str, ...]
) -> None:
    config = EvaluateConfig(folder=tmp_path, **settings)
    launcher = Resources(4, launcher="srun -n {cpus}").launch()
    assert arguments(TASK, Path("there"), config, launcher) == expected


def test_a_launcher_names_its_own_key_when_it_is_wrong() -> None:
    with pytest.raises(ConfigError, match=r"cluster\.launcher: \{ranks\} has no value"):
        Resources(4, launcher="srun -n {ranks}").launch()


def test_ranks_get_a_thread_each_and_the_trial_its_cores() -> None:
    config = EvaluateConfig(command=["solve"])
    environment = study_environment(config, Resources(4, 2, "mpirun -np {cpus}"), Path("/study"), "study")
    assert environment["OMP_NUM_THREADS"] == "1"
    assert (environment["ASKTELL_CPUS"], environment["ASKTELL_GPUS"]) == ("4", "2")


@pytest.mark.parametrize(
    ("found", "launcher", "kept"),
    [
        ({"SLURM_MEM_PER_NODE"}, None, {"SLURM_MEM_PER_NODE"}),
        ({"SLURM_MEM_PER_NODE"}, "srun -n {cpus}", {"SLURM_EXACT"}),
        ({"SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU"}, None, set()),
        ({"SLURM_STEP_ID"}, None, {"SLURM_STEP_ID", "SLURM_OVERLAP"}),
    ],
)
def test_steps_can_start_in_a_job(
    monkeypatch: pytest.MonkeyPatch, found: set[str], launcher: str | None, kept: set[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    for name in found | {"SLURM_JOB_ID"}:
        monkeypatch.setenv(name, "1")
    resources = Resources(1, launcher=launcher)
    environment = study_environment(EvaluateConfig(command=["solve"]), resources, Path("/study"), "study")
    assert {name for name in environment if name.startswith("SLURM_")} == kept | {"SLURM_JOB_ID"}


def test_all_attempts_of_a_trial_share_a_folder_for_checkpoints() -> None:
    trial = Path("/study/trials/000004")
    places = {attempt_environment(TASK, trial / at, "study")["ASKTELL_CHECKPOINT"] for at in "01"}
    assert places == {"/study/trials/000004/checkpoint"}
    config = EvaluateConfig(command=["solve", "--restart={checkpoint}"])
    assert arguments(TASK, trial / "2", config)[1] == "--restart=/study/trials/000004/checkpoint"
