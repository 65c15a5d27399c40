"""Which batch job a process belongs to. Standard library only: a job's first process reads it."""

from __future__ import annotations

from collections.abc import Mapping

JOB_IDS = ("ASKTELL_JOB", "SLURM_JOB_ID", "PBS_JOBID", "JOB_ID", "LSB_JOBID", "OAR_JOB_ID")
"""Where a job's number stands: ours, for a step of a bigger job, then those of the batch systems."""


def job_id(environ: Mapping[str, str]) -> str:
    """The job's number, '' outside of any."""
    return next((environ[name] for name in JOB_IDS if environ.get(name)), "")
