"""Makes the keys and certificates that the authentication tests present."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import ssh_key_fingerprint
from cryptography.x509.oid import NameOID

PURPOSE = x509.ObjectIdentifier("1.3.6.1.4.1.38678.1.4.1")
DAY = timedelta(days=1)


@cache
def key(kind, number=0):
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else ed25519.Ed25519PrivateKey.generate()


def pem(private):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def md5(private):
    return ssh_key_fingerprint(private.public_key(), hashes.MD5()).hex(":")


def sha256(private):
    return base64.b64encode(ssh_key_fingerprint(private.public_key(), hashes.SHA256())).decode().rstrip("=")


def account(login="jill", *keys, **more):
    return {
        "uuid": f"00000000-0000-4000-8000-{abs(hash(login)) % 10**12:012d}",
        "login": login,
        "approved_for_provisioning": True,
        "keys": {md5(each): pem(each) for each in keys},
        **more,
    }


def certificate(subject, public, signer, *, issuer=None, purpose=False, starts=-DAY, ends=DAY):
    """DER of a certificate for ``public``'s key, signed by ``signer``; times relative to now."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(subject if issuer is None else issuer))
        .public_key(public.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
    )
    if purpose:
        builder = builder.add_extension(x509.ExtendedKeyUsage([PURPOSE]), critical=False)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, digest).public_bytes(serialization.Encoding.DER)


def _name(common_name):
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    return x509.Name(attributes)
