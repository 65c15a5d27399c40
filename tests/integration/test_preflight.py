"""The preflight where no batch system is needed: processes on this machine, and a scheduler of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from distributed import LocalCluster

from asktell.config import StudyConfig, parse
from asktell.preflight import Check, Mark, Report, preflight

STUDY = {
    "name": "flight",
    "evaluate": {"call": "objective.py:evaluate"},
    "space": {"x": {"type": "real", "low": 0, "high": 1}},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "objective.py").write_text("def evaluate(x):\n    open('called', 'w')\n    return x\n")
    return tmp_path


def study(folder: Path, **cluster: object) -> StudyConfig:
    return parse({**STUDY, "cluster": cluster}, folder)


def flown(config: StudyConfig) -> tuple[Report, dict[str, Check]]:
    report = preflight(config, say=lambda text: None)
    return report, {check.name: check for check in report.checks}


def test_a_local_study_is_tried_out_and_leaves_nothing(folder: Path) -> None:
    before = set(folder.iterdir())
    report, checks = flown(study(folder, kind="local", workers=2))
    assert report.is_ok, report
    assert {"python", "packages", "objective", "study files", "scratch", "clocks", "cores"} <= checks.keys()
    assert all(checks[name].mark is Mark.OK for name in ("python", "packages", "objective", "study files"))
    assert {path for path in folder.iterdir() if path.name != "__pycache__"} == before


def test_an_objective_that_does_not_import_there_is_told_and_the_rest_is_still_looked_at(
    folder: Path,
) -> None:
    config = study(folder, kind="local", workers=1)
    (folder / "objective.py").write_text("import no_such_library\n")
    report, checks = flown(config)
    assert not report.is_ok
    assert "No module named 'no_such_library'" in checks["objective"].seen
    assert checks["study files"].mark is Mark.OK
    assert report.kept is not None
    assert report.kept.is_dir()


@pytest.mark.parametrize("workers", [1, 0])
def test_a_scheduler_of_ones_own_is_tried_out_through_a_worker_of_its(
    folder: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asktell.preflight.course.JOIN_S", 2.0)
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None
    ) as own:
        report, checks = flown(study(folder, kind="address", address=own.scheduler_address))
    assert report.is_ok is (workers > 0)
    assert checks["connection"].mark is (Mark.OK if workers else Mark.FAILED)


def test_a_scheduler_that_is_not_there_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asktell.cluster.local.CONNECT_TIMEOUT_S", 0.5)
    report, checks = flown(study(folder, kind="address", address="tcp://127.0.0.1:1"))
    assert not report.is_ok
    assert "no dask scheduler answers at tcp://127.0.0.1:1" in checks["driver"].seen
