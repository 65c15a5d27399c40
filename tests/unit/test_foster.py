"""Who is waited for: attempts that give signs of life, judged by the driver's own clock."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from asktell.cluster import alive
from asktell.cluster.alive import Attempt, SignOfLife
from asktell.foster import Foster


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _beat(path: Path, beat: int, number: int = 3) -> None:
    path.write_text(f'{{"number": {number}, "attempt": 1, "token": "t{number}", "beat": {beat}}}')


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def foster(tmp_path: Path, clock: Clock) -> Foster:
    return Foster(tmp_path, ttl_s=30.0, clock=clock)


def test_without_a_folder_nobody_lives(tmp_path: Path) -> None:
    assert Foster(tmp_path / "alive").living() == frozenset()


def test_who_beats_lives_for_as_long_as_it_beats(foster: Foster, clock: Clock, tmp_path: Path) -> None:
    for beat in range(5):
        _beat(tmp_path / "n1-7-a.json", beat)
        assert foster.living() == {(3, 1, "t3")}
        clock.now += 29


def test_who_beats_no_more_is_dead_after_the_ttl_and_its_file_goes(
    foster: Foster, clock: Clock, tmp_path: Path
) -> None:
    _beat(tmp_path / "n1-7-a.json", 1)
    _beat(tmp_path / "n2-8-b.json", 1, number=4)
    foster.living()
    clock.now += 20
    _beat(tmp_path / "n2-8-b.json", 2, number=4)
    foster.living()
    clock.now += 10
    assert foster.living() == {(4, 1, "t4")}
    assert [path.name for path in tmp_path.iterdir()] == ["n2-8-b.json"]


def test_an_attempt_whose_file_is_gone_has_ended_at_once(foster: Foster, tmp_path: Path) -> None:
    _beat(tmp_path / "n1-7-a.json", 1)
    assert foster.living()
    (tmp_path / "n1-7-a.json").unlink()
    assert not foster.living()


def test_a_file_from_long_ago_is_not_trusted_before_it_changes(
    foster: Foster, clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "n1-7-a.json"
    _beat(path, 1)
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    assert not foster.living()
    clock.now += 5
    _beat(path, 2)
    assert foster.living() == {(3, 1, "t3")}


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"number": 1}'])
def test_what_is_no_sign_of_life_is_passed_over(foster: Foster, tmp_path: Path, content: str) -> None:
    (tmp_path / "n1-7-a.json").write_text(content)
    assert not foster.living()


def test_a_beat_that_is_read_half_written_still_is_one(foster: Foster, clock: Clock, tmp_path: Path) -> None:
    _beat(tmp_path / "n1-7-a.json", 1)
    foster.living()
    clock.now += 29
    (tmp_path / "n1-7-a.json").write_text('{"number": 3, "att')
    assert foster.living() == {(3, 1, "t3")}


def test_a_worker_beats_from_the_beginning_to_the_end_of_its_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(alive, "BEAT_S", 0.02)
    folder = tmp_path / "alive"
    foster = Foster(folder, clock=clock)
    with SignOfLife(folder, Attempt(9, 2, "token"), job="77"):
        (path,) = folder.iterdir()
        assert foster.living() == {(9, 2, "token")}
        for _ in range(3):
            before = path.read_bytes()
            while path.read_bytes() == before:
                time.sleep(0.005)
            clock.now += 29
            assert foster.living() == {(9, 2, "token")}
    assert not list(folder.iterdir())


def test_a_worker_that_was_given_up_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alive, "BEAT_S", 0.01)
    folder = tmp_path / "alive"
    sign = SignOfLife(folder, Attempt(9, 2, "token"), job="77")
    with sign:
        next(folder.iterdir()).unlink()
        sign._thread.join(10)
        assert not list(folder.iterdir())
