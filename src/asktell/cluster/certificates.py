"""Certificates of one study: whoever cannot read its directory cannot reach its scheduler or its workers.

An authority signs one certificate, which every process of the study shows, and its key is thrown away.
Who shows another certificate, or none, is refused by both ends of a connection; names and addresses of
hosts are not looked at, for nobody knows them before a job starts.
"""

from __future__ import annotations

import datetime
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from asktell.directory import StudyDirectory
from asktell.durable import PARTIAL, sync, write_all
from asktell.errors import ExecutorError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from distributed import Security

AUTHORITY = "ca.pem"
CERTIFICATE = "study.pem"
KEY = "study.key"
VALIDITY = datetime.timedelta(days=3650)
_CLOCKS_DIFFER = datetime.timedelta(days=1)  # a node may live in the driver's past


def study_security(directory: StudyDirectory) -> Security:
    """What a driver listens with; makes the certificates where there are none yet.

    Later drivers use those that are there, so that jobs which are queued meanwhile can join them.
    Raises ExecutorError if other users may read the key.
    """
    if not directory.tls.exists():
        _make(directory.tls)
    return worker_security(directory)


def worker_security(directory: StudyDirectory) -> Security:
    """What a worker connects with; raises ExecutorError where there are no certificates for it."""
    from distributed import Security

    authority, certificate, key = (directory.tls / name for name in (AUTHORITY, CERTIFICATE, KEY))
    for path in (authority, certificate, key):
        if not path.is_file():
            raise ExecutorError(
                f"{path} is missing; remove {directory.tls} and the study's queued jobs, then resume"
            )
    _check_privacy(directory.tls, key)
    return Security(
        require_encryption=True,
        tls_ca_file=str(authority),
        **{
            f"tls_{role}_{kind}": str(path)
            for role in ("scheduler", "worker", "client")
            for kind, path in (("cert", certificate), ("key", key))
        },
    )


def _check_privacy(*paths: Path) -> None:
    for path in paths:
        if path.stat().st_mode & 0o077:
            raise ExecutorError(
                f"{path} is open to other users, who could run programs as you; `chmod -R go= {paths[0]}`, "
                "and start a new study if somebody may have read it"
            )


def _make(folder: Path) -> None:
    """Make the folder with its files: complete, or not at all."""
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}{PARTIAL}")
    draft.mkdir(mode=0o700)
    try:
        for name, data in _pem_files().items():
            descriptor = os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync(draft)
        draft.rename(folder)
        sync(folder.parent)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not folder.is_dir():  # else another process was faster, and its files serve as well
            raise


def _pem_files() -> dict[str, bytes]:
    """A new authority's certificate, and a certificate with its key that the authority has signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = _certificate(
        "asktell study authority",
        authority_key,
        authority_key,
        (x509.BasicConstraints(ca=True, path_length=0), _usage(signs_certificates=True), identifier),
    )
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    certificate = _certificate(
        "asktell study",
        key,
        authority_key,
        (x509.BasicConstraints(ca=False, path_length=None), _usage(signs_certificates=False), issuer),
    )
    pem = serialization.Encoding.PEM
    return {
        AUTHORITY: authority.public_bytes(pem),
        CERTIFICATE: certificate.public_bytes(pem),
        KEY: key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    }


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    authority_key: ec.EllipticCurvePrivateKey,
    extensions: tuple[x509.ExtensionType, ...],
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named("asktell study authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + VALIDITY)
    )
    for extension in extensions:
        # Python 3.13 and later check that an authority's are marked as critical.
        is_critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
        builder = builder.add_extension(extension, critical=is_critical)
    return builder.sign(authority_key, hashes.SHA256())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
