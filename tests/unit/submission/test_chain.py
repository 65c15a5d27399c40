"""Driver jobs that follow each other, on a batch system made of three shell scripts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from asktell.config import StudyConfig
from asktell.directory import StudyDirectory
from asktell.errors import StudyError, StudyLocked
from asktell.journal import Segment
from asktell.records import StopRequested
from asktell.run import Study
from asktell.submission import HandOver, await_predecessor, cancel_drivers, read_chain, submit_driver

SBATCH = """\
#!/bin/sh
if [ -e "$FAKE/refuses" ]; then cat "$FAKE/refuses" >&2; exit 1; fi
n=$(($(cat "$FAKE/last") + 1))
echo $n > "$FAKE/last"
echo "$n|PENDING||N/A|Priority" >> "$FAKE/queue"
echo "$@" >> "$FAKE/submitted"
echo $n
"""
SQUEUE = '#!/bin/sh\ncat "$FAKE/queue"\n'
SCANCEL = '#!/bin/sh\necho "$@" >> "$FAKE/cancelled"\n'


@dataclass
class FakeSlurm:
    """Its commands; job numbers start at 101."""

    folder: Path

    def refuse(self, words: str) -> None:
        (self.folder / "refuses").write_text(words)

    def accept(self) -> None:
        (self.folder / "refuses").unlink()

    def run(self, job: str) -> None:
        """The job runs now, and is alone."""
        (self.folder / "queue").write_text(f"{job}|RUNNING|c1|N/A|None\n")

    @property
    def submitted(self) -> list[str]:
        return self._lines("submitted")

    @property
    def cancelled(self) -> list[str]:
        return self._lines("cancelled")

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, script in (("sbatch", SBATCH), ("squeue", SQUEUE), ("scancel", SCANCEL)):
        (commands / name).write_text(script)
        (commands / name).chmod(0o755)
    (tmp_path / "last").write_text("100")
    (tmp_path / "queue").touch()
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(tmp_path))
    return FakeSlurm(tmp_path)


def make(tmp_path: Path, **driver: Any) -> tuple[StudyConfig, StudyDirectory]:
    study = Study.create(
        {
            "name": "toy",
            "evaluate": {"command": ["true"]},
            "space": {"x": {"type": "real", "low": 0, "high": 1}},
            "optimizer": {"engine": "random"},
            "cluster": {"kind": "slurm", "driver": {"walltime": "1h", "warn_before": "2min", **driver}},
        },
        tmp_path / "toy.study",
    )
    return study.config, StudyDirectory(study.path)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def hand_over(
    config: StudyConfig, directory: StudyDirectory, job: str, clock: Clock | None = None
) -> HandOver:
    """As the driver in this job has it."""
    clock = clock or Clock()
    return HandOver(config, directory, environ={"SLURM_JOB_ID": job}, clock=clock, sleep=clock.sleep)


def test_each_driver_waits_for_the_end_of_the_one_before(slurm: FakeSlurm, tmp_path: Path) -> None:
    config, directory = make(tmp_path)
    assert submit_driver(config, directory, "slurm").job == "101"
    slurm.run("101")
    first = hand_over(config, directory, "101")
    assert first() == "handed over to job 102"
    slurm.run("102")
    second = hand_over(config, directory, "102")
    second()
    assert (first.successor, second.successor) == ("102", "103")
    assert slurm.submitted == [
        "--parsable driver.sh",
        "--parsable --dependency=afterany:101 driver.sh",
        "--parsable --dependency=afterany:102 driver.sh",
    ]
    chain = read_chain(directory)
    assert chain is not None
    assert [(link.job, link.after) for link in chain.links] == [("101", ""), ("102", "101"), ("103", "102")]


def test_a_script_that_was_edited_stays_edited(slurm: FakeSlurm, tmp_path: Path) -> None:
    config, directory = make(tmp_path)
    submit_driver(config, directory, "slurm")
    script = directory.jobs / "driver.sh"
    script.write_text(script.read_text() + "# mine\n")
    slurm.run("101")
    hand_over(config, directory, "101")()
    assert script.read_text().endswith("# mine\n")


def test_the_time_to_hand_over_is_counted_from_the_job_s_end(tmp_path: Path) -> None:
    config, directory = make(tmp_path)
    environ = {"SLURM_JOB_ID": "101", "SLURM_JOB_END_TIME": "2000000000"}
    assert HandOver(config, directory, environ=environ).at == 2_000_000_000 - 120


def test_without_word_of_its_end_it_is_counted_from_the_walltime(slurm: FakeSlurm, tmp_path: Path) -> None:
    config, directory = make(tmp_path)
    clock = Clock()
    assert hand_over(config, directory, "101", clock).at == clock.now + 3600 - 120


def test_a_refused_successor_is_tried_again_while_time_is_left(slurm: FakeSlurm, tmp_path: Path) -> None:
    config, directory = make(tmp_path)
    submit_driver(config, directory, "slurm")
    slurm.run("101")
    slurm.refuse("sbatch: error: Unable to contact slurm controller\n")
    clock = Clock()
    begun = clock.now

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now > begun + 30:
            slurm.accept()

    handing = HandOver(config, directory, environ={"SLURM_JOB_ID": "101"}, clock=clock, sleep=sleep)
    assert handing() == "handed over to job 102"


def test_the_last_refusal_is_told_before_the_time_is_over(slurm: FakeSlurm, tmp_path: Path) -> None:
    config, directory = make(tmp_path)
    submit_driver(config, directory, "slurm")
    slurm.run("101")
    slurm.refuse("sbatch: error: Invalid account\n")
    clock = Clock()
    begun = clock.now
    handing = hand_over(config, directory, "101", clock)
    reason = handing()
    assert "Invalid account" in reason
    assert "asktell submit" in reason
    assert handing.successor == ""
    assert begun < clock.now < begun + 120


def test_a_chain_has_an_end(slurm: FakeSlurm, tmp_path: Path) -> None:
    config, directory = make(tmp_path, max_links=2)
    submit_driver(config, directory, "slurm")
    slurm.run("101")
    hand_over(config, directory, "101")()
    slurm.run("102")
    handing = hand_over(config, directory, "102")
    assert "max_links" in handing()
    assert len(slurm.submitted) == 2
    submit_driver(config, directory, "slurm")  # a person begins another
    slurm.run("103")
    assert hand_over(config, directory, "103")() == "handed over to job 104"


def test_a_script_that_a_person_has_submitted_begins_a_chain(slurm: FakeSlurm, tmp_path: Path) -> None:
    config, directory = make(tmp_path)
    submit_driver(config, directory, "slurm")
    slurm.run("7")
    handing = hand_over(config, directory, "7")
    assert not handing.is_called_off
    handing()
    assert slurm.submitted[-1].split()[1] == "--dependency=afterany:7"


def test_outside_a_job_there_is_nothing_to_hand_over(slurm: FakeSlurm, tmp_path: Path) -> None:
    config, directory = make(tmp_path)
    with pytest.raises(StudyError, match="asktell submit"):
        HandOver(config, directory, environ={})


@pytest.mark.parametrize(("before", "is_called_off"), [(True, False), (False, True)])
def test_a_stop_that_nobody_heard_holds_for_the_successor(
    slurm: FakeSlurm, tmp_path: Path, before: bool, is_called_off: bool
) -> None:
    config, directory = make(tmp_path)
    submit_driver(config, directory, "slurm")
    slurm.run("101")
    hand_over(config, directory, "101")()
    stop = StopRequested(time.time() - 60 if before else time.time() + 60)
    with Study(directory.root) as study:
        study.ask()
    segment = Segment.create(directory.journal, "user")
    segment.append(stop)
    segment.close()
    slurm.run("102")
    assert hand_over(config, directory, "102").is_called_off is is_called_off


def test_what_waits_is_cancelled_and_what_runs_only_on_demand(slurm: FakeSlurm, tmp_path: Path) -> None:
    config, directory = make(tmp_path)
    assert cancel_drivers(directory, running=True) == []  # it was never submitted
    submit_driver(config, directory, "slurm")
    assert cancel_drivers(directory, running=False) == ["101"]
    slurm.run("101")
    assert cancel_drivers(directory, running=False) == []
    assert cancel_drivers(directory, running=True) == ["101"]
    assert slurm.cancelled == ["101", "101"]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Study, StudyDirectory]]:
    _, directory = make(tmp_path)
    with Study(directory.root) as study:
        study.ask()
        yield study, directory


def test_a_successor_waits_for_the_lease(held: tuple[Study, StudyDirectory]) -> None:
    study, directory = held
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        study.close()

    await_predecessor(directory, sleep=sleep)
    assert slept


def test_a_successor_does_not_wait_for_ever(held: tuple[Study, StudyDirectory]) -> None:
    clock = Clock()
    with pytest.raises(StudyLocked, match="this job ends"):
        await_predecessor(held[1], clock=clock, sleep=clock.sleep)
