"""Files that are replaced whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from asktell.durable import replace_files


def test_files_get_their_new_contents(tmp_path: Path) -> None:
    wanted = {tmp_path / name: name.encode() * 10 for name in "abc"}
    (tmp_path / "a").write_text("old")
    replace_files(wanted.items())
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == wanted


def test_a_failure_leaves_old_contents_and_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(FileNotFoundError):
        replace_files([(tmp_path / "a", b"new"), (tmp_path / "no folder" / "b", b"new")])
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
