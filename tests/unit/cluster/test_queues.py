"""What batch systems answer, read from recorded answers.

SLURM's and the PBS front end's were recorded from SLURM 22.05 and its slurm-wlm-torque, but for `sacct.txt`,
which is composed: not every state could be brought about. OpenPBS's, Torque's and Grid Engine's are written
after their documentation: nobody has run asktell on an OpenPBS yet.
"""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from asktell.cluster.environment import scrubbed
from asktell.cluster.queues import End, JobState, Phase, QueueSilent, SubmitRefused
from asktell.cluster.queues.commands import is_permanent
from asktell.cluster.queues.pbs import PbsQueue, parse_json, parse_text, parse_torque
from asktell.cluster.queues.sge import GridEngineQueue, parse_account, parse_xml
from asktell.cluster.queues.slurm import SlurmQueue, parse_sacct, parse_squeue
from asktell.cluster.queues.steps import StepQueue, here

RECORDED = Path(__file__).parent / "recorded"

Program = Callable[[str, str], None]


def recorded(name: str) -> str:
    return (RECORDED / name).read_text(encoding="utf-8")


def local_time(text: str) -> float:
    """Schedulers print the local time of where they run."""
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a shell script in the place of a batch system's command."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def write(name: str, body: str) -> None:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return write


def test_slurm_jobs_that_wait_run_and_have_just_ended() -> None:
    found = {state.id: state for state in parse_squeue(recorded("squeue.txt"))}
    assert found == {
        "1": JobState("1", Phase.RUNNING, host="c1", ends_at=local_time("2026-11-22T16:47:41")),
        "2": JobState("2", Phase.ENDED, "FAILED (NonZeroExitCode)", "c1", end=End.FAILED),
        "3": JobState("3", Phase.ENDED, "COMPLETED", "c2", end=End.COMPLETED),
        "4": JobState("4", Phase.QUEUED, "JobHeldUser"),
        "5": JobState("5", Phase.QUEUED, "Dependency"),
        "6": JobState("6", Phase.ENDING, "", "c2"),
    }


def test_slurm_s_accounts_name_who_cancelled_and_leave_out_steps() -> None:
    found = {state.id: state for state in parse_sacct(recorded("sacct.txt"))}
    assert {job: state.end for job, state in found.items()} == {
        "2": End.FAILED,
        "3": End.COMPLETED,
        "6": End.CANCELLED,
        "7": End.NODE_FAIL,
        "8": End.OUT_OF_MEMORY,
        "9": End.TIMEOUT,
        "10": End.PREEMPTED,
    }
    assert found["6"].reason == "CANCELLED by 1000"


def test_slurm_jobs_that_the_queue_has_forgotten_are_looked_up_in_the_accounts(program: Program) -> None:
    program("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    program(
        "sacct",
        'case "$*" in *completion*) echo "9|TIMEOUT"; exit 0;; esac\n'
        'echo "Slurm accounting storage is disabled" >&2; exit 1',
    )
    assert SlurmQueue().jobs(["9", "99"]) == {"9": JobState("9", Phase.ENDED, "TIMEOUT", end=End.TIMEOUT)}


def test_slurm_that_does_not_answer_is_silent_and_no_job_is_gone(program: Program) -> None:
    program(
        "squeue",
        "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1",
    )
    with pytest.raises(QueueSilent, match="Unable to contact slurm controller"):
        SlurmQueue().jobs(["1"])


def test_openpbs_jobs_in_json() -> None:
    found = {state.id.partition(".")[0]: state for state in parse_json(recorded("qstat_openpbs.json"))}
    assert found["1201"].end is End.TIMEOUT
    assert found["1202"] == JobState(
        "1202.pbs01", Phase.RUNNING, host="node018", ends_at=local_time("2026-11-22T18:37:20")
    )
    assert found["1203"].phase is Phase.QUEUED
    assert found["1203"].reason.startswith("Can Never Run: Insufficient amount of resource: ncpus")
    assert (found["1204"].end, found["1205"].end, found["1206"].end) == (
        End.CANCELLED,
        End.OUT_OF_MEMORY,
        End.COMPLETED,
    )
    assert "ended by SIGTERM" in found["1204"].reason


def test_openpbs_jobs_in_text_with_lines_that_go_on() -> None:
    ended, running = parse_text(recorded("qstat_openpbs.txt"))
    assert (ended.id, ended.end, ended.host) == ("1201.pbs01", End.TIMEOUT, "node017")
    assert running.ends_at == local_time("2026-11-22T18:37:20")


def test_torque_has_numbers_of_its_own() -> None:
    ended, running = parse_torque(recorded("qstat_torque.txt"))
    assert (ended.phase, ended.end) == (Phase.ENDED, End.TIMEOUT)
    assert running == JobState(
        "882.head", Phase.RUNNING, host="node3", ends_at=local_time("2026-11-22T16:41:00")
    )


def test_the_pbs_front_end_of_slurm_tells_no_exit_code() -> None:
    ended, running = parse_torque(recorded("qstat_front_end.txt"))
    assert ended == JobState("12", Phase.ENDED, host="c3")
    assert running == JobState("13", Phase.RUNNING, host="c4")


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        (
            "*json*) echo 'Unknown option: F' >&2; exit 2;; *-x*) echo 'Unknown option: x' >&2; exit 2;;",
            "torque",
        ),
        ("*json*) echo 'qstat: invalid option -- F' >&2; exit 2;;", "openpbs"),
        ('*json*) echo \'{"Jobs": {"1": {"Variable_List": "a"b"}}}\';;', "openpbs"),
    ],
    ids=["neither", "no json", "broken json"],
)
def test_pbs_is_asked_in_the_newest_way_that_it_understands(
    program: Program, refusal: str, answer: str
) -> None:
    program("qstat", f'case "$*" in {refusal} *) cat {RECORDED}/qstat_{answer}.txt;; esac')
    queue = PbsQueue()
    for _ in range(2):
        assert Phase.RUNNING in {state.phase for state in queue.jobs(["1201.pbs01", "882.head"]).values()}


def test_pbs_jobs_that_are_not_known_any_more_are_left_out(program: Program) -> None:
    program("qstat", f"cat {RECORDED}/qstat_openpbs.json; echo 'qstat: Unknown Job Id 9.pbs01' >&2; exit 153")
    assert "1202.pbs01" in PbsQueue().jobs(["1202.pbs01", "9.pbs01"])


def test_pbs_without_a_server_is_silent(program: Program) -> None:
    program(
        "qstat",
        "echo 'qstat: cannot connect to server pbs01 (errno=15010)' >&2; exit 1",
    )
    with pytest.raises(QueueSilent, match="cannot connect to server"):
        PbsQueue().jobs(["1"])


def test_grid_engine_jobs() -> None:
    found = list(parse_xml(recorded("qstat_sge.xml")))
    assert [(name, state.id, state.phase) for name, state in found] == [
        ("asktell-connectome-9c1e02", "41", Phase.RUNNING),
        ("asktell-connectome-9c1e02", "42", Phase.ENDING),
        ("asktell-connectome-9c1e02", "43", Phase.QUEUED),
        ("other", "44", Phase.QUEUED),
    ]
    assert found[0][1].host == "node5"
    assert "qstat -j" in found[3][1].reason


@pytest.mark.parametrize(
    ("name", "end"), [("limit", End.TIMEOUT), ("failed", End.FAILED), ("deleted", End.CANCELLED)]
)
def test_grid_engine_accounts(name: str, end: End) -> None:
    state = parse_account("41", recorded(f"qacct_{name}.txt"))
    assert state is not None
    assert state.end is end


def test_grid_engine_asks_for_the_end_of_what_is_no_longer_listed(program: Program) -> None:
    program("qstat", f"cat {RECORDED}/qstat_sge.xml")
    program("qacct", f'[ "$2" = 40 ] && cat {RECORDED}/qacct_failed.txt || exit 1')
    found = GridEngineQueue().jobs(["39", "40", "41"])
    assert {job: state.phase for job, state in found.items()} == {"40": Phase.ENDED, "41": Phase.RUNNING}


@pytest.mark.parametrize(
    ("queue", "command", "answer", "job"),
    [
        (SlurmQueue(), "sbatch", "4711", "4711"),
        (SlurmQueue(), "sbatch", "4711;cluster", "4711"),
        (PbsQueue(), "qsub", "1201.pbs01", "1201.pbs01"),
        (PbsQueue(), "qsub", "12", "12"),
        (GridEngineQueue(), "qsub", 'Your job 41 ("x") has been submitted', "41"),
    ],
)
def test_a_job_s_id_is_the_one_that_the_job_sees(
    program: Program,
    tmp_path: Path,
    queue: SlurmQueue | PbsQueue | GridEngineQueue,
    command: str,
    answer: str,
    job: str,
) -> None:
    program(command, f"echo 'a word of welcome'; echo '{answer}'")
    assert queue.submit(tmp_path / "job.sh") == job


def test_a_refusal_comes_in_the_scheduler_s_own_words(program: Program, tmp_path: Path) -> None:
    program("sbatch", "echo 'sbatch: error: invalid partition specified: nosuch' >&2; exit 1")
    with pytest.raises(SubmitRefused, match="invalid partition specified: nosuch") as caught:
        SlurmQueue().submit(tmp_path / "job.sh")
    assert caught.value.is_permanent


def test_a_refusal_of_several_lines_names_its_command_once(program: Program, tmp_path: Path) -> None:
    first, second = "invalid partition specified: nosuch", "Batch job submission failed"
    program("sbatch", f"echo 'sbatch: error: {first}' >&2; echo 'sbatch: error: {second}' >&2; exit 1")
    with pytest.raises(SubmitRefused) as caught:
        SlurmQueue().submit(tmp_path / "job.sh")
    assert str(caught.value) == f"sbatch: error: {first}; {second}"


def test_a_machine_without_the_command_is_said_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SubmitRefused, match="is this a machine from which jobs are submitted") as caught:
        SlurmQueue().submit(tmp_path / "job.sh")
    assert caught.value.is_permanent


@pytest.mark.parametrize(
    "words",
    [
        "Batch job submission failed: Invalid account or account/partition combination specified",
        "sbatch: error: Batch job submission failed: Invalid qos specification",
        "Batch job submission failed: Requested node configuration is not available",
        "sbatch: error: Batch job submission failed: Invalid feature specification",
        "sbatch: error: Invalid --time specification",
        "qsub: Unknown queue",
        "qsub: Unauthorized Request",
        "qsub: Illegal attribute or resource value Resource_List.select",
        'Unable to run job: unknown resource "gpu". Exiting.',
    ],
)
def test_refusals_that_no_patience_will_change(words: str) -> None:
    assert is_permanent(words)


@pytest.mark.parametrize(
    "words",
    [
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "sbatch: error: QOSMaxSubmitJobPerUserLimit sbatch: error: Batch job submission failed: "
        "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
        "qsub: would exceed queue's per-user limit",
        "something that nobody has seen before",
    ],
)
def test_refusals_that_may_pass(words: str) -> None:
    assert not is_permanent(words)


def test_a_submission_forgets_the_job_around_it_but_not_the_site() -> None:
    environ = {
        "PATH": "/bin",
        "HOME": "/home/ada",
        "SLURM_CONF": "/etc/slurm.conf",
        "SLURM_JOB_ID": "1",
        "SLURM_MEM_PER_NODE": "512",
        "SBATCH_PARTITION": "short",
        "SQUEUE_USERS": "somebody",
        "PBS_SERVER": "pbs01",
        "PBS_JOBID": "2",
        "PBS_NODEFILE": "/var/spool/2",
        "SGE_ROOT": "/opt/sge",
        "JOB_ID": "3",
        "ASKTELL_JOB": "s1-1",
        "ASKTELL_ENDS_AT": "1234.5",  # of the job that ends: its successor would believe it
    }
    assert scrubbed(environ).keys() == {"PATH", "HOME", "SLURM_CONF", "PBS_SERVER", "SGE_ROOT"}


def test_steps_run_end_and_are_cancelled(tmp_path: Path) -> None:
    queue = StepQueue(here(), 2, tmp_path)
    for name, body in (
        ("quick", 'echo "$ASKTELL_JOB"; exit 3'),
        ("long", "exec sleep 600"),
        ("third", "true"),
    ):
        (tmp_path / f"{name}.sh").write_text(body)
    quick, long = queue.submit(tmp_path / "quick.sh"), queue.submit(tmp_path / "long.sh")
    wait_for(lambda: queue.jobs([quick])[quick].phase is Phase.ENDED)
    assert queue.jobs([quick, long])[long].phase is Phase.RUNNING
    assert queue.jobs([quick])[quick].reason == "exit code 3"
    assert (tmp_path / "quick.log").read_text().strip() == quick
    third = queue.submit(tmp_path / "third.sh")
    wait_for(lambda: queue.jobs([third])[third].end is End.COMPLETED)
    queue.cancel([long])
    wait_for(lambda: queue.jobs([long])[long].phase is Phase.ENDED)
    assert "SIGTERM" in queue.jobs([long])[long].reason


def test_steps_do_not_outgrow_their_allocation(tmp_path: Path) -> None:
    (tmp_path / "long.sh").write_text("exec sleep 600")
    queue = StepQueue(here(), 1, tmp_path)
    step = queue.submit(tmp_path / "long.sh")
    with pytest.raises(SubmitRefused, match="every place of the allocation"):
        queue.submit(tmp_path / "long.sh")
    queue.cancel([step])
    wait_for(lambda: queue.jobs([step])[step].phase is Phase.ENDED)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
