"""Workers on this machine, and workers of a scheduler that runs elsewhere."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import dask.config
from distributed import Client, LocalCluster, Security, WorkerPlugin

from asktell.cluster.settings import CONFIG
from asktell.cluster.workers import QuietNanny
from asktell.errors import ExecutorError
from asktell.execute.protocol import SlotJoined, Why
from asktell.trial import Cause

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 10.0

UNKNOWN = Why(Cause.WORKER_LOST)


class LocalPool:
    """A dask cluster on this machine, one single-threaded worker process per slot.

    workers: slots; security: certificates, None for plain connections, which let every user of the
    machine in; dashboard: where dask's dashboard listens, None for none; heartbeat_s: a worker that is
    silent for so long is replaced.
    """

    explains = False
    note = ""

    def __init__(
        self,
        workers: int,
        *,
        security: Security | None = None,
        dashboard: str | None = None,
        heartbeat_s: float = 60.0,
    ) -> None:
        self.workers = workers
        self._security = security
        self.dashboard = ""
        self._heartbeat_s = heartbeat_s
        self._dashboard_address = dashboard
        self._cluster: Any = None
        self._missing: dict[int, float] = {}
        self._seen: set[str] = set()

    def connect(self) -> Client:
        settings = {**CONFIG, "distributed.scheduler.worker-ttl": f"{self._heartbeat_s}s"}
        if self._dashboard_address is None:
            settings["distributed.scheduler.http.routes"] = []
        with dask.config.set(settings):
            try:
                with _interrupts_blocked():
                    self._cluster = self._start()
            except RuntimeError as error:
                raise ExecutorError(
                    f"the local dask cluster did not start ({error}); in a script, put what runs a study "
                    'below `if __name__ == "__main__":`, as its workers import the script'
                ) from error
            client = Client(self._cluster)
        client.register_plugin(IgnoreInterrupts())
        if self._dashboard_address is not None:
            self.dashboard = str(self._cluster.dashboard_link)
        return client

    def _start(self) -> Any:
        return LocalCluster(
            n_workers=self.workers,
            threads_per_worker=1,
            worker_class=QuietNanny,
            host="127.0.0.1",
            protocol="tcp://" if self._security is None else "tls://",
            security=self._security,
            # NOTE: None would still open port 8787, and fail where that is taken.
            dashboard_address=self._dashboard_address or "127.0.0.1:0",
            scheduler_kwargs={"dashboard": self._dashboard_address is not None},
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        )

    def keep(self, slots: Collection[SlotJoined], wanted: int) -> None:
        """Kill workers that the scheduler has given up (frozen ones); their nannies start new ones."""
        if len(self._cluster.workers) < self.workers:
            # dask removes a worker that its nanny has not brought back within 15 s, and starts no other.
            self._cluster.scale(self.workers)
        live = {slot.slot for slot in slots}
        self._seen |= live
        now = time.monotonic()
        for nanny in list(self._cluster.workers.values()):
            pid = nanny.process.pid if getattr(nanny, "process", None) is not None else None
            address = getattr(nanny, "worker_address", None)
            if pid is None or address not in self._seen or address in live:
                self._missing.pop(pid or -1, None)
            elif now - self._missing.setdefault(pid, now) > min(10.0, self._heartbeat_s):
                logger.warning("worker %s (pid %d) does not answer: replacing it", address, pid)
                os.kill(pid, signal.SIGKILL)
                self._missing.pop(pid)

    def why(self, slot: SlotJoined) -> Why:
        return UNKNOWN

    def release(self, slot: SlotJoined) -> None:
        """Nothing: an idle process costs nothing."""

    def close(self, *, hand_over: bool = False) -> None:
        if self._cluster is not None:
            try:
                self._cluster.close(timeout=CLOSE_TIMEOUT_S)
            except TimeoutError:  # a worker that is just starting, on a machine that has much else to do
                logger.warning(
                    "the local workers have not ended within %g s; they end with this process",
                    CLOSE_TIMEOUT_S,
                )
            self._cluster = None


class AddressPool:
    """Workers of a dask scheduler that someone else runs; they are left as they are.

    security: the certificates that it wants to see.
    """

    explains = False
    note = ""

    def __init__(self, address: str, security: Security | None = None) -> None:
        self.address = address
        self.dashboard = ""
        self._security = security

    def connect(self) -> Client:
        try:
            client = Client(
                self.address, security=self._security, timeout=CONNECT_TIMEOUT_S, set_as_default=False
            )
        except (OSError, TimeoutError, TypeError) as error:  # a TypeError where tls:// has no certificates
            raise ExecutorError(
                f"cluster.address: no dask scheduler answers at {self.address} ({error}); start one with "
                "`dask scheduler`, correct the address, or name its certificates in cluster.tls"
            ) from error
        self.dashboard = str(client.dashboard_link or "")
        return client

    def keep(self, slots: Collection[SlotJoined], wanted: int) -> None:
        """Nothing: the workers have their own keeper."""

    def why(self, slot: SlotJoined) -> Why:
        return UNKNOWN

    def release(self, slot: SlotJoined) -> None:
        """Nothing: an idle process costs nothing."""

    def close(self, *, hand_over: bool = False) -> None:
        """Nothing: what we did not start we do not stop."""


class IgnoreInterrupts(WorkerPlugin):
    """Ctrl-C in a terminal reaches every process of its group; only the driver is meant."""

    name = "asktell-ignore-interrupts"

    def setup(self, worker: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # see `_interrupts_blocked`


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """No interrupt in this thread; nor, for good, in those that it starts and in their processes.

    dask's event loop is such a thread, and the parent of every worker: one that is starting, and has not
    loaded `IgnoreInterrupts` yet, would die of a Ctrl-C. The driver hears it when the block is over.
    """
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
