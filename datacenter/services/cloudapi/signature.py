"""HTTP signatures: reading the Authorization header in both its forms, and checking the signature.

The standard form names the headers it signs::

    Signature keyId="/jdoe/keys/FP",algorithm="rsa-sha256",headers="(request-target) date",signature="B64"

The form of http-signature 0.9, which sdc-docker-setup.sh sends, has neither ``headers`` nor ``signature``:
the base64 follows after a blank and signs the bare value of the Date header.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from datacenter.restify import RestError

_PARAM = re.compile(r'\s*([A-Za-z]+)="([^"]*)"\s*(?:,|(?=\s)|$)')
_KEY_ID = re.compile(r"/([^/]+)(?:/(?:users|user)/([^/]+))?/keys/([^/]+)")
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_KINDS = {
    "rsa": ("sha1", "sha256", "sha384", "sha512"),
    "ecdsa": ("sha256", "sha384", "sha512"),
    "ed25519": ("sha512",),
}


class Credentials(msgspec.Struct, frozen=True):
    """What an Authorization header claims."""

    key_id: str
    """As it was sent; the next three are its parts."""
    login: str
    user: str | None
    """Login of the sub-user whose key it is."""
    key: str
    """MD5 fingerprint or name."""
    algorithm: str
    headers: tuple[str, ...] | None
    """Names of the signed headers in lower case; None in the old form."""
    signature: bytes


def parse(text: str) -> Credentials:
    """Read an Authorization header. Raises 400 InvalidHeader."""
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() != "signature":
        raise invalid_header("scheme was not Signature")
    given, at = {}, 0
    while found := _PARAM.match(rest, at):
        given[found[1].lower()] = found[2]
        at = found.end()
    old = rest[at:].strip()
    if bool(given.get("signature")) == bool(old):
        raise invalid_header("bad param format")
    names = given.get("headers", "date").lower().split()
    claimed = claim(given.get("keyid", ""), given.get("algorithm", ""), old or given["signature"])
    return msgspec.structs.replace(claimed, headers=None if old else tuple(names))


def claim(key_id: str, algorithm: str, base64_signature: str) -> Credentials:
    """What a key's name, an algorithm and a signature claim together. Raises 400 InvalidHeader."""
    parts = _KEY_ID.fullmatch(key_id)
    if parts is None:
        raise invalid_header("keyId was not /:account/keys/:key")
    return Credentials(
        key_id=key_id,
        login=parts[1],
        user=parts[2],
        key=parts[3],
        algorithm=_algorithm(algorithm),
        headers=(),
        signature=_decode(base64_signature),
    )


def signing_text(credentials: Credentials, header: Callable[[str], str | None], method: str, target: str) -> bytes:
    """The bytes that were signed; ``header`` reads one of the request's headers.

    Raises 400 InvalidHeader when a header that was signed is missing.
    """
    if credentials.headers is None:
        return (header("date") or "").encode()
    lines = []
    for name in credentials.headers:
        if name == "(request-target)":
            lines.append(f"{name}: {method.lower()} {target}")
            continue
        value = header(name)
        if value is None:
            raise invalid_header(f"{name} was not in the request")
        lines.append(f"{name}: {value}")
    return "\n".join(lines).encode()


def verify(pem: str, credentials: Credentials, text: bytes) -> bool:
    """Whether the signature is this key's, made with the algorithm that the header names."""
    kind, hash_name = credentials.algorithm.split("-")
    key = load_pem_public_key(pem.encode())
    digest = _HASHES[hash_name]()
    try:
        if isinstance(key, rsa.RSAPublicKey) and kind == "rsa":
            key.verify(credentials.signature, text, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and kind == "ecdsa":
            key.verify(credentials.signature, text, ec.ECDSA(digest))
        elif isinstance(key, ed25519.Ed25519PublicKey) and kind == "ed25519":
            key.verify(credentials.signature, text)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def invalid_header(message: str) -> RestError:
    return RestError(400, "InvalidHeader", f"The Authorization header is invalid: {message}")


def _algorithm(name: str) -> str:
    kind, _, hash_name = name.lower().partition("-")
    if hash_name not in _KINDS.get(kind, ()):
        raise invalid_header(f"{name or 'no algorithm'} is not supported")
    return f"{kind}-{hash_name}"


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_header("signature is not base64") from error
