"""SSH public keys as accounts hold them: fingerprint, PEM and the line itself."""

from __future__ import annotations

import base64
import hashlib

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

KINDS = ("ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-ed25519")


class SshKey(msgspec.Struct, frozen=True):
    """One public key of an account."""

    fingerprint: str
    """MD5 of the SSH wire form as colon-separated hex, without a prefix: UFDS's key id."""
    pem: str
    """SubjectPublicKeyInfo."""
    openssh: str
    comment: str


def read(line: str) -> SshKey:
    """Read an OpenSSH public key line (RSA, ECDSA or Ed25519). Raises ValueError."""
    fields = line.strip().split(None, 2)
    if len(fields) < 2 or "\n" in line.strip():
        raise ValueError("not an OpenSSH public key")
    if fields[0] not in KINDS:
        raise ValueError("only RSA, ECDSA and Ed25519 keys are supported")
    try:
        blob = base64.b64decode(fields[1], validate=True)
        key = load_ssh_public_key(" ".join(fields[:2]).encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("not an OpenSSH public key") from error
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return SshKey(
        fingerprint=":".join(digest[at : at + 2] for at in range(0, 32, 2)),
        pem=key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        openssh=line.strip(),
        comment=fields[2].strip() if len(fields) > 2 else "",
    )
