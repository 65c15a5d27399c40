"""A driver in a process of its own, reduced to its scheduler: `job_driver.py DIR SESSION`.

Reads commands, one a line, and answers each with a line of JSON:
    hello       "ok"
    wait N      until N workers are there; [{"name", "job", "ends_at"}, ...]
    address     the scheduler's
    workers     their addresses
    submit N    trial N to the first worker; "ok"
    result N    its report
    release     let all workers go; "ok"
    hand-over   close and expect a successor; "ok"
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import dask.config
from distributed import Client, Future, LocalCluster

from asktell.cluster import rendezvous
from asktell.cluster.certificates import study_security
from asktell.cluster.settings import CONFIG
from asktell.config import from_resolved
from asktell.directory import StudyDirectory
from asktell.execute.protocol import Task
from asktell.worker import WorkSpec, work


def main() -> None:
    directory, session = StudyDirectory(Path(sys.argv[1])), int(sys.argv[2])
    spec = WorkSpec(str(directory.root), session, json.dumps(from_resolved(directory.config).dump()))
    cluster = LocalCluster(
        n_workers=0,
        host="127.0.0.1",
        protocol="tls://",
        security=study_security(directory),
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    )
    client = Client(cluster)
    rendezvous.announce(directory, cluster.scheduler_address, session)
    futures: dict[int, Future[Any]] = {}
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        answer: object = "ok"
        match command:
            case "wait":
                client.wait_for_workers(int(argument), timeout=60)
                states = cluster.scheduler.workers.values()
                answer = [{"name": state.name, **state.extra["asktell"]} for state in states]
            case "address":
                answer = cluster.scheduler_address
            case "workers":
                answer = list(cluster.scheduler.workers)
            case "submit":
                number = int(argument)
                task = Task(number, 0, {"x": 0.5, "y": 0.25}, f"token-{session}")
                futures[number] = client.submit(work, spec, task, key=f"trial-{number}", pure=False)
            case "result":
                answer = futures.pop(int(argument)).result()
            case "release":
                while workers := list(cluster.scheduler.workers):
                    # dask keeps a worker that holds a result, and forgets a future a moment after us.
                    client.retire_workers(workers)
                    time.sleep(0.05)
            case "hand-over":
                rendezvous.hand_over(directory, session, time.time() + 60)
                client.close()
                cluster.close()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    with dask.config.set(CONFIG):
        main()
