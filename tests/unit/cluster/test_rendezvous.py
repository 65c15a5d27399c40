"""Finding the driver of the moment, and what a job leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from asktell.cluster import last_words, rendezvous
from asktell.cluster.last_words import LastWords
from asktell.cluster.rendezvous import Rendezvous
from asktell.directory import StudyDirectory


@pytest.fixture
def directory(tmp_path: Path) -> StudyDirectory:
    return StudyDirectory(tmp_path)


def test_before_the_first_driver_there_is_nobody(directory: StudyDirectory) -> None:
    assert rendezvous.read(directory) is None


def test_the_last_driver_that_announced_itself_is_found(directory: StudyDirectory) -> None:
    rendezvous.announce(directory, "tls://10.0.0.1:4001", 1)
    rendezvous.announce(directory, "tls://10.0.0.2:4002", 2)
    assert rendezvous.read(directory) == Rendezvous("tls://10.0.0.2:4002", 2)


def test_a_driver_that_hands_over_says_until_when_to_wait_for_the_next(directory: StudyDirectory) -> None:
    rendezvous.announce(directory, "tls://10.0.0.1:4001", 1)
    rendezvous.hand_over(directory, 1, 1e9)
    assert rendezvous.read(directory) == Rendezvous("tls://10.0.0.1:4001", 1, 1e9)
    rendezvous.announce(directory, "tls://10.0.0.1:4002", 2)
    assert rendezvous.read(directory) == Rendezvous("tls://10.0.0.1:4002", 2)


def test_after_a_withdrawal_nobody_is_expected(directory: StudyDirectory) -> None:
    rendezvous.announce(directory, "tls://10.0.0.1:4001", 1)
    rendezvous.withdraw(directory, 1)
    rendezvous.withdraw(directory, 1)
    assert rendezvous.read(directory) is None


def test_a_driver_that_wakes_up_too_late_takes_nothing_back_from_its_successor(
    directory: StudyDirectory,
) -> None:
    rendezvous.announce(directory, "tls://10.0.0.1:4002", 2)
    rendezvous.withdraw(directory, 1)
    rendezvous.hand_over(directory, 1, 1e9)
    assert rendezvous.read(directory) == Rendezvous("tls://10.0.0.1:4002", 2)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"port": 1}'])
def test_a_damaged_file_counts_as_none_and_is_logged(
    directory: StudyDirectory, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    directory.scheduler.write_text(content)
    assert rendezvous.read(directory) is None
    assert "scheduler.json" in caplog.text


@pytest.mark.parametrize(
    "job", ["1234", "77[3].pbs01.site.org", "../../etc/passwd", "a b", "12.0", "..", "é"]
)
def test_last_words_are_found_under_any_job_id_and_stay_in_their_folder(
    directory: StudyDirectory, job: str
) -> None:
    words = LastWords("SIGTERM", at=1e9, ends_at=1e9 + 5, host="node3")
    last_words.write(directory, job, words)
    assert last_words.read(directory, job) == words
    assert len(list(directory.jobs.iterdir())) == 1
    last_words.forget(directory, job)
    assert last_words.read(directory, job) is None


def test_two_jobs_do_not_share_their_last_words(directory: StudyDirectory) -> None:
    last_words.write(directory, "7[1]", LastWords("SIGTERM", 1.0))
    assert last_words.read(directory, "7_1_") is None
