"""Checks of the `cluster` section: keys that contradict each other, and keys of another kind."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Collection, Iterator, Mapping

from asktell.config.cluster import BATCH_KINDS, ClusterConfig, DriverConfig
from asktell.config.faults import Fault
from asktell.config.models import StudyConfig
from asktell.config.quantities import format_duration, format_size
from asktell.config.source import Path

_BATCH_ONLY = (
    *("jobs", "workers_per_job", "memory", "memory_per_cpu", "walltime", "account", "prologue", "python"),
    *("interface", "driver_interface", "extra_directives", "skip_directives", "options"),
    *("submit_every", "max_queued", "query_every", "warn_before", "linger", "walltime_aware"),
)
_KINDS: Mapping[str, Collection[str]] = dict.fromkeys(_BATCH_ONLY, BATCH_KINDS) | {
    "queue": [kind for kind in BATCH_KINDS if kind != "htcondor"],
    "constraint": ["slurm"],
    "syntax": ["pbs"],
    "parallel_environment": ["sge"],
    "single_allocation": ["slurm", "pbs", "sge"],
    "security": ["local", *BATCH_KINDS],
    "address": ["address"],
    "tls": ["address"],
}
"""Key -> the kinds that read it; a key that is not here means something to all of them."""

LAUNCHER_NAMES = frozenset({"cpus", "gpus"})
"""What `cluster.launcher` may name."""

_DASHBOARD = re.compile(r"(([^\s:]*|\[[^\s\]]+\]):)?\d+")

LEAST_MEMORY_BYTES = 1_000_000
"""Whoever writes less has left out the unit."""


def check_cluster(config: StudyConfig) -> Iterator[Fault]:
    """Keys that cannot stand together, whichever file each is in."""
    cluster = config.cluster
    if cluster.is_batch:
        yield from _check_jobs(cluster)
    if cluster.tls is not None and cluster.address is not None and not cluster.address.startswith("tls://"):
        message = f"certificates are of no use at {cluster.address}"
        yield Fault(("cluster", "tls"), message, "write address: tls://..., or drop tls")
    if cluster.driver.walltime_s <= cluster.driver.warn_before_s:
        yield _too_short(("cluster", "driver"), cluster.driver)
    if cluster.dashboard is not None and _DASHBOARD.fullmatch(cluster.dashboard) is None:
        message = f"{cluster.dashboard!r} is not where something can listen"
        yield Fault(
            ("cluster", "dashboard"), message, "write HOST:PORT, such as 127.0.0.1:8787, or null for none"
        )
    if cluster.launcher is not None:
        yield from _check_launcher(cluster.launcher)
    workers, k = cluster.width, config.schedule.k
    if workers is not None and k is not None and k >= workers:
        message = f"groups of {k} do not fit hybrid on {workers} workers (1 < k < workers)"
        remedy = f"lower it to {workers - 1} or less" if workers > 2 else "use batch or async"
        yield Fault(("schedule", "k"), message, remedy)


def check_memory(config: StudyConfig) -> Iterator[Fault]:
    """Sizes that a unit was forgotten in: a plain number is one of bytes."""
    cluster = config.cluster
    sizes: dict[Path, int | None] = {
        ("cluster", "memory"): cluster.memory_bytes,
        ("cluster", "memory_per_cpu"): cluster.memory_per_cpu_bytes,
        ("cluster", "driver", "memory"): cluster.driver.memory_bytes,
        ("evaluate", "memory"): config.evaluate.memory_bytes,
    }
    for path, size in sizes.items():
        if size is not None and size < LEAST_MEMORY_BYTES:
            message = f"{format_size(size)} is less than any program needs"
            yield Fault(path, message, "name its unit: 8GB, 512MiB")


def misplaced(cluster: ClusterConfig) -> Iterator[Fault]:
    """Keys with which the cluster's kind does nothing."""
    for name, info in ClusterConfig.model_fields.items():
        key = info.alias or name
        kinds = _KINDS.get(key, (cluster.kind,))
        default = info.get_default(call_default_factory=True)
        if cluster.kind not in kinds and getattr(cluster, name) != default:
            message = f"means nothing with kind {cluster.kind}: it belongs to {', '.join(kinds)}"
            yield Fault(("cluster", key), message, f"drop it, or write kind: {next(iter(kinds))}")


def _check_jobs(cluster: ClusterConfig) -> Iterator[Fault]:
    if cluster.memory_bytes is not None and cluster.memory_per_cpu_bytes is not None:
        message = "there is a memory for each trial, too"
        yield Fault(("cluster", "memory_per_cpu"), message, "keep one of memory and memory_per_cpu")
    if cluster.walltime_s is not None and cluster.walltime_s <= cluster.warn_before_s:
        yield _too_short(("cluster",), cluster)
    most = cluster.jobs * cluster.workers_per_job
    if cluster.workers is not None and cluster.workers > most:
        message = (
            f"{cluster.workers} trials at a time do not fit in {cluster.jobs} x {cluster.workers_per_job}"
        )
        remedy = f"write jobs: {math.ceil(cluster.workers / cluster.workers_per_job)}, or drop workers"
        yield Fault(("cluster", "workers"), message, remedy)
    if cluster.local_directory is not None and not cluster.local_directory.startswith(("/", "$")):
        message = f"{cluster.local_directory!r} would be in the study's own folder, not on the node"
        yield Fault(("cluster", "local_directory"), message, "write a whole path, such as /tmp or $TMPDIR")
    if cluster.gpus_per_trial and cluster.kind == "oar":
        remedy = "name them in options: {resource_spec: ...}"
        yield Fault(("cluster", "gpus_per_trial"), "each site of OAR asks for GPUs in its own way", remedy)
    for key in ("extra_directives", "skip_directives"):
        for index, line in enumerate(getattr(cluster, key)):
            if line.lstrip().startswith("#"):
                remedy = f"write {line.lstrip().partition(' ')[2].strip() or 'its text'!r}"
                yield Fault(("cluster", key, index), "asktell writes what a directive starts with", remedy)


def _too_short(path: tuple[str, ...], job: ClusterConfig | DriverConfig) -> Fault:
    assert job.walltime_s is not None
    walltime, warning = format_duration(job.walltime_s), format_duration(job.warn_before_s)
    message = f"a job of {walltime} is over before the warning, {warning} before its end"
    return Fault((*path, "walltime"), message, f"raise it, or lower {'.'.join(path)}.warn_before")


def _check_launcher(launcher: str) -> Iterator[Fault]:
    path = ("cluster", "launcher")
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(launcher) if name is not None}
    except ValueError as error:
        yield Fault(path, f"{launcher!r}: {str(error).lower()}", "write {{ and }} for braces that are meant")
        return
    for name in sorted(names - LAUNCHER_NAMES):
        known = " and ".join(f"{{{item}}}" for item in sorted(LAUNCHER_NAMES))
        yield Fault(path, f"{{{name}}} means nothing in a launcher", f"there are {known}")
