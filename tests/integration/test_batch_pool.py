"""A driver's pool of jobs on a batch system made of shell scripts: trouble leaves no job behind."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asktell.cluster import rendezvous
from asktell.cluster.batch import BatchPool
from asktell.cluster.job_log import JobLog
from asktell.cluster.leftovers import cancel_leftovers
from asktell.config import parse
from asktell.creation import create
from asktell.directory import StudyDirectory
from asktell.journal import open_driver
from asktell.records import Opened

SBATCH = """\
#!/bin/sh
n=$(($(cat "$FAKE/last") + 1))
echo $n > "$FAKE/last"
echo "$n|PENDING||N/A|Priority" >> "$FAKE/queue"
if [ -e "$FAKE/loses" ]; then rm "$FAKE/loses"; echo "Socket timed out on send/recv operation" >&2; exit 1; fi
echo $n
"""
SQUEUE = """\
#!/bin/sh
if [ -e "$FAKE/blinks" ]; then rm "$FAKE/blinks"; exit 0; fi
cat "$FAKE/queue"
"""
SACCT = "#!/bin/sh\nexit 1\n"  # no accounting here
SCANCEL = '#!/bin/sh\necho "$@" >> "$FAKE/cancelled"\n: > "$FAKE/queue"\n'

STUDY = {
    "name": "toy",
    "evaluate": {"command": ["true"]},
    "space": {"x": {"type": "real", "low": 0, "high": 1}},
    "objectives": {"f": "minimize"},
    "optimizer": {"engine": "random"},
    "budget": {"trials": 9},
    "cluster": {"kind": "slurm", "jobs": 2, "submit_every": "0s", "interface": "lo"},
}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The batch system's folder."""
    folder = tmp_path / "fake"
    folder.mkdir()
    scripts = {"sbatch": SBATCH, "squeue": SQUEUE, "sacct": SACCT, "scancel": SCANCEL}
    for name, script in scripts.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (folder / "last").write_text("100")
    (folder / "queue").touch()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(folder))
    return folder


@pytest.fixture
def directory(tmp_path: Path) -> StudyDirectory:
    return create(parse(STUDY), tmp_path / "toy.study")


@pytest.fixture
def pool(fake: Path, directory: StudyDirectory) -> Iterator[BatchPool]:
    """Of the first driver."""
    pool = BatchPool(parse(STUDY), directory, 1)
    pool.connect()
    yield pool
    pool.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def queued(fake: Path) -> list[str]:
    return [line.partition("|")[0] for line in (fake / "queue").read_text().splitlines()]


def cancelled(fake: Path) -> list[str]:
    path = fake / "cancelled"
    return path.read_text().split() if path.exists() else []


def test_jobs_are_cancelled_though_the_study_s_folder_is_gone(
    fake: Path, directory: StudyDirectory, pool: BatchPool
) -> None:
    pool.keep([], 2)
    until(lambda: queued(fake) == ["101", "102"])
    shutil.rmtree(directory.root)
    pool.close()
    assert cancelled(fake) == ["101", "102"]


def test_a_driver_that_another_one_has_replaced_leaves_the_jobs_to_that_one(
    fake: Path, directory: StudyDirectory, pool: BatchPool
) -> None:
    pool.keep([], 1)
    until(lambda: queued(fake) == ["101"])
    first = Opened(0, time.time(), config={}, versions={}, code="")
    for _ in range(2):
        journal = open_driver(directory.journal, first)
        journal.close()
    theirs = rendezvous.Rendezvous("tls://10.0.0.2:1", journal.token)
    rendezvous.announce(directory, theirs.address, theirs.session)
    pool.close()
    assert cancelled(fake) == []
    assert rendezvous.read(directory) == theirs


def test_a_job_whose_number_was_lost_on_the_way_is_found_and_not_submitted_twice(
    fake: Path, directory: StudyDirectory, pool: BatchPool
) -> None:
    (fake / "loses").touch()
    pool.keep([], 2)
    log = JobLog(directory.jobs / "jobs.jsonl")
    until(lambda: [item.job for item in log.read()] == ["101", "102"])
    assert queued(fake) == ["101", "102"]
    pool.close()
    assert cancelled(fake) == ["101", "102"]


def test_what_a_killed_driver_has_left_is_cancelled_by_who_does_not_take_it_over(
    fake: Path, directory: StudyDirectory
) -> None:
    config = parse(STUDY)
    log = JobLog(directory.jobs / "jobs.jsonl")
    directory.jobs.mkdir()
    for name, kind in (("s1-1", "slurm"), ("s1-2", "slurm"), ("s1-3", "step"), ("s1-4", "lsf")):
        log.intend(name, 1, "shape", kind)
    log.submitted("s1-1", "101")  # the other number was lost with its driver
    (fake / "queue").write_text("101|RUNNING|c1|N/A|None\n102|PENDING||N/A|Priority\n")
    assert cancel_leftovers(config, directory, running=False, spare="slurm") == []
    assert cancel_leftovers(config, directory, running=False) == ["102"]
    (fake / "queue").write_text("101|RUNNING|c1|N/A|None\n102|CANCELLED||N/A|None\n")
    assert cancel_leftovers(config, directory, running=True) == ["101"]
    assert cancelled(fake) == ["102", "101"]


def test_jobs_of_another_kind_are_not_asked_for_and_not_forgotten(
    fake: Path, directory: StudyDirectory, pool: BatchPool
) -> None:
    log = JobLog(directory.jobs / "jobs.jsonl")
    log.intend("s0-1", 0, "shape", "pbs")
    log.submitted("s0-1", "7.server")
    pool.keep([], 1)
    until(lambda: queued(fake) == ["101"])
    pool.close()
    assert cancelled(fake) == ["101"]
    assert "7.server" in [item.job for item in log.read() if not item.is_over]


def test_an_empty_answer_at_the_start_forgets_no_job(
    fake: Path, directory: StudyDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asktell.cluster.batch.ASK_AGAIN_S", 0.1)
    first = BatchPool(parse(STUDY), directory, 1)
    first.connect()
    first.keep([], 1)
    until(lambda: queued(fake) == ["101"])
    first.close(hand_over=True)
    (fake / "blinks").touch()
    second = BatchPool(parse(STUDY), directory, 2)
    second.connect()
    second.keep([], 2)
    until(lambda: queued(fake) == ["101", "102"])
    second.close()
    assert cancelled(fake) == ["101", "102"]
