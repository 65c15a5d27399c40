"""What a job has written: its log, as an explanation and for people."""

from __future__ import annotations

from asktell.directory import StudyDirectory

TAIL_BYTES = 2000


def tail(directory: StudyDirectory, job: str) -> str:
    """The end of a job's log, '' where there is none."""
    path = directory.jobs / f"{job}.log"
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def last(directory: StudyDirectory) -> str:
    """The end of the newest job's log, for an error's text."""
    logs = sorted(directory.jobs.glob("*.log"), key=lambda path: path.stat().st_mtime)
    if not logs or not (text := tail(directory, logs[-1].stem).strip()):
        return ""
    return f"the log of the last job, {logs[-1]}, ends with\n{text}\n"
