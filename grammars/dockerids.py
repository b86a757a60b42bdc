"""Docker's ids and Triton's uuids: which 64 hex digits name which machine, network or layer."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from itertools import pairwise

_HEX = re.compile(r"[0-9a-f]*")
_DASHES = (8, 12, 16, 20)
SHORT = 12
"""Digits of the form people see and type."""


def is_hex(text: str) -> bool:
    """Whether a text is made of lower-case hex digits alone."""
    return _HEX.fullmatch(text) is not None


def dashed(digits: str) -> str:
    """Put a uuid's dashes into hex digits; a prefix of an id becomes the prefix of the uuid.

    Digits beyond the 32nd are no part of the uuid and fall away.
    """
    digits = digits[:32]
    edges = [0, *(at for at in _DASHES if at < len(digits)), len(digits)]
    return "-".join(digits[a:b] for a, b in pairwise(edges))


def undashed(uuid: str) -> str:
    return uuid.replace("-", "")


def new_docker_id(vm_uuid: str) -> str:
    """Make a container's id: the machine's uuid without dashes and 32 random digits more."""
    return undashed(vm_uuid) + secrets.token_hex(16)


def vm_uuid(docker_id: str) -> str:
    """Return the uuid of the machine behind a container id. Raises ValueError when it is no such id."""
    if len(docker_id) < 32 or not is_hex(docker_id):
        raise ValueError(f"not a docker id: {docker_id!r}")
    return dashed(docker_id)


def network_docker_id(network_uuid: str) -> str:
    return undashed(network_uuid) * 2


def network_uuid(docker_id: str) -> str | None:
    """Return the uuid behind a network id; None when the halves differ, for then it is no network's."""
    if len(docker_id) != 64 or not is_hex(docker_id) or docker_id[:32] != docker_id[32:]:
        return None
    return dashed(docker_id)


def short(docker_id: str) -> str:
    """Shorten an id or a digest to the twelve digits that Docker shows."""
    return docker_id.rpartition(":")[2][:SHORT]


def layer_uuid(digests: Iterable[str]) -> str:
    """Name the layer chain made of these blob digests (``sha256:<hex>``, base first).

    The same chain has the same uuid in every data center, which is what makes "Already exists" work.
    """
    return dashed(hashlib.sha256(" ".join(digests).encode()).hexdigest())


def layer_uuids(digests: Sequence[str]) -> list[str]:
    """Name every chain of an image, from its base layer alone up to the whole."""
    return [layer_uuid(digests[: count + 1]) for count in range(len(digests))]
