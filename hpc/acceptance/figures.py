"""What a study on SLURM lost to walltime, and what share of its jobs' time finished trials took.

python figures.py DIR [--lost-late]     the latter: only how many were lost after the first ten had finished
"""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

from asktell.cluster.scripts import job_name
from asktell.overview import read_study
from asktell.records import Ended, Lost
from asktell.trial import Cause, Status

FIRST = 10


def job_seconds(name: str) -> float:
    """Running time of all jobs of this name, by SLURM's log of completed jobs."""
    command = ["sacct", "-c", "-P", "-n", "--format=jobname,start,end"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    total = 0.0
    for line in listed.splitlines():
        named, start, end = line.split("|")
        if named == name and "T" in start:
            total += (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return total


def main(directory: Path, *, only_late: bool) -> None:
    found = read_study(directory)
    finished = 0
    lost: list[int] = []  # how many trials had finished when each loss to walltime came
    useful_s = 0.0
    for record in found.records:
        match record:
            case Ended(outcome=outcome) if outcome.status is Status.COMPLETED:
                finished += 1
                useful_s += outcome.duration_s
            case Lost(cause=Cause.WALLTIME):
                lost.append(finished)
    late = sum(n >= FIRST for n in lost)
    if only_late:
        print(late)
        return
    jobs_s = job_seconds(job_name(found.config, found.directory.root))
    print(f"  trials finished               {finished}")
    print(f"  lost to walltime              {len(lost)}, {late} of them after the first {FIRST} had finished")
    print(
        f"  time in finished trials       {useful_s:.0f} s of {jobs_s:.0f} s of jobs: {useful_s / jobs_s:.1%}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), only_late="--lost-late" in sys.argv[2:])
