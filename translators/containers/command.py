"""What the container runs: request and image merged by dockerd's rules."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

from gateway.errors import InvalidParameter
from translators.containers.model import ContainerCreate

ImageConfig = dict[str, Any]
AFFINITY_ENV = "affinity:"


@dataclass(frozen=True, slots=True)
class Command:
    """The process, as SDC stores it."""

    entrypoint: list[str]
    cmd: list[str]
    env: list[str]
    user: str
    workdir: str


def words(value: list[str] | str | None) -> list[str] | None:
    """Read a strslice: a lone string is a list of one."""
    return [value] if isinstance(value, str) else value


def merge_command(body: ContainerCreate, image: ImageConfig) -> Command:
    """Merge request and image. ``image`` is the ``config`` object of the image's configuration.

    An entrypoint of the request discards the image's Cmd; ``[""]`` takes the image's entrypoint away. Raises
    InvalidParameter when nothing is left to run.
    """
    entrypoint, cmd = words(body.Entrypoint), words(body.Cmd)
    if not entrypoint:
        cmd = cmd or words(image.get("Cmd"))
        if entrypoint is None:
            entrypoint = words(image.get("Entrypoint"))
    if entrypoint == [""]:
        entrypoint = []
    if not entrypoint and not cmd:
        raise InvalidParameter("no command specified")
    return Command(
        entrypoint=entrypoint or [],
        cmd=cmd or [],
        env=merge_env(image.get("Env") or [], body.Env),
        user=body.User or image.get("User") or "",
        workdir=_workdir(body.WorkingDir or image.get("WorkingDir") or ""),
    )


def merge_env(image: list[str], asked: list[str]) -> list[str]:
    """Put the request's variables behind the image's, which it overrides by name.

    Affinity expressions are for placement and never reach the process.
    """
    own = [entry for entry in asked if not entry.startswith(AFFINITY_ENV)]
    for entry in own:
        if not entry or entry.startswith("="):
            raise InvalidParameter(f"invalid environment variable: {entry}")
        if "\0" in entry:
            raise InvalidParameter("invalid environment variable: a NUL character is not allowed")
    named = {entry.partition("=")[0] for entry in own}
    return [entry for entry in image if entry.partition("=")[0] not in named] + own


def _workdir(path: str) -> str:
    if not path:
        return ""
    if not path.startswith("/"):
        raise InvalidParameter(f"the working directory '{path}' is invalid, it needs to be an absolute path")
    return posixpath.normpath("/" + path.lstrip("/"))
