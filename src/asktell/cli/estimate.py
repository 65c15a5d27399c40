"""What a study will take, before it starts: time, core-hours, jobs, files; for `check`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asktell.config import TEXT_ONLY_KINDS, StudyConfig
from asktell.wording import count, duration

if TYPE_CHECKING:
    from asktell.cli.rehearsal import Rehearsal

_KEPT_FILES = 7  # fence, params.json, returned.json, stdout, stderr, and two folders
_STUDY_FILES = 20  # study.yaml, logs, certificates, the store's own metadata, the folders of all these
_JOB_FILES = 3  # its script, its log, its last words
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Counted over the whole budget; None where nothing is known. Waits in a queue are not counted.

    trial_s: of one trial, measured, or its timeout (`is_bound`); jobs: batch jobs, one after another too;
    files: files and folders of the study but for those of kept trials, of which each has `files_per_kept`
    or more.
    """

    trials: int | None
    trial_s: float | None
    is_bound: bool
    time_s: float | None
    core_hours: float | None
    jobs: int | None
    files: int | None
    files_per_kept: int


def estimate(config: StudyConfig, slots: int, rehearsal: Rehearsal | None) -> Estimate:
    """slots: trials at a time; rehearsal: a point that was evaluated, if one was."""
    trials, cluster = config.budget.trials, config.cluster
    measured_s = rehearsal.outcome.duration_s if rehearsal is not None and rehearsal.is_completed else None
    trial_s = measured_s if measured_s is not None else config.evaluate.timeout_s
    at_once = 1 if config.schedule.kind == "sequential" else slots
    time_s = core_hours = jobs = None
    if trials is not None and trial_s is not None:
        time_s = math.ceil(trials / at_once) * trial_s
        core_hours = trials * trial_s * cluster.cpus_per_trial / _HOUR_S
        jobs = _jobs(config, trials, trial_s, at_once)
    return Estimate(
        trials=trials,
        trial_s=trial_s,
        is_bound=measured_s is None,
        time_s=time_s,
        core_hours=core_hours,
        jobs=jobs,
        files=_files(config, trials, at_once, jobs, rehearsal) if trials is not None else None,
        files_per_kept=_KEPT_FILES,
    )


def facts(found: Estimate, config: StudyConfig) -> list[tuple[str, str]]:
    """The estimate for people."""
    if found.trials is None:
        return [("estimate", "none, as the budget names no number of trials")]
    trials = count(found.trials, "trial")
    files = "" if found.files is None else _files_line(found, config)
    if found.trial_s is None or found.time_s is None or found.core_hours is None:
        unknown = f"how long {trials} take is unknown: --one measures one, evaluate.timeout bounds it"
        return [("estimate", unknown), ("files", files)]
    each = duration(found.trial_s)
    about = "at most" if found.is_bound else "about"
    basis = (
        f"each takes its whole timeout, {each}" if found.is_bound else f"each takes {each}, as the one point"
    )
    aside = ["retries"] if config.evaluate.retries else []
    aside += ["waits in the queue"] if config.cluster.is_batch else ["proposals"]
    cores = count(config.cluster.cpus_per_trial, "core")
    return [
        ("estimate", f"if {basis}; {' and '.join(aside)} aside"),
        ("time", f"{about} {duration(found.time_s)} for {trials}"),
        ("core-hours", f"{about} {_hours(found.core_hours)}, {cores} a trial"),
        ("jobs", _jobs_line(found, config, about)),
        ("files", files),
    ]


def cautions(found: Estimate, config: StudyConfig) -> Iterator[str]:
    """What had better be changed before the study starts."""
    walltime_s, timeout_s = config.cluster.walltime_s, config.evaluate.timeout_s
    if config.cluster.is_batch and walltime_s is not None:
        remedy = "raise cluster.walltime, or let trials checkpoint (evaluate.checkpoint_signal)"
        if found.trial_s is not None and not found.is_bound and found.trial_s >= walltime_s:
            yield (
                f"a trial of {duration(found.trial_s)} cannot end within any job of {duration(walltime_s)};"
                f" {remedy}"
            )
        elif timeout_s is not None and timeout_s >= walltime_s:
            yield (
                f"a trial that takes its timeout, {duration(timeout_s)}, cannot end within any job of"
                f" {duration(walltime_s)}; lower evaluate.timeout, {remedy}"
            )
    if config.cluster.kind in TEXT_ONLY_KINDS:
        yield f"job scripts for {config.cluster.kind} are tested as text only; read this one first"


def _jobs(config: StudyConfig, trials: int, trial_s: float, at_once: int) -> int | None:
    """Batch jobs that take all trials, each as many as end within its walltime."""
    cluster = config.cluster
    if not cluster.is_batch:
        return None
    at_first = math.ceil(min(trials, at_once) / cluster.workers_per_job)
    if cluster.walltime_s is None:
        return at_first
    in_a_job = int(cluster.walltime_s // trial_s) * cluster.workers_per_job if trial_s > 0 else trials
    return max(at_first, math.ceil(trials / in_a_job)) if in_a_job else None


def _jobs_line(found: Estimate, config: StudyConfig, about: str) -> str:
    cluster = config.cluster
    if not cluster.is_batch or found.trial_s is None:
        return ""
    if found.jobs is None:
        return f"none would do: each ends after {duration(cluster.walltime_s or 0.0)}"
    length = f" of {duration(cluster.walltime_s)}" if cluster.walltime_s is not None else ""
    return f"{about} {count(found.jobs, 'job')}{length}, {cluster.jobs} at a time"


def _files(
    config: StudyConfig, trials: int, at_once: int, jobs: int | None, rehearsal: Rehearsal | None
) -> int:
    """Files that do not depend on which trials are kept."""
    from asktell.store.layout import Layout
    from asktell.store.outputs import chunk_shape
    from asktell.store.table import Table
    from asktell.trial import ArrayRecord

    chunks = 0
    for variable in Table(Layout.from_config(config)).variables():
        chunks += math.ceil(trials / variable.chunks[0])
        chunks += 2  # its folder and its zarr.json
    for dtype, shape in _arrays(config, rehearsal).values():
        record = ArrayRecord(dtype, tuple(shape), tuple(map(str, range(len(shape)))))
        cut = chunk_shape(record)
        pieces = math.prod(math.ceil(size / step) for size, step in zip(shape, cut[1:], strict=True) if size)
        chunks += math.ceil(trials / cut[0]) * pieces + 2
    processes = at_once if jobs is None else max(at_once, jobs * config.cluster.workers_per_job)
    journals = processes + 1  # each writes one of its own
    return _STUDY_FILES + chunks + journals + (jobs or 0) * _JOB_FILES


def _arrays(config: StudyConfig, rehearsal: Rehearsal | None) -> Mapping[str, tuple[str, Sequence[int]]]:
    """(dtype, shape) of each output, as far as they are known: evaluated, or declared."""
    declared = {
        name: (output.dtype or "<f8", output.shape)
        for name, output in config.outputs.items()
        if output.shape is not None
    }
    return declared | (dict(rehearsal.sizes) if rehearsal is not None else {})


def _hours(core_hours: float) -> str:
    return f"{core_hours:.2g}" if core_hours < 10 else f"{core_hours:.0f}"


def _files_line(found: Estimate, config: StudyConfig) -> str:
    assert found.files is not None
    assert found.trials is not None
    keep = config.evaluate.keep
    if keep == "all":
        whole = found.files + found.trials * found.files_per_kept
        return f"about {whole}, and what trials write themselves: evaluate.keep is all"
    kept = f", and {found.files_per_kept} or more for each failed trial" if keep == "failed" else ""
    return f"about {found.files}{kept}: evaluate.keep is {keep}"
