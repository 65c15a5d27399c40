"""What a worker has found, held against what the study needs. Pure."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from asktell.cluster.requests import memory_of
from asktell.config import ClusterConfig
from asktell.evaluate import Presence
from asktell.preflight.machine import NETWORKED, Share
from asktell.preflight.probe import Place
from asktell.preflight.report import Check, Mark

_PROTOCOL = ("asktell", "dask", "distributed")
"""Packages whose versions have to agree for a worker to be understood."""
_MIN_SCRATCH_BYTES = 1_000_000_000
_MAX_CLOCK_S = 5.0
_SLOW_FILES_S = 5.0
_SAME = "same environment on the nodes: cluster.python names its Python, cluster.prologue activates it"


def python(there: str, executable: str) -> Check:
    """there: a version such as 3.11.4."""
    here = platform.python_version()
    seen = f"{there} ({executable})"
    if here.split(".")[:2] != there.split(".")[:2]:
        return Check("python", Mark.FAILED, f"{seen}, but {here} here", f"use the {_SAME}")
    if here != there:
        return Check("python", Mark.WARNING, f"{seen}, but {here} here", f"better use the {_SAME}")
    return Check("python", Mark.OK, seen)


def packages(here: Mapping[str, str], there: Mapping[str, str]) -> Check:
    """here, there: package → version."""
    different = [name for name in sorted({*here, *there}) if here.get(name) != there.get(name)]
    if not different:
        return Check("packages", Mark.OK, f"the same {len(here)} versions as here")
    rows = [
        f"{name}: {there.get(name, 'missing')} there, {here.get(name, 'missing')} here" for name in different
    ]
    is_fatal = any(name in _PROTOCOL for name in different)
    return Check("packages", Mark.FAILED if is_fatal else Mark.WARNING, "\n".join(rows), f"use the {_SAME}")


def objective(presence: Presence) -> Check:
    if presence.missing:
        remedy = (
            "it must be there for the jobs too: keep it on a file system that the nodes share, and load in "
            "cluster.prologue (module load ..., source ...) what it needs"
        )
        return Check("objective", Mark.FAILED, f"{presence.what}\n{presence.missing}", remedy)
    took = f", imported in {presence.took_s:.1f} s" if presence.took_s else ""
    return Check("objective", Mark.OK, f"{presence.what}{took}")


def study_files(place: Place, seen_after_s: float, answered_after_s: float | None) -> Check:
    """seen_after_s: until the worker saw the driver's file; answered_after_s: until its own was seen."""
    if place.error or answered_after_s is None:
        seen = place.error or "what the worker wrote there did not come to be seen here"
        remedy = (
            "run it from a folder that all nodes share and may write to, on a file system with hard links"
        )
        return Check("study files", Mark.FAILED, f"{place.path}: {seen}", remedy)
    slowest_s = max(seen_after_s, answered_after_s)
    kind = f" on {place.file_system}" if place.file_system else ""
    seen = f"both sides write and see{kind}, after {slowest_s:.2g} s; {_size(place.free_bytes)} free"
    if slowest_s > _SLOW_FILES_S:
        return Check(
            "study files", Mark.WARNING, seen, "a faster shared file system makes for fewer surprises"
        )
    return Check("study files", Mark.OK, seen)


def scratch(place: Place) -> Check:
    remedy = "cluster.local_directory names a folder on the node's own disk, such as $TMPDIR or /tmp"
    kind = f" on {place.file_system}" if place.file_system else ""
    seen = f"{place.path}{kind}, {_size(place.free_bytes)} free"
    if place.error:
        return Check("scratch", Mark.FAILED, f"{place.path}: {place.error}", remedy)
    if place.file_system in NETWORKED or place.free_bytes < _MIN_SCRATCH_BYTES:
        return Check("scratch", Mark.WARNING, seen, remedy)
    return Check("scratch", Mark.OK, seen)


def clocks(ahead_s: float, round_trip_s: float) -> Check:
    """ahead_s: the worker's clock before ours, known to half a round trip."""
    where = "ahead" if ahead_s > 0 else "behind"
    seen = f"{abs(ahead_s):.2g} s {where}, by a round trip of {round_trip_s:.2g} s"
    if abs(ahead_s) > _MAX_CLOCK_S + round_trip_s / 2:
        remedy = "tell the administrators (NTP): ends of walltimes are misjudged by that"
        return Check("clocks", Mark.WARNING, seen, remedy)
    return Check("clocks", Mark.OK, seen)


def walltime(cluster: ClusterConfig, left_s: float | None) -> Check:
    """left_s: what the worker knew to be left of its job."""
    if left_s is not None:
        return Check("job's end", Mark.OK, f"known to the worker: {left_s:.0f} s after it joined")
    if cluster.walltime_s is None:
        return Check(
            "job's end", Mark.WARNING, "unknown, or without limit", "set cluster.walltime if there is one"
        )
    return Check(
        "job's end", Mark.WARNING, "the worker cannot tell when its job ends", "set cluster.walltime"
    )


def cores(cluster: ClusterConfig, share: Share, trials: int) -> Check:
    """trials: how many run at the same time in what the share is of."""
    wanted = cluster.cpus_per_trial * trials
    seen = f"{share.cores} to use, {wanted} wanted ({trials} x {cluster.cpus_per_trial})"
    if share.cores >= wanted:
        return Check("cores", Mark.OK, seen)
    if cluster.launcher is not None:  # ranks may be on other nodes
        return Check("cores", Mark.OK, f"{seen}; the launcher starts ranks elsewhere")
    remedy = "trials share cores: lower cluster.cpus_per_trial or workers_per_job, or correct the directives"
    return Check("cores", Mark.WARNING, seen, remedy)


def memory(cluster: ClusterConfig, share: Share) -> Check:
    wanted = memory_of(cluster) if cluster.is_batch else None
    limit = "no limit is set" if share.memory_bytes is None else f"limited to {_size(share.memory_bytes)}"
    seen = limit if wanted is None else f"{limit}, {_size(wanted)} asked for"
    if wanted is not None and share.memory_bytes is not None and share.memory_bytes < 0.9 * wanted:
        remedy = "the queue gives less than is asked for: correct cluster.memory, or the directives"
        return Check("memory", Mark.WARNING, seen, remedy)
    return Check("memory", Mark.OK, seen)


def gpus(cluster: ClusterConfig, share: Share) -> Check:
    wanted = cluster.gpus_per_trial
    seen = f"{'none' if share.gpus is None else share.gpus} to be seen, {wanted} wanted for a trial"
    if (share.gpus or 0) < wanted:
        remedy = (
            "ask as the site wants it: cluster.queue, cluster.extra_directives (--gres=gpu:..., -l ngpus=...)"
        )
        return Check("gpus", Mark.FAILED, seen, remedy)
    return Check("gpus", Mark.OK, seen)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.3g} GB"
