"""Scratch of a job on its node."""

from __future__ import annotations

import stat
from pathlib import Path

from asktell.job.crew import private_folder


def test_scratch_is_private_and_the_same_for_every_job_on_a_node(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "not there yet")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert private_folder(tmp_path / "not there yet") == folder


def test_a_name_that_somebody_took_is_not_used(tmp_path: Path) -> None:
    folder = private_folder(tmp_path)
    folder.chmod(0o777)
    other = private_folder(tmp_path)
    assert other != folder
    assert stat.S_IMODE(other.stat().st_mode) == 0o700
    folder.rmdir()
    folder.symlink_to(other)
    assert private_folder(tmp_path) != folder
