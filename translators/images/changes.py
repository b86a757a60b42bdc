"""Dockerfile instructions that change an image's config: ``docker import --change``, ``docker commit --change``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.errors import InvalidParameter
from grammars.dockerfile import DockerfileError, metadata


def apply(config: dict[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """Return the config with the instructions applied in order. Raises InvalidParameter for a wrong one."""
    try:
        return metadata.change(config, changes)
    except DockerfileError as error:
        raise InvalidParameter(error.message) from error
