"""Words of batch systems and of job logs, as they were seen, and what they lead to."""

import pytest

from asktell.preflight.diagnosis import DEATHS, NEVER_STARTS, REFUSALS, Rules, remedy, suspicious

SEEN = [
    (REFUSALS, "sbatch: error: invalid partition specified: nosuch", "cluster.queue"),
    (REFUSALS, "Invalid account or account/partition combination specified", "cluster.account"),
    (REFUSALS, "Requested time limit is invalid (missing or exceeds some limit)", "cluster.walltime"),
    (REFUSALS, "Memory specification can not be satisfied", "cluster.memory"),
    (REFUSALS, "Requested node configuration is not available", "cluster.cpus_per_trial"),
    (REFUSALS, "Invalid generic resource (gres) specification", "cluster.gpus_per_trial"),
    (REFUSALS, "Invalid feature specification", "cluster.constraint"),
    (REFUSALS, "qsub: Unknown queue", "cluster.queue"),
    (REFUSALS, "sbatch: unrecognized option '--foo'", "cluster.skip_directives"),
    (REFUSALS, "sbatch: [Errno 2] No such file or directory: 'sbatch'", "login node"),
    (NEVER_STARTS, "PartitionTimeLimit", "cluster.walltime"),
    (NEVER_STARTS, "Can Never Run: Insufficient amount of resource: ncpus", "cluster.cpus_per_trial"),
    (NEVER_STARTS, "JobHeldUser", "scontrol release"),
    (NEVER_STARTS, "QOSMaxCpuPerJobLimit", "lower cpus_per_trial"),
    (
        DEATHS,
        "/usr/bin/python3: Error ... (ModuleNotFoundError: No module named 'asktell')",
        "cluster.python",
    ),
    (DEATHS, "ModuleNotFoundError: No module named 'distributed'", "cluster.prologue"),
    (DEATHS, "slot 0: 'ib7' is not a valid network interface. Valid: ['lo']", "cluster.interface"),
    (DEATHS, "slot 0: found no driver in 60 s (tls://10.0.0.1:4311: timed out)", "cluster.interface"),
    (DEATHS, "slurm_script: line 11: module: command not found", "modules.sh"),
    (DEATHS, "slurm_script: line 12: /nope: No such file or directory", "cluster.python"),
    (DEATHS, "no scratch on this node: [Errno 13] Permission denied", "cluster.local_directory"),
]


@pytest.mark.parametrize(("rules", "words", "told"), SEEN, ids=[words for _, words, _ in SEEN])
def test_words_lead_to_what_to_set(rules: Rules, words: str, told: str) -> None:
    assert told in remedy(words, rules)


@pytest.mark.parametrize(
    "reason", ["Priority", "Resources", "PartitionDown", "Dependency", "QOSMaxJobsPerUserLimit", ""]
)
def test_a_job_that_only_has_to_wait_is_waited_for(reason: str) -> None:
    assert remedy(reason, NEVER_STARTS) == ""


def test_lines_that_look_like_trouble_are_found_among_our_own() -> None:
    log = (
        "script: line 3: module: command not found\n"
        "Loading environment gcc/13\n"
        "2026-11-22 17:02:43,833 WARNING squeue: cannot be asked\n"
    )
    assert suspicious(log) == ["script: line 3: module: command not found"]
