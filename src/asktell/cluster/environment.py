"""The environment in which commands of a batch system run.

A driver may itself run in a batch job. What that job's scheduler put into the environment must not reach
a submission: `srun` in the new job dies on contradictory memory flags, filters of `squeue` hide our jobs,
and a new job that inherits the node file of an old one believes it.
"""

from __future__ import annotations

from collections.abc import Mapping

JOB_PREFIXES = (
    "SLURM_",
    "SLURMD_",
    "SBATCH_",
    "SRUN_",
    "SALLOC_",
    "SQUEUE_",
    "SACCT_",
    "SCANCEL_",
    "PBS_",
    "PMI_",
    "PMIX_",
)
SITE_NAMES = frozenset({"SLURM_CONF", "PBS_SERVER", "PBS_DEFAULT", "PBS_CONF_FILE", "PBS_EXEC", "PBS_HOME"})
"""What a site sets for everybody, and without which its commands may not find the server."""
OWN_JOB_NAMES = frozenset({"ASKTELL_JOB", "ASKTELL_ENDS_AT"})
"""What asktell itself says of a job to the processes in it."""
GRID_ENGINE_JOB_NAMES = frozenset({"JOB_ID", "JOB_NAME", "PE_HOSTFILE", "NSLOTS", "NHOSTS", "SGE_TASK_ID"})


def scrubbed(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what a surrounding batch job has put into it."""
    return {
        name: value
        for name, value in environ.items()
        if name in SITE_NAMES
        or not (name.startswith(JOB_PREFIXES) or name in GRID_ENGINE_JOB_NAMES | OWN_JOB_NAMES)
    }
