"""A driver's heart notices who has the study, and whether it is there at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asktell.errors import JournalError, StudyLocked
from asktell.heart import Heart
from asktell.journal import DriverJournal, open_driver
from asktell.records import Opened


@pytest.fixture
def journal(tmp_path: Path) -> DriverJournal:
    return open_driver(tmp_path / "journal", Opened(token=0, at=1.0))


@pytest.fixture
def heart(journal: DriverJournal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Heart]:
    monkeypatch.setattr("asktell.heart.BEAT_S", 0.02)
    heart = Heart(journal)
    heart.start()
    yield heart
    heart.close()


def raises(error: type[Exception], action: Callable[[], None]) -> bool:
    try:
        action()
    except error:
        return True
    return False


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def test_a_study_that_was_moved_away_is_said_to_be_gone_and_not_to_be_another_driver_s(
    heart: Heart, tmp_path: Path
) -> None:
    heart.check()
    (tmp_path / "journal").rename(tmp_path / "elsewhere")
    until(lambda: raises(JournalError, heart.check))


def test_a_file_system_that_blinks_costs_nothing(
    heart: Heart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asktell.heart.MISSING_BEATS", 10**9)
    (tmp_path / "journal").rename(tmp_path / "elsewhere")
    time.sleep(0.1)
    (tmp_path / "elsewhere").rename(tmp_path / "journal")
    (tmp_path / "journal" / "heartbeat").unlink()
    until((tmp_path / "journal" / "heartbeat").exists)
    heart.look()


def test_another_driver_is_noticed(heart: Heart, tmp_path: Path) -> None:
    (tmp_path / "journal" / "driver-000002.jsonl").touch()
    until(lambda: raises(StudyLocked, heart.check))
