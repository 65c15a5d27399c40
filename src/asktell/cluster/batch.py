"""Workers in batch jobs: our own dask scheduler in this process, and a thread that keeps the jobs.

The loop's thread only tells the keeper what it sees; everything that may take long (the batch system's
commands, asking dask to let a worker go) happens in the pool's own thread.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import dask.config
from distributed import Client, Scheduler, SpecCluster
from distributed.utils import get_ip

from asktell.cluster import job_output, last_words, rendezvous
from asktell.cluster.causes import PATIENCE_S, Evidence, explain
from asktell.cluster.certificates import study_security
from asktell.cluster.job_log import JobLog, Submission
from asktell.cluster.keeper import Keeper, Limits, Look, Submit
from asktell.cluster.queues import JobState, Phase, QueueSilent, SubmitRefused, make_queue
from asktell.cluster.roster import Roster
from asktell.cluster.scripts import fingerprint, job_name, job_script
from asktell.cluster.settings import CONFIG
from asktell.config import StudyConfig
from asktell.directory import StudyDirectory
from asktell.errors import ExecutorError, JournalError
from asktell.execute.protocol import SlotJoined, Why
from asktell.journal import openings

logger = logging.getLogger(__name__)

TICK_S = 0.5
HEARTBEAT_S = 120.0
"""dask gives a worker up that is silent for so long; a broken connection shows at once."""
CLOSE_S = 20.0
"""How long the end of cancelled jobs is waited for."""
STEP_QUERY_S = 1.0
"""Steps are our own children: a look costs nothing."""
EMPTY_ANSWERS, ASK_AGAIN_S = 2, 3.0
"""That no job of an earlier driver is known any more is believed when it is said once more than so often."""


@dataclass(slots=True)
class Loss:
    """A worker that is gone. state: what the batch system has said of its job since."""

    slot: SlotJoined
    at: float
    state: JobState | None = None


class BatchPool:
    """Keeps the jobs of one driver. session: the driver's token, which marks the jobs it submits."""

    explains = True

    def __init__(self, config: StudyConfig, directory: StudyDirectory, session: int) -> None:
        cluster = config.cluster
        self.dashboard = ""
        self._config = config
        self._directory = directory
        self._session = session
        directory.jobs.mkdir(exist_ok=True)
        self._fingerprint = fingerprint(config, directory.root)
        self._queue = make_queue(config, directory)
        self._kind = "step" if cluster.single_allocation else cluster.kind
        self._log = JobLog(directory.jobs / "jobs.jsonl")
        self._roster = Roster(self._queue, self._log, job_name(config, directory.root), self._kind)
        self._keeper = Keeper(
            Limits(
                jobs=cluster.jobs,
                workers_per_job=cluster.workers_per_job,
                submit_every_s=cluster.submit_every_s,
                query_every_s=STEP_QUERY_S if cluster.single_allocation else cluster.query_every_s,
                max_queued=cluster.max_queued,
                can_list=self._queue.can_list,
            )
        )
        self._lock = threading.Lock()  # over the keeper, the losses and what is to be retired
        self._losses: dict[str, Loss] = {}
        self._live: dict[str, SlotJoined] = {}
        self._released: list[str] = []  # since the last `keep`
        self._to_retire: list[str] = []
        self._n_submitted = 0
        self._failure = ""
        self._is_closed = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="asktell-keeper", daemon=True)
        self._cluster: Any = None
        self._client: Client | None = None

    @property
    def note(self) -> str:
        with self._lock:
            return self._keeper.note(time.time())

    # ---- in the loop's thread ------------------------------------------------------------------

    def connect(self) -> Client:
        """Start the scheduler, say where it is, and begin to keep jobs."""
        try:
            self._cluster = self._start()
        except (RuntimeError, OSError, ValueError) as error:
            raise ExecutorError(
                f"dask's scheduler did not start ({error}); "
                "cluster.driver_interface names the network interface on which it listens"
            ) from error
        self._client = Client(self._cluster, set_as_default=False)
        address = self._cluster.scheduler_address
        if self._config.cluster.dashboard is not None:
            port = self._cluster.scheduler_info["services"]["dashboard"]
            tunnel = f"ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}"
            self.dashboard = f"http://127.0.0.1:{port}/status (from elsewhere: {tunnel})"
        rendezvous.announce(self._directory, address, self._session)
        logger.info("dask's scheduler listens at %s", address)
        self._thread.start()
        return self._client

    def _start(self) -> Any:
        cluster = self._config.cluster
        security = study_security(self._directory) if cluster.security == "tls" else None
        interface = cluster.driver_interface or cluster.interface
        options = {
            "protocol": "tcp://" if security is None else "tls://",
            "security": security,
            "interface": interface,
            # Without it dask listens on every interface, and shows the same address all the same.
            "host": get_ip() if interface is None else None,
            # NOTE: None would still open port 8787, and fail where that is taken.
            "dashboard_address": cluster.dashboard or "127.0.0.1:0",
            "dashboard": cluster.dashboard is not None,
        }
        settings: dict[str, Any] = {**CONFIG, "distributed.scheduler.worker-ttl": f"{HEARTBEAT_S}s"}
        if cluster.dashboard is None:
            settings["distributed.scheduler.http.routes"] = []
        with dask.config.set(settings):
            return SpecCluster(
                workers={},
                scheduler={"cls": Scheduler, "options": options},
                security=security,
                silence_logs=logging.CRITICAL,
                name=f"asktell-{self._config.name}",
            )

    def keep(self, slots: Collection[SlotJoined], wanted: int) -> None:
        now = time.time()
        live = {slot.slot: slot for slot in slots}
        with self._lock:
            for name, loss in list(self._losses.items()):
                if now - loss.at > 2 * PATIENCE_S:  # nothing ran there, so nobody has asked
                    del self._losses[name]
            for name in self._live.keys() - live.keys():
                self._losses[name] = Loss(self._live[name], now)
            self._live = live
            self._keeper.want(wanted)
            # Only now: with an older number, a job that is let go at the budget's end would be replaced.
            for name in self._released:
                self._keeper.release(name)
            self._to_retire += self._released
            self._released = []
            self._keeper.seen(live.values(), now)
            failure = self._failure or self._keeper.failure()
        if failure:
            remedy = "correct `cluster` in its study.yaml, try it with `asktell check --cluster`, and resume"
            raise ExecutorError(
                f"{self._directory.root}: {failure}; {job_output.last(self._directory)}{remedy}"
            )

    def why(self, slot: SlotJoined) -> Why | None:
        now = time.time()
        with self._lock:
            loss = self._losses.setdefault(slot.slot, Loss(slot, now))
            has_workers = any(other.job == slot.job for other in self._live.values())
            is_there = slot.slot in self._live
        evidence = Evidence(
            job=slot.job,
            lost_at=loss.at,
            state=loss.state,
            words=last_words.read(self._directory, slot.job),
            ends_at=slot.ends_at,
            has_workers=has_workers,
            is_there=is_there,
            is_shared=self._config.cluster.workers_per_job > 1,
            log_tail=job_output.tail(self._directory, slot.job),
        )
        found = explain(evidence, now)
        if found is not None:
            with self._lock:
                self._losses.pop(slot.slot, None)
        return found

    def release(self, slot: SlotJoined) -> None:
        self._released.append(slot.slot)

    def close(self, *, hand_over: bool = False) -> None:
        """Cancel every job of this study, or with `hand_over` leave them to the driver that follows."""
        if self._is_closed:
            return
        self._is_closed = True
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=CLOSE_S)
        if self._cluster is None:
            return
        try:
            if self._is_superseded():
                logger.warning("another driver has this study, and its jobs with it: none is cancelled")
            elif hand_over:
                until = time.time() + self._config.cluster.linger_s
                rendezvous.hand_over(self._directory, self._session, until)
            else:
                self._withdraw()
                self._cancel_all()
        except OSError as error:
            logger.warning("%s: the driver's end cannot be noted there: %s", self._directory.root, error)
        finally:
            if self._client is not None:
                self._client.close(timeout=5)
            self._cluster.close(timeout=10)

    def _is_superseded(self) -> bool:
        """A later driver has taken the study over while this one was frozen; what runs is its own."""
        try:
            return any(opened.token > self._session for opened in openings(self._directory.journal))
        except (OSError, JournalError) as error:
            logger.warning("%s: who drives the study is not known: %s", self._directory.journal, error)
            return False

    def _withdraw(self) -> None:
        try:
            rendezvous.withdraw(self._directory, self._session)
        except OSError as error:  # the jobs have to go all the same
            logger.warning("%s cannot be removed: %s", self._directory.scheduler, error)

    # ---- in the pool's thread ------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._adopt()
            while not self._stopping.is_set():
                if not self._turn():
                    self._stopping.wait(TICK_S)
        except Exception as error:  # whatever it is, the loop has to hear of it
            logger.exception("the keeper of the jobs has failed")
            self._failure = f"the keeper of the jobs has failed: {error!r}"

    def _turn(self) -> bool:
        """Do what the keeper orders; says whether there was anything."""
        with self._lock:
            orders = self._keeper.plan(time.time())
            retired, self._to_retire = self._to_retire, []
        for order in orders:
            match order:
                case Look(ids):
                    self._look(ids)
                case Submit():
                    self._submit()
        if retired:
            self._retire(retired)
        return bool(orders)

    def _look(self, ids: Collection[str]) -> None:
        asked_at = time.time()
        try:
            states = self._queue.jobs(ids)
        except QueueSilent as silence:
            logger.warning("the batch system does not answer: %s", silence)
            with self._lock:
                self._keeper.silent(str(silence))
            return
        with self._lock:
            self._keeper.answered(ids, states, time.time())
            for loss in self._losses.values():
                if loss.slot.job in states and loss.at <= asked_at:
                    loss.state = states[loss.slot.job]
        for state in states.values():
            if state.phase is Phase.ENDED:
                logger.info("job %s has ended: %s", state.id, state.reason or state.end.value)
                self._log.ended(state)

    def _submit(self) -> None:
        self._n_submitted += 1
        name = f"s{self._session}-{self._n_submitted}"
        script = self._directory.jobs / f"{name}.sh"
        address = self._cluster.scheduler_address
        script.write_text(job_script(self._config, self._directory.root, name, address), encoding="utf-8")
        script.chmod(0o700)  # OAR runs the file itself
        self._log.intend(name, self._session, self._fingerprint, self._kind)
        try:
            job = self._queue.submit(script)
        except SubmitRefused as refusal:
            logger.warning("job %s was not submitted: %s", name, refusal.words)
            job = self._find_stray() if refusal.is_doubtful else ""
            if not job:
                # An intention that stays open is looked for by name in the end.
                if not refusal.is_doubtful:
                    self._log.refused(name, refusal.words)
                with self._lock:
                    self._keeper.refused(refusal, time.time())
                return
        logger.info("job %s submitted as %s", name, job)
        self._log.submitted(name, job)
        with self._lock:
            self._keeper.submitted(job, time.time())

    def _find_stray(self) -> str:
        """A job of this study that nobody has recorded, '' if none is known.

        A command that waits in vain for its answer may have submitted a job all the same.
        """
        strays = self._roster.unrecorded()
        with self._lock:
            return next((job for job in strays if job not in self._keeper.jobs), "")

    def _retire(self, slots: Collection[str]) -> None:
        assert self._client is not None
        try:
            self._client.retire_workers(workers=list(slots), close_workers=True)
        except (OSError, TimeoutError, RuntimeError) as error:
            # It stays, idle, until its job ends: a waste, and no harm.
            logger.warning("workers %s could not be let go: %s", ", ".join(slots), error)

    # ---- jobs of earlier drivers ---------------------------------------------------------------

    def _adopt(self) -> None:
        """Take over the jobs that earlier drivers have left; what waits there for another shape goes."""
        if not self._queue.can_list:
            return  # their workers will say that they are there
        submissions = {item.job: item for item in self._roster.open()}
        empty_answers = 0
        while submissions and not self._stopping.is_set():
            try:
                states = self._queue.jobs(submissions.keys())
            except QueueSilent as silence:
                # Nothing is submitted before it is known how many there are.
                logger.warning("the batch system does not answer: %s", silence)
                with self._lock:
                    self._keeper.silent(str(silence))
                self._stopping.wait(self._config.cluster.query_every_s)
                continue
            if not states and empty_answers < EMPTY_ANSWERS:  # is it true, or no answer at all?
                empty_answers += 1
                self._stopping.wait(ASK_AGAIN_S)
                continue
            self._sort(submissions.values(), states)
            return

    def _sort(self, submissions: Collection[Submission], states: Mapping[str, JobState]) -> None:
        stale = []
        for item in submissions:
            state = states.get(item.job)
            if state is None or state.phase is Phase.ENDED:
                self._log.ended(state or JobState(item.job, Phase.ENDED, "not known any more"))
            elif state.phase is Phase.QUEUED and item.fingerprint != self._fingerprint:
                stale.append(item.job)
            else:
                logger.info("job %s (%s) of an earlier driver is taken over", item.job, state.phase)
                with self._lock:
                    self._keeper.adopt(state, time.time())
        if stale:
            logger.info("jobs %s ask for what the study file no longer says: cancelled", ", ".join(stale))
            try:
                self._queue.cancel(stale)
            except QueueSilent as silence:  # they are cancelled at this driver's end
                logger.warning("whether jobs %s are cancelled is not known: %s", ", ".join(stale), silence)

    # ---- the end -------------------------------------------------------------------------------

    def _cancel_all(self) -> None:
        """Cancel what waits and what runs, and see that the queue agrees."""
        with self._lock:
            ids = set(self._keeper.jobs)
        try:
            ids |= {item.job for item in self._roster.open()}
        except OSError as error:  # a full disk, or a folder that is no more: the jobs are there all the same
            logger.warning("jobs that earlier drivers have left may be queued: %s", error)
        if not ids:
            return
        until = time.monotonic() + CLOSE_S
        try:
            self._queue.cancel(sorted(ids))
            while self._queue.can_list and time.monotonic() < until:
                states = self._queue.jobs(sorted(ids))
                ended = [state for state in states.values() if state.phase in (Phase.ENDED, Phase.ENDING)]
                ids -= {state.id for state in ended} | (ids - states.keys())
                for state in ended:
                    self._note_end(replace(state, reason=state.reason or "cancelled by its driver"))
                if not ids:
                    return
                time.sleep(1.0)
        except QueueSilent as silence:
            logger.warning("whether jobs %s are cancelled is not known: %s", ", ".join(sorted(ids)), silence)
        else:
            if self._queue.can_list:
                logger.warning("jobs %s were cancelled and have not ended yet", ", ".join(sorted(ids)))

    def _note_end(self, state: JobState) -> None:
        try:
            self._log.ended(state)
        except OSError as error:
            logger.warning("the end of job %s cannot be noted: %s", state.id, error)
