"""One process of a batch job: a dask worker that finishes what it has in hand, come what may of its driver.

It joins the driver of the moment. When that one goes it takes nothing new, ends the evaluation in hand and
journals the result. Then it begins afresh with the next driver, if there is one or one is expected.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import dask.config
from distributed import Security, Worker
from distributed.comm.addressing import get_address_host, get_address_host_port
from distributed.comm.core import connect
from distributed.utils import get_ip, get_ip_interface

from asktell.cluster import rendezvous
from asktell.cluster.certificates import worker_security
from asktell.cluster.rendezvous import Rendezvous
from asktell.cluster.settings import CONFIG
from asktell.cluster.workers import QuietWorker
from asktell.config import ClusterConfig, from_resolved
from asktell.directory import StudyDirectory
from asktell.errors import AsktellError, ExecutorError
from asktell.evaluate.inputs import ENDS_AT
from asktell.job.afterwards import Step, is_replaced, next_step
from asktell.job.crew import AGAIN, WARNINGS, Plan
from asktell.trial import Cause
from asktell.worker import BENCHES

POLL_S = 1.0
KNOCK_S = 10.0
LOOK_S = 10.0
"""How often a worker looks whether another driver has taken the place of its own."""
WITHDRAWN_S = 120.0
"""How long a driver is looked for where none is announced: a file may be seen late on another node."""
JOURNAL_S = 2.0  # between the end of an evaluation and that of its attempt
NO_SESSION = 0
RELEASED = ("scheduler-close-worker", "scheduler-remove-worker")
"""dask's words for a worker that its driver has let go, or given up."""

GPU_VARIABLES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")

logger = logging.getLogger(__name__)


class PatientWorker(QuietWorker):
    """Closes when what it has in hand is journaled, for as long as it `is_patient`.

    reason: dask's word for why it was closed.
    """

    is_patient = False
    reason = ""

    async def close(self, *args: Any, **kwargs: Any) -> Any:
        self.reason = self.reason or str(kwargs.get("reason", ""))
        if self.is_patient:
            BENCHES.retire()
        while self.is_patient and not BENCHES.is_idle:
            await asyncio.sleep(0.1)
        return await super().close(*args, **kwargs)


class Slot:
    """The life of this process: find a driver, work for it, outlive it."""

    def __init__(self, plan: Plan) -> None:
        config = from_resolved(Path(plan.study) / "study.yaml")
        self._plan = plan
        self._directory = StudyDirectory(Path(plan.study))
        self._cluster = config.cluster
        self._grace_s = config.evaluate.grace_s
        self._security = worker_security(self._directory) if config.cluster.security == "tls" else Security()
        self._worker: PatientWorker | None = None
        self._told = asyncio.Event()
        self._is_warned = False
        self._ends_at = plan.ends_at
        if self._ends_at is None and config.cluster.walltime_s is not None:
            self._ends_at = plan.started_at + config.cluster.walltime_s

    async def run(self) -> int:
        """Live; the exit code of this process."""
        BENCHES.job = self._plan.job
        choose_gpus(os.environ, self._cluster, self._plan)
        if self._ends_at is not None:
            os.environ[ENDS_AT] = str(self._ends_at)
        self._listen()
        life, told = asyncio.create_task(self._live()), asyncio.create_task(self._told.wait())
        await asyncio.wait((life, told), return_when=asyncio.FIRST_COMPLETED)
        if self._told.is_set():
            await self._end()
            return 0
        return await life

    async def _live(self) -> int:
        found = await self._join()
        if found is None:
            return 1
        joined, worker = found
        await self._work(joined, worker)
        logger.info("slot %d: left the driver: %s", self._plan.number, worker.reason)
        if worker.reason in RELEASED:
            return 0
        return AGAIN if await self._is_wanted_again(joined) else 0

    async def _work(self, joined: Rendezvous, worker: PatientWorker) -> None:
        """Return when the worker has closed: of itself, or as another driver is there.

        A driver that is frozen, or cut off, does not let go of its workers, and they hear nothing of it.
        """
        finished = asyncio.ensure_future(Worker.finished(worker))
        while not finished.done():
            await asyncio.wait((finished,), timeout=LOOK_S)
            if not finished.done() and is_replaced(joined, rendezvous.read(self._directory)):
                await worker.close(timeout=2, reason="another-driver")
        await finished

    # ---- with a driver -------------------------------------------------------------------------

    async def _join(self) -> tuple[Rendezvous, PatientWorker] | None:
        """Become a worker of the driver of the moment; None if there is none for too long."""
        host = address_of(self._cluster.interface)
        began, complaint = time.monotonic(), ""
        while True:
            announced = rendezvous.read(self._directory)
            looked_s = time.monotonic() - began
            if looked_s >= self._plan.death_timeout_s or (announced is None and looked_s >= WITHDRAWN_S):
                break
            present = announced or Rendezvous(self._plan.address, NO_SESSION)
            try:
                await self._knock(present.address)
                worker = await self._start(present.address, host)
            except (OSError, RuntimeError, ValueError) as error:
                complaint = f"{present.address}: {error.__cause__ or error}"
                await asyncio.sleep(POLL_S)
            else:
                logger.info("slot %d: works for the driver at %s", self._plan.number, present.address)
                worker.is_patient = True
                self._worker = worker
                return present, worker
        logger.error(
            "slot %d: found no driver in %.0f s (%s). Is it running, and can this node reach it? "
            "`cluster.interface` names the network to use; `asktell check --cluster` tries it out",
            self._plan.number,
            looked_s,
            complaint,
        )
        return None

    async def _knock(self, address: str) -> None:
        """Raises OSError if nobody answers who shows the study's certificate."""
        # dask tries again for all of the time, where nobody listens too.
        connection = asyncio.open_connection(*get_address_host_port(address))
        _, writer = await asyncio.wait_for(connection, KNOCK_S)
        writer.close()
        comm = await connect(address, timeout=KNOCK_S, **self._security.get_connection_args("worker"))
        await comm.close()

    async def _start(self, address: str, host: str | None) -> PatientWorker:
        told = {"job": self._plan.job, "ends_at": self._ends_at, "host": socket.gethostname()}
        worker: PatientWorker = await PatientWorker(
            address,
            nthreads=1,
            name=f"{self._plan.name}-{self._plan.number}",
            host=host or get_ip(get_address_host(address)),
            security=self._security,
            protocol="tls" if self._security.require_encryption else "tcp",
            local_directory=self._plan.scratch,
            memory_limit=0,
            dashboard=False,
            startup_information={"asktell": lambda worker: told},
        )
        return worker

    # ---- without one ---------------------------------------------------------------------------

    async def _is_wanted_again(self, joined: Rendezvous) -> bool:
        """Wait for the next driver, if one is expected; False if there will be none."""
        until = time.monotonic() + self._cluster.linger_s
        while True:
            match next_step(joined, rendezvous.read(self._directory)):
                case Step.JOIN:
                    return True
                case Step.KNOCK:
                    try:
                        await self._knock(joined.address)
                    except OSError:
                        return False
                    return True
                case Step.LEAVE:
                    return False
            if time.monotonic() > until:
                logger.info("slot %d: no driver has followed", self._plan.number)
                return False
            await asyncio.sleep(POLL_S)

    # ---- signals -------------------------------------------------------------------------------

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._told.set)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the crew decides
        for number in WARNINGS:
            loop.add_signal_handler(number, self._warn)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WARNINGS)
        loop.add_reader(sys.stdin.fileno(), self._lose_crew)
        if self._ends_at is not None and self._cluster.warn_before_s:
            loop.call_later(max(0.0, self._ends_at - self._cluster.warn_before_s - time.time()), self._warn)

    def _lose_crew(self) -> None:
        """Nothing comes on stdin but its end."""
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self._told.set()

    def _warn(self) -> None:
        if self._is_warned:
            return  # the batch system's warning and our own come at about the same time
        self._is_warned = True
        logger.info("slot %d: the end of the job is near", self._plan.number)
        BENCHES.warn(Cause.WALLTIME)

    async def _end(self) -> None:
        """Leave within the few seconds that a batch system gives."""
        logger.info("slot %d: told to end", self._plan.number)
        BENCHES.retire()
        BENCHES.warn(Cause.WORKER_LOST)
        # Most batch systems signal every process of a job: then the evaluation is ending already.
        await self._become_idle(self._grace_s)
        await asyncio.to_thread(BENCHES.end)
        await self._become_idle(JOURNAL_S)
        if self._worker is not None:
            self._worker.is_patient = False
            await self._worker.close(timeout=2, executor_wait=False, reason="told-to-end")

    async def _become_idle(self, within_s: float) -> None:
        until = time.monotonic() + within_s
        while not BENCHES.is_idle and time.monotonic() < until:
            await asyncio.sleep(0.05)


def address_of(interface: str | None) -> str | None:
    """This node's address on a network, None without a wish; raises ExecutorError if it is not on it."""
    try:
        return None if interface is None else str(get_ip_interface(interface))
    except ValueError as error:
        raise ExecutorError(f"cluster.interface: {error}") from error


def choose_gpus(environ: MutableMapping[str, str], cluster: ClusterConfig, plan: Plan) -> None:
    """Leave each slot of a job the GPUs that are its own."""
    count = cluster.gpus_per_trial
    if plan.workers < 2 or not count:
        return
    for name in GPU_VARIABLES:
        devices = [device for device in environ.get(name, "").split(",") if device]
        if devices:
            environ[name] = ",".join(devices[plan.number * count : (plan.number + 1) * count])


def main() -> int:
    """Entry point. The first line of stdin: a `Plan`; its end: that of the crew."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("distributed", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    plan = Plan.decode(sys.stdin.buffer.readline())
    with dask.config.set(CONFIG):
        try:
            return asyncio.run(_live(plan))
        except AsktellError as error:
            logger.error("slot %d: %s", plan.number, error)
            return 1


async def _live(plan: Plan) -> int:
    return await Slot(plan).run()


if __name__ == "__main__":
    sys.exit(main())
