"""Dockerfile instructions that change an image's config: ``docker import --change``, ``docker commit --change``."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable
from typing import Any

from gateway.errors import InvalidParameter

Config = dict[str, Any]
_PORT = re.compile(r"^(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?$", re.IGNORECASE)


def apply(config: Config, changes: Iterable[str]) -> Config:
    """Return the config with the instructions applied in order. Raises InvalidParameter for a wrong one."""
    changed = json.loads(json.dumps(config))
    for change in changes:
        for line in change.splitlines():
            word, _, rest = line.strip().partition(" ")
            if not word or word.startswith("#"):
                continue
            instruction = _INSTRUCTIONS.get(word.upper())
            if instruction is None:
                raise InvalidParameter(f"{word.upper()} is not a valid change command")
            if not rest.strip():
                raise InvalidParameter(f"{word.upper()} requires at least one argument")
            instruction(changed, rest.strip())
    return dict(changed)


def _words(text: str) -> list[str] | None:
    """The list of an instruction's JSON form; None when it is in shell form."""
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except ValueError:
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _command(key: str) -> Callable[[Config, str], None]:
    def change(config: Config, text: str) -> None:
        words = _words(text)
        config[key] = words if words is not None else ["/bin/sh", "-c", text]
        if key == "Entrypoint":
            config["Cmd"] = None

    return change


def _pairs(text: str) -> list[tuple[str, str]]:
    """``k=v k2="v 2"``, or the old ``k rest of the line``."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidParameter(f"cannot read {text!r}: {error}") from error
    if "=" not in words[0]:
        key, _, value = text.partition(" ")
        return [(key, value.strip())]
    pairs = [word.partition("=") for word in words]
    for key, equals, _ in pairs:
        if not equals or not key:
            raise InvalidParameter(f"Syntax error - can't find = in {key!r}. Must be of the form: name=value")
    return [(key, value) for key, _, value in pairs]


def _env(config: Config, text: str) -> None:
    env = list(config.get("Env") or [])
    for key, value in _pairs(text):
        env = [entry for entry in env if entry.partition("=")[0] != key] + [f"{key}={value}"]
    config["Env"] = env


def _labels(config: Config, text: str) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **dict(_pairs(text))}


def _expose(config: Config, text: str) -> None:
    ports = dict(config.get("ExposedPorts") or {})
    for word in text.split():
        match = _PORT.match(word)
        if not match:
            raise InvalidParameter(f"invalid containerPort: {word}")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 0 < first <= last < 65536:
            raise InvalidParameter(f"invalid containerPort: {word}")
        ports.update({f"{port}/{(match[3] or 'tcp').lower()}": {} for port in range(first, last + 1)})
    config["ExposedPorts"] = ports


def _volumes(config: Config, text: str) -> None:
    names = _words(text) or text.split()
    config["Volumes"] = {**(config.get("Volumes") or {}), **{name: {} for name in names}}


def _scalar(key: str) -> Callable[[Config, str], None]:
    def change(config: Config, text: str) -> None:
        config[key] = text

    return change


def _workdir(config: Config, text: str) -> None:
    base = config.get("WorkingDir") or "/"
    config["WorkingDir"] = text if text.startswith("/") else f"{base.rstrip('/')}/{text}"


def _onbuild(config: Config, text: str) -> None:
    config["OnBuild"] = [*(config.get("OnBuild") or []), text]


_INSTRUCTIONS: dict[str, Callable[[Config, str], None]] = {
    "CMD": _command("Cmd"),
    "ENTRYPOINT": _command("Entrypoint"),
    "ENV": _env,
    "LABEL": _labels,
    "EXPOSE": _expose,
    "VOLUME": _volumes,
    "USER": _scalar("User"),
    "STOPSIGNAL": _scalar("StopSignal"),
    "WORKDIR": _workdir,
    "ONBUILD": _onbuild,
}
