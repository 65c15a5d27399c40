"""Which job this is and when it ends, from what the batch systems give."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from asktell.job import allocation
from asktell.job.allocation import Allocation, find

NOW = 1_700_000_000.0

# As `qstat -f` of OpenPBS writes it, after its documentation.
QSTAT = """\
Job Id: 1234.pbs01
    Job_Name = connectome
    resources_used.cput = 00:00:00
    resources_used.walltime = 00:00:40
    job_state = R
    Resource_List.ncpus = 4
    Resource_List.walltime = 26:30:00
    stime = Tue Nov 14 22:12:40 2023
"""


def _silent(command: Sequence[str]) -> str:
    return ""


def _fail(command: Sequence[str]) -> str:
    raise AssertionError(f"nobody needs to be asked: {command}")


def test_outside_of_a_job_there_is_none_and_nobody_is_asked() -> None:
    assert find({}, NOW, _fail) == Allocation("", None)


@pytest.mark.parametrize(
    ("environ", "job"),
    [
        ({"SLURM_JOB_ID": "12"}, "12"),
        ({"SLURM_JOB_ID": "12", "PBS_JOBID": "12"}, "12"),  # the PBS front end of SLURM
        ({"PBS_JOBID": "77[3].pbs01"}, "77[3].pbs01"),
        ({"JOB_ID": "5"}, "5"),
        ({"LSB_JOBID": "6"}, "6"),
        ({"OAR_JOB_ID": "7"}, "7"),
        ({"SLURM_JOB_ID": "12", "ASKTELL_JOB": "12.step-3"}, "12.step-3"),
    ],
)
def test_the_job_is_found_under_every_batch_system(environ: dict[str, str], job: str) -> None:
    assert find(environ, NOW, _silent).job == job


@pytest.mark.parametrize(("answer", "end"), [("1700003600\n", NOW + 3600), ("NONE\n", None), ("", None)])
def test_slurm_is_asked_once_for_the_end(answer: str, end: float | None) -> None:
    asked = []

    def ask(command: Sequence[str]) -> str:
        asked.append(command[0])
        return answer

    assert find({"SLURM_JOB_ID": "12"}, NOW, ask).ends_at == end
    assert asked == ["squeue"]


def test_newer_slurms_tell_the_end_themselves() -> None:
    assert find({"SLURM_JOB_ID": "12", "SLURM_JOB_END_TIME": "1700000060"}, NOW, _fail).ends_at == NOW + 60


def test_pbs_tells_the_walltime_and_how_much_of_it_is_used() -> None:
    assert find({"PBS_JOBID": "1234.pbs01"}, NOW, lambda _: QSTAT).ends_at == NOW + 26.5 * 3600 - 40


def test_where_the_queue_cannot_be_asked_the_environment_helps() -> None:
    assert find({"PBS_JOBID": "1", "PBS_WALLTIME": "120"}, NOW, _silent).ends_at == NOW + 120
    assert find({"OAR_JOB_ID": "1", "OAR_JOB_WALLTIME_SECONDS": "60"}, NOW, _silent).ends_at == NOW + 60


def test_the_study_may_say_it_itself() -> None:
    assert find({"SLURM_JOB_ID": "1", "ASKTELL_ENDS_AT": "1700000001.5"}, NOW, _fail).ends_at == NOW + 1.5


def test_a_command_that_fails_or_is_missing_is_no_answer_and_leaves_its_words_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing = [sys.executable, "-c", "import sys; sys.exit('slurm_load_jobs error: Invalid job id')"]
    assert allocation.ask(failing) == ""
    assert "Invalid job id" in caplog.text
    assert allocation.ask(["no-such-command-anywhere"]) == ""
