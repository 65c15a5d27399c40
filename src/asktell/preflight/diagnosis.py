"""From the words of a batch system, or of a job's log, to what a person can do about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

Rules = Sequence[tuple[str, str]]
"""(pattern, remedy); the first that is found counts."""

REFUSALS: Rules = (
    (
        r"account|project",
        "cluster.account names what is charged; `sacctmgr show assoc user=$USER` or the site knows",
    ),
    (r"partition|queue", "cluster.queue names a queue that you may use; `sinfo -s` or `qstat -q` lists them"),
    (r"qos", 'the site wants a quality of service: cluster.extra_directives: ["--qos=..."]'),
    (r"time|walltime", "lower cluster.walltime to what the queue allows"),
    (
        r"gres|generic|ngpus|gpu",
        "cluster.gpus_per_trial and cluster.queue must fit; the site may have words of its own",
    ),
    (r"feature|constraint", "cluster.constraint names a feature of the nodes; `sinfo -o %f` lists them"),
    (
        r"mem\b|memory",
        "lower cluster.memory, use cluster.memory_per_cpu, or cluster.skip_directives: [--mem]",
    ),
    (
        r"node configuration|resource|select|ncpus|nodes",
        "no node has so much: lower cluster.cpus_per_trial, "
        "workers_per_job or memory; cluster.syntax: nodes where PBS does not know select=",
    ),
    (r"not found|no such file", "submit from a login node, with the batch system's commands on the PATH"),
    (
        r"option|directive|argument",
        "cluster.skip_directives leaves a line out, cluster.extra_directives adds one",
    ),
)
"""Why a submission is not taken."""

NEVER_STARTS: Rules = (
    (r"PartitionTimeLimit|TimeLimit", "lower cluster.walltime to what the queue allows"),
    (
        r"PartitionNodeLimit|BadConstraints|ReqNodeNotAvail.*Reserved",
        "ask for less: cluster.cpus_per_trial, memory, constraint",
    ),
    (
        r"AccountNotAllowed|InvalidAccount|AccountingPolicy",
        "cluster.account must be one that this queue takes",
    ),
    (
        r"InvalidQOS|QOSNotAllowed",
        'the queue wants another quality of service: cluster.extra_directives: ["--qos=..."]',
    ),
    (
        r"(QOS|Assoc)\w*(PerJob|PerNode)",
        "one job asks for more than it may: lower cpus_per_trial, workers_per_job or memory",
    ),
    (r"JobHeld|held state", "release it (scontrol release, qrls), or ask the administrators"),
    (r"Can Never Run", "no node has so much: lower cluster.cpus_per_trial, workers_per_job or memory"),
)
"""Why a job that waits will not start by itself."""

DEATHS: Rules = (
    (
        r"No module named '?asktell",
        "cluster.python names a Python that has asktell, or cluster.prologue activates one",
    ),
    (
        r"No module named",
        "install it for the Python of the jobs (cluster.python), or activate it in cluster.prologue",
    ),
    (
        r"not a valid network interface",
        "cluster.interface names an interface of the nodes, driver_interface one of this machine",
    ),
    (
        r"found no driver",
        "the node cannot reach this machine: cluster.interface names a network that both are on",
    ),
    (r"no scratch on this node", "cluster.local_directory names a folder that the node lets you write to"),
    (
        r"module: (command )?not found",
        "make `module` known first in cluster.prologue: source /etc/profile.d/modules.sh",
    ),
    (
        r"exec: .*(not found|cannot execute|No such file)|python\S*: (not found|No such file)",
        "cluster.python must be there on the nodes; leave it out for the one that runs now",
    ),
    (
        r"is missing; remove|No such file or directory: .*study\.yaml",
        "the nodes do not see this folder: run from a shared file system",
    ),
    (r"oom.?kill|out of memory", "ask for more: cluster.memory"),
    (
        r"command not found|No such file or directory|Permission denied",
        "the log shows whether it is a line of cluster.prologue, or cluster.python",
    ),
)
"""What a job's log says of its end."""

_SUSPICIOUS = re.compile(r"error|not found|no such file|cannot|denied|unable|fail", re.IGNORECASE)
_OUR_OWN = re.compile(r"^\d{4}-\d\d-\d\d \S+ (INFO|WARNING) ")


def remedy(words: str, rules: Rules, otherwise: str = "") -> str:
    """What to do about these words; `otherwise` where no rule knows them."""
    for pattern, found in rules:
        if re.search(pattern, words, re.IGNORECASE):
            return found
    return otherwise


def suspicious(log: str) -> Sequence[str]:
    """Lines of a job's log that a person should see although all went well."""
    return [line for line in log.splitlines() if _SUSPICIOUS.search(line) and not _OUR_OWN.search(line)]
