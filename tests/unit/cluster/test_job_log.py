"""No submission is forgotten, wherever a driver dies."""

from pathlib import Path

from asktell.cluster.job_log import JobLog
from asktell.cluster.queues import End, JobState, Phase


def written(path: Path) -> JobLog:
    log = JobLog(path)
    for name, job in (("s1-1", "7"), ("s1-2", "8")):
        log.intend(name, 1, "shape")
        log.submitted(name, job)
    log.intend("s1-3", 1, "shape")
    log.refused("s1-3", "Invalid account")
    log.ended(JobState("7", Phase.ENDED, "CANCELLED", end=End.CANCELLED))
    log.intend("s2-1", 2, "other shape")
    return log


def test_what_is_open_is_what_was_submitted_or_may_have_been(tmp_path: Path) -> None:
    log = written(tmp_path / "jobs.jsonl")
    assert [(item.name, item.job) for item in log.read() if not item.is_over] == [("s1-2", "8"), ("s2-1", "")]
    assert [item.fingerprint for item in log.read()] == ["shape", "shape", "shape", "other shape"]


def test_cut_at_any_byte_it_forgets_no_whole_line_and_is_written_on(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    written(path)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        before = JobLog(path).read()
        assert len(before) == sum(
            b'"session"' in line for line in data[:size].splitlines() if _is_whole(line)
        )
        JobLog(path).intend("s3-1", 3, "shape")
        assert [item.name for item in JobLog(path).read()] == [*(item.name for item in before), "s3-1"]


def _is_whole(line: bytes) -> bool:
    return line.endswith(b"}")


def test_there_is_nothing_before_the_first(tmp_path: Path) -> None:
    assert JobLog(tmp_path / "jobs.jsonl").read() == []
