"""What a study file may say, and where its values come from."""

from __future__ import annotations

import random
import textwrap
from pathlib import Path

import pytest

from asktell.config import StudyConfig, check_resume, from_resolved, load, parse, resolved, with_overrides
from asktell.errors import ConfigError

OBJECTIVE = "def evaluate(**parameters):\n    return 0.0\n"
STUDY = """\
evaluate: {call: objective.py:evaluate}
space:
  x: {type: real, low: 1e-3, high: 1}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "objective.py").write_text(OBJECTIVE)
    return tmp_path


def study(folder: Path, text: str = STUDY, name: str = "study.yaml", **options: object) -> StudyConfig:
    file = folder / name
    file.write_text(textwrap.dedent(text))
    return load(file, **{"environ": {"XDG_CONFIG_HOME": str(folder / "nowhere")}, **options})  # type: ignore[arg-type]  # options of one test each


def messages(caught: pytest.ExceptionInfo[ConfigError]) -> str:
    return str(caught.value)


def test_the_study_of_the_design_document(folder: Path) -> None:
    config = study(
        folder,
        """\
        name: connectome
        evaluate: {call: objective.py:evaluate, timeout: 30min}
        space:
          fa_threshold: {type: real, low: 0.05, high: 0.3}
          step_size:    {type: real, low: 0.1, high: 2.0, log: true}
          min_length:   {type: integer, low: 5, high: 50}
          method:       {type: categorical, choices: [deterministic, probabilistic]}
          max_angle:    {type: real, low: 10, high: 80, when: {method: [probabilistic]}}
          seeds: 4
        constraints: ["min_length < 10 * step_size + 40", "0.1 <= density < 0.9", "1 > density"]
        objectives: {quality: maximize}
        optimizer: {engine: skopt, seed: 7, initial: 10}
        schedule: {hybrid: 4}
        budget: {trials: 200, wall_time: 2-00:00:00}
        cluster: {kind: local, workers: 8}
        outputs: {matrix: [roi, roi_2]}
        """,
    )
    space = config.build_space()
    assert space.names == ("fa_threshold", "step_size", "min_length", "method", "max_angle", "seeds")
    assert space.constraints == ("min_length < 10 * step_size + 40",)
    assert config.outcome_bounds() == {"density": (0.1, 0.9)}
    assert config.evaluate.timeout_s == 1800
    assert config.evaluate.folder == folder
    assert config.budget.wall_time_s == 2 * 86400
    assert (config.schedule.kind, config.schedule.k) == ("hybrid", 4)
    assert config.objectives["quality"].direction == "maximize"
    assert config.outputs["matrix"].dims == ["roi", "roi_2"]


def test_defaults_stand_where_a_section_is_left_empty(folder: Path) -> None:
    config = study(folder, STUDY + "budget:\n  # trials: 20\nschedule:\n")
    assert config == study(folder)
    assert config.objectives.keys() == {"objective"}


@pytest.mark.parametrize(
    ("written", "choices"),
    [
        ("[on, off, no, yes]", ["on", "off", "no", "yes"]),
        ("[true, text]", [True, "text"]),
        ("[1e-3, 1e5, 010]", [1e-3, 1e5, 10]),
        ("[1:30, 2024-01-01, 1_000]", ["1:30", "2024-01-01", "1_000"]),
    ],
)
def test_yaml_is_read_as_people_expect(folder: Path, written: str, choices: list[object]) -> None:
    config = study(folder, STUDY + f"  m: {{type: ordinal, choices: {written}}}\n")
    found = config.dump()["space"]["m"]["choices"]
    assert [(type(a), a) for a in found] == [(type(a), a) for a in choices]


@pytest.mark.parametrize(
    ("file", "parent", "name"),
    [("study.yaml", "my pipeline", "my-pipeline"), ("branin.yaml", "x", "branin"), ("a b.yml", "x", "a-b")],
)
def test_the_name_comes_from_the_file_or_its_folder(
    tmp_path: Path, file: str, parent: str, name: str
) -> None:
    folder = tmp_path / parent
    folder.mkdir()
    (folder / "objective.py").write_text(OBJECTIVE)
    assert study(folder, name=file).name == name


def test_variables_are_expanded(folder: Path) -> None:
    environ = {"WORKERS": "3", "HERE": "/data/run", "XDG_CONFIG_HOME": "/nowhere"}
    text = STUDY + 'cluster: {workers: "${WORKERS}"}\n'
    text = text.replace(
        "evaluate}", "evaluate, env: {DATA: '${HERE}/raw', MODE: '${MODE:-fast}', PRICE: '$${WORKERS}'}}"
    )
    config = study(folder, text, environ=environ)
    assert config.cluster.workers == 3
    assert config.evaluate.env == {"DATA": "/data/run/raw", "MODE": "fast", "PRICE": "${WORKERS}"}
    with pytest.raises(ConfigError, match=r"study.yaml:4: cluster.workers: .*WORKERS is not set; export it"):
        study(folder, text, environ={"HERE": "", "XDG_CONFIG_HOME": "/nowhere"})


def test_set_overrides_the_file(folder: Path) -> None:
    overrides = ["budget.trials=20", "schedule={hybrid: 2}", "space.x.high=1e1", "cluster.workers=4"]
    config = study(folder, STUDY + "budget: {trials: 5, patience: 3}\n", overrides=overrides)
    assert (config.budget.trials, config.budget.patience, config.schedule.k) == (20, 3, 2)
    assert config.dump()["space"]["x"]["high"] == 10.0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("budget.trails=20", "--set: budget.trails: is not a key that asktell knows; did you mean 'trials'"),
        (
            "cluster.gpus=1",
            "--set: cluster.gpus: is not a key that asktell knows; did you mean 'gpus_per_trial'",
        ),
        (
            "cluster.driver.cores=2",
            "--set: cluster.driver.cores: is not a key that asktell knows; did you mean 'cpus'",
        ),
        ("optimiser.seed=1", "--set: optimiser: is not a key that asktell knows; did you mean 'optimizer'"),
        ("budget.trials=many", "--set: budget.trials: must be a whole number"),
        ("budget", "--set: 'budget' sets nothing; write --set key.path=value"),
        ("schedule.kind.k=3", "--set: schedule.kind.k: schedule is 'async', not a section"),
        ("space.x=[", "--set: space.x: a bracket is not closed"),
    ],
)
def test_a_wrong_override_is_named(folder: Path, setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(folder, STUDY + "schedule: async\n", overrides=[setting])
    assert messages(caught).startswith(message)
    assert len(caught.value.problems) == 1


def test_a_sites_defaults_lie_beneath_the_study(folder: Path) -> None:
    site = folder / "asktell" / "site.yaml"
    site.parent.mkdir()
    site.write_text("cluster: {workers: 12, cpus_per_trial: 2}\nstore: {publish_every: 30s}\n")
    text = STUDY + "cluster: {workers: 4}\n"
    for environ in ({"XDG_CONFIG_HOME": str(folder)}, {"ASKTELL_SITE": str(site)}):
        config = study(folder, text, environ=environ)
        assert (config.cluster.workers, config.cluster.cpus_per_trial) == (4, 2)
        assert config.store.publish_every_s == 30
    assert study(folder, text).cluster.cpus_per_trial == 1
    site.write_text("cluster: {kind: address, address: 'tcp://node:8786'}\n")
    assert study(folder, STUDY + "cluster: {kind: local}\n", site=site).cluster.address is None


SLURM_SITE = """\
cluster: {kind: slurm, jobs: 8, queue: main, walltime: 2h, prologue: module load python}
"""


def test_a_study_for_the_cluster_runs_on_a_laptop_and_the_other_way_round(folder: Path) -> None:
    site = folder / "site.yaml"
    site.write_text(SLURM_SITE)
    batch = STUDY + "cluster: {kind: slurm, jobs: 4, walltime: 2h, memory: 8GB}\n"
    assert study(folder, batch, overrides=["cluster.kind=local"]).cluster.width is None
    local = STUDY + "cluster: {kind: local, workers: 2}\n"
    assert study(folder, local, site=site).cluster.walltime_s is None
    config = study(folder, local, site=site, overrides=["cluster.kind=slurm"])
    assert (config.cluster.width, config.cluster.jobs, config.cluster.queue) == (2, 8, "main")
    resumed = with_overrides(study(folder, batch), ["cluster.kind=local"])
    assert with_overrides(resumed, ["budget.trials=7"]).cluster.kind == "local"


def test_a_sites_job_settings_wait_for_a_study_that_has_jobs(folder: Path) -> None:
    site = folder / "site.yaml"
    site.write_text("cluster: {queue: main, walltime: 2h}\n")
    assert study(folder, site=site).cluster.kind == "local"
    assert study(folder, STUDY + "cluster: {kind: slurm}\n", site=site).cluster.walltime_s == 7200
    with pytest.raises(ConfigError, match=r"--set: cluster.walltime: means nothing with kind local"):
        study(folder, site=site, overrides=["cluster.walltime=1h"])


def test_a_partition_is_a_queue(folder: Path) -> None:
    site = folder / "site.yaml"
    site.write_text(SLURM_SITE)
    written = STUDY + "cluster: {partition: long, driver: {partition: small}}\n"
    config = study(folder, written, site=site)
    assert (config.cluster.queue, config.cluster.driver.queue) == ("long", "small")
    assert study(folder, written, site=site, overrides=["cluster.queue=short"]).cluster.queue == "short"
    assert with_overrides(config, ["cluster.partition=short"]).cluster.queue == "short"


PROFILES = sorted((Path(__file__).parents[3] / "hpc" / "sites").glob("*.yaml"))


@pytest.mark.parametrize("site", PROFILES, ids=lambda site: site.stem)
def test_a_site_profile_makes_a_study_run_in_batch_jobs(folder: Path, site: Path) -> None:
    config = study(folder, site=site)
    assert config.cluster.is_batch
    assert config.cluster.walltime_s is not None


def test_a_wrong_site_file_is_named_itself(folder: Path) -> None:
    site = folder / "site.yaml"
    site.write_text("cluster:\n  wokers: 12\nspace: {}\n")
    with pytest.raises(ConfigError) as caught:
        study(folder, site=site)
    assert [(item.file, item.line) for item in caught.value.problems] == [(str(site), 2), (str(site), 3)]


def test_all_problems_come_at_once_and_in_order(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        study(
            folder,
            """\
            evaluate: {call: objective.py:evaluate, timeuot: 3}
            space:
              x: {type: real, low: 2, high: 1}
              y: {type: boolean, when: {x: true, z: 1}}
            budget: {trials: -1}
            objectives: {x: minimize}
            """,
        )
    assert [item.line for item in caught.value.problems] == [1, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file; asktell init"),
        (b"name: \xff\xfe\nspace: {}", ":1: is not UTF-8 text"),
        (b"a: 1\n---\nb: 2", "holds more than one document"),
        (b"space: &a {x: *a}", "an alias stands inside its own anchor"),
        (b"[" * 500, "is nested too deeply"),
        (b"name: \x00", "holds a character that YAML does not allow"),
        (b"", "space: is missing"),
    ],
)
def test_files_that_are_no_studies(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "study.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file, environ={"XDG_CONFIG_HOME": str(tmp_path)})
    assert message in messages(caught)
    assert messages(caught).startswith(str(file))


def test_a_resolved_study_reads_back_as_equal(folder: Path) -> None:
    text = (
        STUDY + '  m: {type: categorical, choices: ["no", "1e3", "${X:-y}", "${A", "true"], when: {x: [1]}}\n'
    )
    text = text.replace("real, low: 1e-3, high: 1", "integer, low: 1, high: 3").replace('"${A", ', "")
    config = resolved(study(folder, text), random.Random(1))
    assert config.optimizer.seed is not None
    assert resolved(config) is config
    file = folder / "resolved.yaml"
    file.write_text(config.to_yaml())
    (folder / "objective.py").unlink()
    assert from_resolved(file) == config
    # A journal keeps the dump as JSON, and gives lists back as tuples.
    assert (
        from_resolved({key: tuple(v) if isinstance(v, list) else v for key, v in config.dump().items()})
        == config
    )


def test_a_file_that_is_not_python_is_named_with_its_line(folder: Path) -> None:
    (folder / "objective.py").write_text("\ndef evaluate(x:\n    return x\n")
    with pytest.raises(
        ConfigError, match=r"study.yaml:1: evaluate.call: .*objective.py:2: .* correct the file"
    ):
        study(folder)


def test_parse_is_load_without_a_file(folder: Path) -> None:
    data = {
        "name": "study",
        "evaluate": {"call": "objective.py:evaluate"},
        "space": {"x": {"type": "boolean"}},
    }
    config = parse(data, folder)
    assert config.evaluate.folder == folder
    with pytest.raises(ConfigError, match="defines no 'evaluat'; did you mean 'evaluate'"):
        parse({**data, "evaluate": {"call": "objective.py:evaluat"}}, folder)


def test_a_resume_may_change_where_and_how_long_but_not_what(folder: Path) -> None:
    old = resolved(study(folder))
    overrides = ["budget.trials=500", "cluster.workers=9", "schedule=batch", "evaluate.timeout=2h"]
    assert check_resume(old, with_overrides(old, overrides)) == []
    new = with_overrides(old, ["space.x.high=2", "optimizer.seed=1", "objectives={y: maximize}"])
    places = {item.place for item in check_resume(old, new)}
    assert places == {"space.x.high", "optimizer.seed", "objectives.objective", "objectives.y"}
    assert all(item.remedy for item in check_resume(old, new))


def test_a_resume_may_not_reorder_the_space(folder: Path) -> None:
    first = study(folder, STUDY + "  y: {type: boolean}\n")
    second = parse({**first.dump(), "space": dict(reversed(first.dump()["space"].items()))}, folder)
    assert [item.place for item in check_resume(first, second)] == ["space"]
