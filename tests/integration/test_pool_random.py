"""64 real dask workers that join and leave at random, under the whole loop: every trial ends once."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import dask.config
from distributed import Client, Scheduler, SpecCluster, get_worker
from distributed.core import Status as Running

import asktell
from asktell import records
from asktell.cluster.settings import CONFIG
from asktell.cluster.workers import QuietWorker
from asktell.config import parse
from asktell.execute.dask import DaskExecutor
from asktell.execute.protocol import SlotJoined, Task, Why
from asktell.journal import Segment, replay_driver
from asktell.records import Ended, Lost, Reported, Submitted
from asktell.trial import Cause, Outcome, Status

WORKERS = 64
TRIALS = 120
OBJECTIVES = Path(__file__).parents[1] / "objectives"


class Crowd:
    """Workers in this process, of which one after the other leaves in the middle of whatever it does."""

    explains = True
    dashboard = ""
    note = ""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._asked: Counter[str] = Counter()
        self._cluster: Any = None
        self._churn: Any = None

    def connect(self) -> Client:
        options = {
            "protocol": "tcp://",
            "host": "127.0.0.1",
            "dashboard_address": "127.0.0.1:0",
            "dashboard": False,
        }
        with dask.config.set({**CONFIG, "distributed.scheduler.http.routes": []}):
            self._cluster = SpecCluster(workers={}, scheduler={"cls": Scheduler, "options": options})
        client = Client(self._cluster, set_as_default=False)
        loop = self._cluster.loop.asyncio_loop
        self._churn = asyncio.run_coroutine_threadsafe(self._live(), loop)
        return client

    async def _live(self) -> None:
        workers: list[QuietWorker] = []
        try:
            while True:
                # They come and go as batch jobs start and end: the first all at once, then a few at a time.
                missing = WORKERS - len(workers)
                workers += await asyncio.gather(*(self._join() for _ in range(missing)))
                for _ in range(self._random.randint(1, 4)):
                    busy = [worker for worker in workers if worker.state.executing]
                    # Always one of the last few busy ones would be more than a point is tried again.
                    victim = self._random.choice(busy if len(busy) > 8 else workers)
                    workers.remove(victim)
                    await self._leave(victim)
                await asyncio.sleep(self._random.uniform(0.05, 0.5))
        finally:
            await asyncio.gather(*(self._leave(worker) for worker in workers))

    async def _join(self) -> QuietWorker:
        with dask.config.set(CONFIG):
            return await QuietWorker(
                self._cluster.scheduler_address, nthreads=1, host="127.0.0.1", memory_limit=0, dashboard=False
            )

    async def _leave(self, worker: QuietWorker) -> None:
        await worker.close(timeout=1, executor_wait=False, nanny=False)

    def keep(self, slots: Collection[SlotJoined], wanted: int) -> None:
        if self._churn.done():
            self._churn.result()

    def why(self, slot: SlotJoined) -> Why | None:
        """Known at the second time of asking, as from a batch system that needs a moment."""
        self._asked[slot.slot] += 1
        return Why(Cause.PREEMPTED, "by chance") if self._asked[slot.slot] > 1 else None

    @property
    def n_explained(self) -> int:
        """Workers that left with something in hand."""
        return len(self._asked)

    def release(self, slot: SlotJoined) -> None:
        """It goes when its time comes."""

    def close(self, *, hand_over: bool = False) -> None:
        if self._cluster is not None:
            self._churn.cancel()
            self._cluster.close(timeout=10)
            self._cluster = None


class Bench:
    """What the workers run. Each result is durable before it is reported, and some are never reported.

    A thread cannot be killed: of the evaluations whose worker has gone, those with odd numbers end without
    a result, as after a SIGKILL, and the others journal one of which no worker tells.
    """

    def __init__(self, journal: Path) -> None:
        self._segment = Segment.create(journal, "worker")
        self._lock = threading.Lock()
        self.n_evaluated: Counter[int] = Counter()

    def evaluate(self, task: Task) -> Reported:
        time.sleep(0.2 + 1.8 * float(task.params["x"]))
        if task.number % 2 and get_worker().status is not Running.running:
            raise RuntimeError("it went with its worker")
        value = float(task.params["x"]) ** 2
        outcome = Outcome(Status.COMPLETED, values={"f": value}, ended_at=time.time())
        report = Reported(task.number, task.attempt, task.token, outcome, time.time())
        with self._lock:
            self.n_evaluated[task.number] += 1
            self._segment.append(report)
        return report

    def close(self) -> None:
        self._segment.close()


BENCHES: dict[str, Bench] = {}
"""By the study's folder: tasks are pickled on their way to the workers, though all live in this process."""


def work(study: str, task: Task, topic: str) -> Mapping[str, Any]:
    return records.encode(BENCHES[study].evaluate(task))


def test_64_workers_that_come_and_go_lose_no_trial_and_tell_none_twice(tmp_path: Path) -> None:
    config = parse(
        {
            "name": "crowd",
            "evaluate": {"call": "quick.py:evaluate", "folder": str(OBJECTIVES)},
            "space": {name: {"type": "real", "low": 0.0, "high": 1.0} for name in ("x", "y")},
            "objectives": {"f": "minimize"},
            "optimizer": {"engine": "random", "seed": 3},
            "budget": {"trials": TRIALS},
            "cluster": {"workers": WORKERS},
        }
    )
    study = asktell.Study.create(config, tmp_path / "study")
    crowd, bench = Crowd(seed=11), Bench(study.path / "journal")
    BENCHES[str(study.path)] = bench
    closed = study.run(executor=lambda session: DaskExecutor(crowd, partial(work, str(study.path))))
    bench.close()
    assert closed.done

    journal = replay_driver(study.path / "journal")
    ended = [record for record in journal if isinstance(record, Ended)]
    assert sorted(record.number for record in ended) == list(range(TRIALS))
    assert all(record.outcome.status is Status.COMPLETED for record in ended)
    assert bench.n_evaluated.keys() == set(range(TRIALS))

    submitted = Counter(
        (record.number, record.attempt) for record in journal if isinstance(record, Submitted)
    )
    lost = Counter((record.number, record.attempt) for record in journal if isinstance(record, Lost))
    assert set(submitted.values()) == {1}
    assert set(lost.values()) == {1}
    assert not lost.keys() & {(record.number, record.attempt) for record in ended}
    assert submitted.keys() == lost.keys() | {(record.number, record.attempt) for record in ended}
    assert len(lost) > 3  # else nothing was put to the test
    assert crowd.n_explained > len(lost)  # results that nobody told of were found in the journal

    rows = asktell.open(study.path)
    assert sorted(rows["trial"].values.tolist()) == list(range(TRIALS))
    assert abs(rows["f"].values - rows["x"].values ** 2).max() < 1e-12
