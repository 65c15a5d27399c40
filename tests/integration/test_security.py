"""Another user of the machine can neither read a study's directory nor reach its scheduler and workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import studies
from job_bed import Bed

import asktell
from asktell.cluster.certificates import study_security
from asktell.cluster.local import LocalPool
from asktell.directory import StudyDirectory

pytestmark = pytest.mark.slow

NOBODY = 65534

INTRUDER = """
import asyncio, json, os, ssl, sys, tempfile
from pathlib import Path
from distributed import Security
from distributed.comm.core import connect
from asktell.cluster.certificates import study_security
from asktell.directory import StudyDirectory

def security_of(means):
    if means == "the study's own":
        return study_security(study)
    if means == "another study's":
        return study_security(StudyDirectory(Path(tempfile.mkdtemp())))
    return Security()

def arguments(means):
    if means != "none":
        return security_of(means).get_connection_args("client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return {"ssl_context": context}

async def identity(address, means):
    comm = await connect(address, timeout=3, **arguments(means))
    await comm.write({"op": "identity", "reply": True})
    return (await asyncio.wait_for(comm.read(), 3))["type"]

user, study = int(sys.argv[1]), StudyDirectory(Path(sys.argv[2]))
if user:  # only now, for the interpreter itself may lie where nobody else can read it
    os.setgroups([]); os.setgid(user); os.setuid(user)
outcome = {}
for path in json.loads(sys.argv[3]):
    try:
        outcome[path] = str(os.listdir(path) if os.path.isdir(path) else Path(path).read_bytes())
    except PermissionError:
        outcome[path] = "refused"
for address in json.loads(sys.argv[4]):
    for means in json.loads(sys.argv[5]):
        target = address.replace("tls://", "tcp://") if means == "plain" else address
        try:
            outcome[f"{target} {means}"] = asyncio.run(identity(target, means))
        except (OSError, asyncio.TimeoutError):
            outcome[f"{target} {means}"] = "refused"
print(json.dumps(outcome))
"""


def intrude(
    user: int, study: StudyDirectory, paths: list[Path], addresses: list[str], means: list[str]
) -> dict[str, str]:
    """What another user sees who looks at the paths and knocks at the addresses."""
    asked = (list(map(str, paths)), addresses, means)
    done = subprocess.run(
        [sys.executable, "-c", INTRUDER, str(user), str(study.root), *map(json.dumps, asked)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout)


def listening(*processes: psutil.Process) -> set[str]:
    """Addresses on which these processes and those below them wait for connections."""
    everyone = [each for process in processes for each in (process, *process.children(recursive=True))]
    return {
        connection.laddr.ip
        for process in everyone
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder into which other users may look, unlike pytest's."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture
def bed(folder: Path) -> Iterator[Bed]:
    bed = Bed(folder)
    yield bed
    bed.close()


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user takes root")
def test_another_user_reads_nothing_and_reaches_nobody(bed: Bed) -> None:
    driver = bed.driver()
    bed.job()
    driver.ask("wait 1")
    addresses = [driver.ask("address"), *driver.ask("workers")]
    assert len(addresses) == 2
    means = ["plain", "none", "another study's"]
    root = bed.directory.root
    paths = [root, bed.directory.config, bed.directory.tls, bed.directory.tls / "study.key"]
    seen = intrude(NOBODY, bed.directory, paths, addresses, means)
    assert len(seen) == 4 + 2 * 3
    assert set(seen.values()) == {"refused"}
    owner = intrude(0, bed.directory, [], addresses, ["the study's own", *means])
    kinds = {key.partition(" ")[2]: kind for key, kind in owner.items() if kind != "refused"}
    assert kinds.keys() == {"the study's own"}


def test_a_driver_and_its_jobs_listen_on_no_open_interface(bed: Bed) -> None:
    driver, job = bed.driver(), bed.job()
    driver.ask("wait 1")
    assert listening(psutil.Process(driver.process.pid), psutil.Process(job.pid)) == {"127.0.0.1"}


@pytest.mark.parametrize("dashboard", [None, "127.0.0.1:0"])
def test_a_local_study_listens_on_loopback_only_and_wants_its_certificate(
    tmp_path: Path, dashboard: str | None
) -> None:
    study = asktell.Study.create(studies.write_study(tmp_path, trials=1), tmp_path / "s")
    directory = StudyDirectory(study.path)
    pool = LocalPool(1, security=study_security(directory), dashboard=dashboard)
    client = pool.connect()
    try:
        client.wait_for_workers(1)
        address = client.scheduler.address
        workers = list(client.scheduler_info()["workers"])
        assert listening(psutil.Process()) == {"127.0.0.1"}
        means = ["plain", "none", "another study's", "the study's own"]
        seen = intrude(0, directory, [], [address, *workers], means)
        let_in = {each for each, kind in seen.items() if kind != "refused"}
        assert let_in == {f"{each} the study's own" for each in (address, *workers)}
    finally:
        client.close()
        pool.close()
