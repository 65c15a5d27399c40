"""Builds the executor that a study's configuration asks for: the one place that knows every kind of pool."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from asktell.config import StudyConfig
from asktell.directory import StudyDirectory
from asktell.execute.protocol import Executor
from asktell.session import Session, width_of

if TYPE_CHECKING:
    from distributed import Security

    from asktell.config import TlsConfig
    from asktell.execute.dask import Pool


def make_executor(session: Session) -> Executor:
    """The executor that the configuration asks for."""
    from asktell import worker
    from asktell.execute.dask import DaskExecutor

    config = session.config
    if session.directory.jobs.is_dir():
        from asktell.cluster.leftovers import cancel_leftovers

        cluster = config.cluster
        # What runs for another kind of cluster finishes what it has in hand.
        spare = cluster.kind if cluster.is_batch and not cluster.single_allocation else ""
        cancel_leftovers(config, session.directory, running=False, spare=spare)
    spec = worker.WorkSpec(str(session.directory.root), session.token, json.dumps(config.dump()))
    pool = make_pool(config, session.directory, session.token)
    return DaskExecutor(pool, partial(worker.work, spec))


def make_pool(config: StudyConfig, directory: StudyDirectory, session: int) -> Pool:
    """Where the workers come from. session: the driver's token."""
    from asktell.cluster.certificates import study_security

    cluster = config.cluster
    if cluster.kind == "address":
        from asktell.cluster.local import AddressPool

        assert cluster.address is not None
        return AddressPool(cluster.address, security_of(cluster.tls))
    if cluster.is_batch:
        from asktell.cluster.batch import BatchPool

        return BatchPool(config, directory, session)
    from asktell.cluster.local import LocalPool

    security = study_security(directory) if cluster.security == "tls" else None
    return LocalPool(width_of(config), security=security, dashboard=cluster.dashboard)


def security_of(tls: TlsConfig | None) -> Security | None:
    """The certificates that a person names for a scheduler of their own."""
    if tls is None:
        return None
    from distributed import Security

    return Security(
        require_encryption=True, tls_ca_file=tls.ca, tls_client_cert=tls.cert, tls_client_key=tls.key
    )
