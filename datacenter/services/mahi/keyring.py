"""The SSH keys of an account or a sub-user, as three fields of its document.

``keys`` {MD5 fingerprint: PEM} is what authenticators read; ``openssh`` {fingerprint: line} and ``key_names``
{name: fingerprint} are what the holder sees of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datacenter.restify import RestError
from datacenter.services.mahi import sshkeys

Fields = dict[str, dict[str, str]]


def empty() -> Fields:
    return {"keys": {}, "key_names": {}, "openssh": {}}


def read(line: str) -> sshkeys.SshKey:
    """Read an OpenSSH public key line. Raises 409 InvalidArgument."""
    try:
        return sshkeys.read(line)
    except ValueError as error:
        raise RestError(409, "InvalidArgument", f"key: {error}") from error


def added(holder: Mapping[str, Any], key: sshkeys.SshKey, name: str | None) -> Fields:
    """The fields with a key more; one of the same name is replaced. Its comment is the name if none is given."""
    name = name or key.comment or key.fingerprint
    replaced = holder["key_names"].get(name)
    names = {known: fp for known, fp in holder["key_names"].items() if fp != key.fingerprint}
    return {
        "keys": {**_without(holder["keys"], replaced), key.fingerprint: key.pem},
        "openssh": {**_without(holder["openssh"], replaced), key.fingerprint: key.openssh},
        "key_names": {**names, name: key.fingerprint},
    }


def removed(holder: Mapping[str, Any], name_or_fingerprint: str) -> Fields:
    """The fields with a key less. Raises 404 ResourceNotFound when there is none such."""
    fingerprint = holder["key_names"].get(name_or_fingerprint, name_or_fingerprint)
    if fingerprint not in holder["keys"]:
        raise RestError(404, "ResourceNotFound", f"{name_or_fingerprint} does not exist")
    return {
        "keys": _without(holder["keys"], fingerprint),
        "openssh": _without(holder["openssh"], fingerprint),
        "key_names": {name: fp for name, fp in holder["key_names"].items() if fp != fingerprint},
    }


def _without(mapping: dict[str, str], key: str | None) -> dict[str, str]:
    return {known: value for known, value in mapping.items() if known != key}
