"""The server's own certificate, for gateways that were given none."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = dt.timedelta(days=3650)
RENEW_BEFORE = dt.timedelta(days=30)
SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "*.triton")])


def ensure_server_certificate(certificate: Path, key: Path, names: Iterable[str] = ()) -> None:
    """Make a self-signed pair when there is none, or when our own no longer serves.

    The certificate is its own authority, so the same file is what clients put in ``ca.pem``; a new
    one would have to be handed to every client. Ours is therefore kept as long as it is valid for
    another 30 days and covers ``names`` (DNS names or addresses) beside localhost, 127.0.0.1, ::1
    and this machine's name. One that an operator put there is never touched. ECDSA P-256, because
    handshakes are what new connections cost.
    """
    wanted = _alternative_names(names)
    if certificate.exists() and (not _is_ours(certificate) or _still_good(certificate, key, wanted)):
        return
    private = ec.generate_private_key(ec.SECP256R1())
    _replace(key, _pem_of_key(private), mode=0o600)
    _replace(certificate, _sign(private, wanted).public_bytes(serialization.Encoding.PEM), mode=0o644)


def _alternative_names(names: Iterable[str]) -> list[x509.GeneralName]:
    wanted = dict.fromkeys(["localhost", "127.0.0.1", "::1", socket.gethostname(), *names])
    return [_general_name(name) for name in wanted if name]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _is_ours(path: Path) -> bool:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.subject == certificate.issuer == SUBJECT


def _still_good(path: Path, key: Path, wanted: list[x509.GeneralName]) -> bool:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
        covered = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    return (
        certificate.public_key() == private.public_key()  # a crash between two writes parts the pair
        and dt.datetime.now(dt.UTC) + RENEW_BEFORE < certificate.not_valid_after_utc
        and set(wanted) <= set(covered)
    )


def _sign(key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName]) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(SUBJECT)
        .issuer_name(SUBJECT)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))  # clients' clocks run behind
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _replace(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file whole or not at all, readable by nobody else at any moment when ``mode`` says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
