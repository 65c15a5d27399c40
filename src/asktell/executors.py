"""Builds the executor that a study's configuration asks for: the one place that knows every kind of pool."""

from __future__ import annotations

import json
from functools import partial

from asktell.execute.protocol import Executor
from asktell.session import Session, width_of


def make_executor(session: Session) -> Executor:
    """The executor that the configuration asks for."""
    from asktell import worker
    from asktell.cluster.local import AddressPool, LocalPool
    from asktell.execute.dask import DaskExecutor, Pool

    config = session.config
    spec = worker.WorkSpec(str(session.directory.root), session.token, json.dumps(config.dump()))
    pool: Pool
    if config.cluster.kind == "address":
        assert config.cluster.address is not None
        pool = AddressPool(config.cluster.address)
    else:
        pool = LocalPool(width_of(config), dashboard=config.cluster.dashboard)
    return DaskExecutor(pool, partial(worker.work, spec))
