"""What a client certificate claims, and whether an account's key stands behind it. Pure: no accounts, no network.

A self-signed certificate was made with the account's own SSH key. A certificate of the docker purpose may be
for another key, signed by the account's SSH key; its issuer then is that key's fingerprint.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key, ssh_key_fingerprint
from cryptography.x509.oid import NameOID

from middleware.purposes import purposes

DOCKER_PURPOSE = bytes.fromhex("2b0601040182ae16010401")
"""joyentDocker, 1.3.6.1.4.1.38678.1.4.1, as it is encoded in certificates."""
EXPIRED = "Client certificate expired"
BAD_ISSUER = "Client certificate is not self-signed, and the issuer DN could not be parsed"

_CLOCK_SKEW = timedelta(minutes=5)
_HEX_FORM = re.compile(r"[0-9a-f]{2}(?::?[0-9a-f]{2})*", re.IGNORECASE)
_SIZES = {"MD5": 16, "SHA256": 32}


class CertificateRefused(Exception):
    """Why a certificate is no proof of identity. ``told`` is all that the client learns of it."""

    def __init__(self, reason: str, told: str = "Unauthorized") -> None:
        super().__init__(reason)
        self.told = told


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A certificate read: who it says its bearer is, and by which key."""

    name: str
    """Subject CN: login or uuid of an account, or ``login/subuser``."""
    fingerprint: str
    """Of the key that must have signed: ``MD5:`` and colon-hex, or ``SHA256:`` and unpadded base64."""
    digest: bytes
    """SHA-256 of the whole certificate."""
    docker_purpose: bool
    certificate: x509.Certificate

    def check_dates(self, now: datetime) -> None:
        """Raise CertificateRefused outside the validity period; clocks may differ by five minutes at its start."""
        if now > self.certificate.not_valid_after_utc:
            raise CertificateRefused(f"expired at {self.certificate.not_valid_after_utc}", EXPIRED)
        if now + _CLOCK_SKEW < self.certificate.not_valid_before_utc:
            raise CertificateRefused(f"not valid before {self.certificate.not_valid_before_utc}")

    def check_signature(self, pem: str) -> None:
        """Raise CertificateRefused unless the key (PEM, SubjectPublicKeyInfo) made the certificate's signature."""
        try:
            key = load_pem_public_key(pem.encode())
            _verify(self.certificate, key)
        except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError) as error:
            raise CertificateRefused(f"not signed by the key {self.fingerprint}: {error!r}") from error


def read_claim(der: bytes) -> Claim:
    """Read a certificate. Raises CertificateRefused when it cannot name an account and a key."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        purpose = _has_docker_purpose(certificate)
        if purpose and certificate.subject != certificate.issuer:
            fingerprint = _issuing_key(certificate)
        else:
            fingerprint = md5_fingerprint(certificate.public_key())
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension) as error:
        raise CertificateRefused(f"unreadable certificate: {error!r}") from error
    if len(names) != 1 or not isinstance(names[0].value, str) or not names[0].value:
        raise CertificateRefused("the subject has not exactly one CN")
    return Claim(
        name=names[0].value,
        fingerprint=fingerprint,
        digest=hashlib.sha256(der).digest(),
        docker_purpose=purpose,
        certificate=certificate,
    )


def parse_fingerprint(text: str) -> str:
    """Bring a fingerprint into the form of ``Claim.fingerprint``.

    Known are colon-hex and plain hex, and ``MD5:`` or ``SHA256:`` followed by either or by base64.
    Raises ValueError on anything else.
    """
    kind, colon, rest = text.partition(":")
    if kind.upper() not in _SIZES or not colon:
        kind, rest = "MD5", text
    kind = kind.upper()
    if _HEX_FORM.fullmatch(rest) and len(rest.replace(":", "")) == 2 * _SIZES[kind]:
        digest = bytes.fromhex(rest.replace(":", ""))
    elif rest is text:
        raise ValueError(f"not a fingerprint: {text!r}")
    else:
        digest = base64.b64decode(rest.rstrip("=") + "=" * (-len(rest.rstrip("=")) % 4), validate=True)
    if len(digest) != _SIZES[kind]:
        raise ValueError(f"not a fingerprint: {text!r}")
    return _shown(kind, digest)


@lru_cache(maxsize=4096)
def sha256_fingerprint(pem: str) -> str:
    """``SHA256:...`` of a public key in PEM, over its SSH form. Raises ValueError when it is no such key."""
    return _shown("SHA256", ssh_key_fingerprint(_ssh_able(load_pem_public_key(pem.encode())), hashes.SHA256()))


def md5_fingerprint(key: object) -> str:
    """``MD5:aa:bb...`` of a public key, over its SSH form. Raises TypeError for keys that SSH does not know."""
    return _shown("MD5", ssh_key_fingerprint(_ssh_able(key), hashes.MD5()))  # noqa: S303 - MAHI's index, not trust


def _ssh_able(key: object) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    if not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)):
        raise TypeError(f"{type(key).__name__} is no key of SSH")
    return key


def _shown(kind: str, digest: bytes) -> str:
    if kind == "MD5":
        return "MD5:" + digest.hex(":")
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _has_docker_purpose(certificate: x509.Certificate) -> bool:
    return DOCKER_PURPOSE in purposes(certificate.tbs_certificate_bytes)


def _issuing_key(certificate: x509.Certificate) -> str:
    names = certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        return parse_fingerprint(str(names[0].value))
    except (IndexError, ValueError, binascii.Error) as error:
        raise CertificateRefused(f"issuer {certificate.issuer.rfc4514_string()!r}", BAD_ISSUER) from error


def _verify(certificate: x509.Certificate, key: object) -> None:
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    parameters = certificate.signature_algorithm_parameters
    digest = certificate.signature_hash_algorithm
    if isinstance(digest, hashes.MD5):
        raise UnsupportedAlgorithm("a signature over MD5 proves nothing")
    if isinstance(key, rsa.RSAPublicKey) and isinstance(parameters, (padding.PKCS1v15, padding.PSS)) and digest:
        key.verify(signature, signed, parameters, digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(parameters, ec.ECDSA):
        key.verify(signature, signed, parameters)
    elif isinstance(key, ed25519.Ed25519PublicKey) and parameters is None:
        key.verify(signature, signed)
    else:
        raise UnsupportedAlgorithm(f"{type(key).__name__} did not make a {certificate.signature_algorithm_oid._name}")
