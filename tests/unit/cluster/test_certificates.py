"""Certificates of a study: private, whole, kept, and good enough for the strictest checks of TLS."""

from __future__ import annotations

import ssl
import stat
import threading
from pathlib import Path

import pytest

from asktell.cluster import certificates
from asktell.cluster.certificates import AUTHORITY, CERTIFICATE, KEY, study_security, worker_security
from asktell.directory import StudyDirectory
from asktell.errors import ExecutorError


def _context(directory: StudyDirectory, authority: StudyDirectory, side: int) -> ssl.SSLContext:
    """As distributed makes it, with the checks that are Python's default from 3.13 on."""
    context = ssl.SSLContext(side)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(authority.tls / AUTHORITY)
    context.load_cert_chain(directory.tls / CERTIFICATE, directory.tls / KEY)
    return context


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """A handshake in memory; raises SSLError where either end refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_side=False),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    for end in ends:
        with pytest.raises(ssl.SSLWantReadError):
            end.read(1)


@pytest.fixture
def directory(tmp_path: Path) -> StudyDirectory:
    (tmp_path / "study").mkdir()
    return StudyDirectory(tmp_path / "study")


def test_two_processes_of_a_study_accept_each_other_under_strict_checks(directory: StudyDirectory) -> None:
    study_security(directory)
    _shake_hands(
        _context(directory, directory, ssl.PROTOCOL_TLS_CLIENT),
        _context(directory, directory, ssl.PROTOCOL_TLS_SERVER),
    )


def test_another_studys_certificate_is_refused(directory: StudyDirectory, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = StudyDirectory(tmp_path / "other")
    study_security(directory)
    study_security(other)
    with pytest.raises(ssl.SSLError):
        _shake_hands(
            _context(other, directory, ssl.PROTOCOL_TLS_CLIENT),
            _context(directory, directory, ssl.PROTOCOL_TLS_SERVER),
        )


def test_only_the_owner_may_read_them_and_the_authoritys_key_is_nowhere(directory: StudyDirectory) -> None:
    study_security(directory)
    assert stat.S_IMODE(directory.tls.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.tls.iterdir()} == {0o600}
    keys = [path.name for path in directory.tls.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert keys == [KEY]


def test_every_role_is_encrypted_with_them(directory: StudyDirectory) -> None:
    security = study_security(directory)
    for role in ("scheduler", "worker", "client"):
        arguments = security.get_connection_args(role)
        assert arguments["require_encryption"]
        assert arguments["ssl_context"].verify_mode is ssl.CERT_REQUIRED


def test_later_drivers_and_workers_use_the_same_ones(directory: StudyDirectory) -> None:
    study_security(directory)
    before = {path.name: path.read_bytes() for path in directory.tls.iterdir()}
    study_security(directory)
    worker_security(directory)
    assert {path.name: path.read_bytes() for path in directory.tls.iterdir()} == before


def test_drivers_that_make_them_at_the_same_time_end_with_one_set(directory: StudyDirectory) -> None:
    threads = [threading.Thread(target=study_security, args=(directory,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in directory.root.iterdir()] == ["tls"]
    study_security(directory)


def test_a_crash_while_they_are_made_leaves_none(
    directory: StudyDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(certificates, "sync", fail)
        with pytest.raises(OSError, match="no space"):
            study_security(directory)
    assert list(directory.root.iterdir()) == []
    study_security(directory)


@pytest.mark.parametrize("name", [".", KEY])
def test_what_others_may_read_is_refused_and_the_remedy_named(directory: StudyDirectory, name: str) -> None:
    study_security(directory)
    (directory.tls / name).chmod(0o744)
    with pytest.raises(ExecutorError, match=r"chmod -R go= .*tls"):
        study_security(directory)


def test_a_worker_makes_none_itself(directory: StudyDirectory) -> None:
    with pytest.raises(ExecutorError, match="missing"):
        worker_security(directory)
    assert not directory.tls.exists()
