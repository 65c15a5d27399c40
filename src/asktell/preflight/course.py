"""The preflight's course: from a submission to a worker that has tried everything a trial needs."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asktell.config import StudyConfig, resolved
from asktell.directory import StudyDirectory
from asktell.errors import ExecutorError
from asktell.executors import make_pool
from asktell.preflight import diagnosis, verdicts
from asktell.preflight.probe import FROM_DRIVER, FROM_WORKER, SEE_S, Facts, await_word, probe
from asktell.preflight.report import Check, Mark, Report
from asktell.preflight.watch import Watch
from asktell.session import optimizer_of, width_of
from asktell.versions import installed

if TYPE_CHECKING:
    from distributed import Client

Say = Callable[[str], None]
Worker = tuple[str, Mapping[str, Any]]
"""Its address, and what its scheduler knows of it."""

JOB_S = 600.0
"""Walltime of the job, unless a study's own is shorter: short jobs start sooner."""
REACH_S = 60
"""How long the job's worker looks for this process before it says what stopped it."""
PROBE_S = 900.0
JOIN_S = 60.0
"""Where no job has to start first, a worker is there after so long, or there is none."""
_TURN_S = 0.25
_SESSION = 0
_ROUND_TRIPS = 5
_LOG_LINES = 15


def preflight(config: StudyConfig, *, say: Say) -> Report:
    """Try out the place where a study would run, without evaluating anything.

    With batch jobs one tiny job is submitted, and cancelled in the end. say: is told what is waited for.
    What has to be written is written to a folder in the current one, where studies go by default; it is
    removed unless something fails. Raises ConfigError where no job can be made of the configuration.
    """
    config = resolved(config)
    directory = StudyDirectory(Path(tempfile.mkdtemp(prefix=f".{config.name}-check-", dir=Path.cwd())))
    kept = None
    try:
        small = _reduced(config)
        directory.config.write_text(small.to_yaml(), encoding="utf-8")
        with closing(_checks(small, directory, _trials_at_once(config), say)) as found:
            checks = tuple(found)
        if any(check.mark is Mark.FAILED for check in checks):
            kept = directory.root
    finally:
        if kept is None:
            shutil.rmtree(directory.root, ignore_errors=True)
    return Report(checks, kept)


def _reduced(config: StudyConfig) -> StudyConfig:
    """One job, of the shape that the study's jobs have."""
    cluster = config.cluster
    changes: dict[str, Any] = {"jobs": 1, "dashboard": None, "single_allocation": False}
    if cluster.is_batch:
        changes["walltime_s"] = min(cluster.walltime_s or JOB_S, JOB_S)
        changes["options"] = {**cluster.options, "death_timeout": REACH_S}
    elif cluster.kind == "local":
        changes["workers"] = 1
    return config.model_copy(update={"cluster": cluster.model_copy(update=changes)})


def _trials_at_once(config: StudyConfig) -> int:
    """How many trials share what a worker of the probe can see."""
    if config.cluster.is_batch:
        return config.cluster.workers_per_job
    return width_of(config) if config.cluster.kind == "local" else 1


def _checks(
    config: StudyConfig, directory: StudyDirectory, trials: int, say: Say
) -> Generator[Check, None, None]:
    pool = make_pool(config, directory, _SESSION)
    try:
        try:
            client = pool.connect()
        except ExecutorError as error:
            yield Check("driver", Mark.FAILED, str(error), f"this machine has {_interfaces()}")
            return
        yield Check("driver", Mark.OK, f"listens at {_address(client)} on {socket.gethostname()}")
        if config.cluster.is_batch:
            yield from _by_job(config, directory, client, trials, say)
        elif (worker := _await_worker(client, lambda: None, within_s=JOIN_S)) is not None:
            yield from _at_worker(config, directory, client, worker, trials, say)
        else:
            seen = f"no worker is connected to {_address(client)}"
            yield Check("connection", Mark.FAILED, seen, "start some: dask worker ADDRESS --nthreads 1")
    finally:
        pool.close()


def _by_job(
    config: StudyConfig, directory: StudyDirectory, client: Client, trials: int, say: Say
) -> Iterator[Check]:
    from asktell.cluster.queues import Phase, QueueSilent, SubmitRefused, make_queue
    from asktell.cluster.scripts import job_script

    queue = make_queue(config, directory)
    script = directory.jobs / "check.sh"
    script.write_text(job_script(config, directory.root, "check", _address(client)), encoding="utf-8")
    script.chmod(0o700)  # OAR runs the file itself
    submitted_at = time.monotonic()
    try:
        job = queue.submit(script)
    except SubmitRefused as refusal:
        remedy = diagnosis.remedy(refusal.words, diagnosis.REFUSALS, f"try it by hand: {script}")
        yield Check("submission", Mark.FAILED, f"{refusal.words}\n{script.read_text()}", remedy)
        return
    watch = Watch(queue, job, config.cluster.query_every_s, say)
    log = directory.jobs / f"{job}.log"
    try:
        yield Check("submission", Mark.OK, f"job {job}")
        worker = _await_worker(client, lambda: watch.trouble)
        if worker is None:
            yield _never_started(watch) if watch.phase is Phase.QUEUED else _never_joined(watch, log, script)
            return
        took_s = time.monotonic() - submitted_at
        known = worker[1]
        host = watch.host or known.get("asktell", {}).get("host") or known["host"]
        yield Check("start", Mark.OK, f"on {host}; a worker was there {took_s:.0f} s after the submission")
        yield from _at_worker(config, directory, client, worker, trials, say)
        yield from _log_check(log)
    finally:
        try:
            watch.cancel()
        except QueueSilent as silence:
            say(f"job {job} could not be cancelled: {silence}")


def _await_worker(
    client: Client, trouble: Callable[[], object], within_s: float = float("inf")
) -> Worker | None:
    """The first worker that is there; None when there is trouble, or the time is over."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        workers: Mapping[str, Mapping[str, Any]] = client.scheduler_info(n_workers=-1)["workers"]
        if workers:
            return next(iter(workers.items()))
        if trouble():
            return None
        time.sleep(_TURN_S)
    return None


def _never_started(watch: Watch) -> Check:
    remedy = diagnosis.remedy(watch.trouble, diagnosis.NEVER_STARTS)
    return Check("start", Mark.FAILED, f"job {watch.job} waits and will not start: {watch.trouble}", remedy)


def _never_joined(watch: Watch, log: Path, script: Path) -> Check:
    """The job is over, and its worker was never here: its log knows why."""
    text = _text(log)
    if text is None:
        seen = f"job {watch.job} ended ({watch.trouble}) and left no log at {log}"
        return Check(
            "connection", Mark.FAILED, seen, "its node must see this folder: use a shared file system"
        )
    tail = "\n".join(text.splitlines()[-_LOG_LINES:]) or "(nothing)"
    seen = f"job {watch.job} ended ({watch.trouble}) before its worker was here; its log:\n{tail}"
    remedy = diagnosis.remedy(text, diagnosis.DEATHS, f"run it by hand on a node: bash {script}")
    if "interface" in remedy:
        remedy += f"; this machine has {_interfaces()}"
    return Check("connection", Mark.FAILED, seen, remedy)


def _at_worker(
    config: StudyConfig, directory: StudyDirectory, client: Client, worker: Worker, trials: int, say: Say
) -> Iterator[Check]:
    """Everything that a worker can tell."""
    address, known = worker
    yield Check("connection", Mark.OK, f"{address} has reached {_address(client)}")
    told = known.get("asktell") or {}
    if config.cluster.is_batch:
        left_s = None if told.get("ends_at") is None else told["ends_at"] - time.time()
        yield verdicts.walltime(config.cluster, left_s)
    try:
        yield verdicts.clocks(*_compare_clocks(client, address))
        say("looking around on the node")
        facts, answered_after_s = _probe(config, directory, client, worker)
    except Exception as error:  # noqa: BLE001 - of the worker's, of its unpickling, of dask's: all of it is to be told
        remedy = "is it the same asktell on the nodes? cluster.python names their Python"
        yield Check("probe", Mark.FAILED, f"it could not be run on {address}: {error!r}", remedy)
        return
    yield verdicts.python(facts.python, facts.executable)
    yield verdicts.packages(installed(), facts.versions)
    yield verdicts.objective(facts.presence)
    yield verdicts.study_files(facts.study, facts.seen_after_s, answered_after_s)
    yield verdicts.scratch(facts.scratch)
    yield verdicts.cores(config.cluster, facts.share, trials)
    yield verdicts.memory(config.cluster, facts.share)
    if config.cluster.gpus_per_trial:
        yield verdicts.gpus(config.cluster, facts.share)


def _compare_clocks(client: Client, address: str) -> tuple[float, float]:
    """(seconds that the worker's clock is ahead, round trip) of the quickest of a few questions."""
    answers = []
    for _ in range(_ROUND_TRIPS):
        asked_at = time.time()
        there = client.submit(time.time, workers=[address], pure=False).result(timeout=PROBE_S)
        round_trip_s = time.time() - asked_at
        answers.append((round_trip_s, there - asked_at - round_trip_s / 2))
    round_trip_s, ahead_s = min(answers)
    return ahead_s, round_trip_s


def _probe(
    config: StudyConfig, directory: StudyDirectory, client: Client, worker: Worker
) -> tuple[Facts, float | None]:
    """What the worker found, and how long its own file took to be seen here; None if it was not."""
    address, known = worker
    word = uuid.uuid4().hex
    (directory.root / FROM_DRIVER).write_text(word)
    asked = client.submit(
        probe,
        str(directory.root),
        json.dumps(config.dump()),
        dict(optimizer_of(config).ask().params),
        known["local_directory"],
        word,
        workers=[address],
        pure=False,
    )
    facts: Facts = asked.result(timeout=PROBE_S)
    return facts, None if facts.study.error else await_word(directory.root / FROM_WORKER, word, SEE_S)


def _log_check(log: Path) -> Iterator[Check]:
    """Lines of the job's log that look like trouble, though all went well: of the prologue, mostly."""
    if lines := diagnosis.suspicious(_text(log) or ""):
        remedy = "look whether a line of cluster.prologue fails on the nodes"
        yield Check("job's log", Mark.WARNING, "\n".join(lines[:_LOG_LINES]), remedy)


def _text(log: Path) -> str | None:
    try:
        return log.read_text(errors="replace")
    except FileNotFoundError:
        return None


def _address(client: Client) -> str:
    """Where the scheduler listens."""
    return str(client.scheduler_info(n_workers=0)["address"])


def _interfaces() -> str:
    """'the interfaces lo, eth0'."""
    return f"the interfaces {', '.join(name for _, name in socket.if_nameindex())}"
