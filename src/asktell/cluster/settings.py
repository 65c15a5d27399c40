"""dask's settings wherever we start its schedulers and workers."""

from __future__ import annotations

CONFIG = {
    # A task that loses its worker is the loop's affair: dask must not run it again by itself.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.worker.daemon": False,
    "distributed.comm.timeouts.connect": "60s",
    "distributed.admin.large-graph-warning-threshold": "1GiB",
    # Memory is the evaluations' affair, each in processes of its own.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # Whoever may reach a worker's HTTP server can read what it runs; nobody needs one.
    "distributed.worker.http.routes": [],
    "logging": {"distributed": "critical", "bokeh": "critical", "tornado": "critical"},
}
