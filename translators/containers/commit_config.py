"""The configuration of a committed image: the container's own, and what the request says instead. Facts: moby."""

from __future__ import annotations

from typing import Any

from translators.containers import inspect
from translators.containers.ports import Port
from translators.labels import PACKAGE_LABEL

Vm = dict[str, Any]
Json = dict[str, Any]

_UNIONS = ("ExposedPorts", "Volumes", "Labels")
_SINGLE = ("User", "WorkingDir", "StopSignal")
_OF_THE_HOST = ("HostConfig", "NetworkingConfig")
_CHECK = ("Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")


def container_config(vm: Vm, published: set[Port]) -> Json:
    """Return the container's configuration as an image holds it: its package is no part of it."""
    config = inspect.container_config(vm, published, None)
    labels = {name: value for name, value in (config.get("Labels") or {}).items() if name != PACKAGE_LABEL}
    return {**config, "Labels": labels or None}


def merged(asked: Json, own: Json) -> Json:
    """Fill up a request's configuration with the container's, as dockerd merges them."""
    asked = {key: value for key, value in asked.items() if key not in _OF_THE_HOST}
    for key in ("Cmd", "Entrypoint"):
        if isinstance(asked.get(key), str):
            asked[key] = [asked[key]]
    if not asked:
        return own
    found = {**asked, **{key: asked[key] if asked.get(key) else own.get(key) for key in _SINGLE}}
    for key in _UNIONS:
        found[key] = {**(own.get(key) or {}), **(asked.get(key) or {})} or None
    named = {entry.partition("=")[0] for entry in asked.get("Env") or []}
    inherited = [entry for entry in own.get("Env") or [] if entry.partition("=")[0] not in named]
    found["Env"] = [*(asked.get("Env") or []), *inherited]
    if not asked.get("Entrypoint"):
        if not asked.get("Cmd"):
            found["Cmd"] = own.get("Cmd")
        if asked.get("Entrypoint") is None:
            found["Entrypoint"] = own.get("Entrypoint")
    if own.get("Healthcheck"):
        check = asked.get("Healthcheck") or {}
        found["Healthcheck"] = {key: check.get(key) or own["Healthcheck"].get(key) for key in _CHECK}
        found["Healthcheck"] = {key: value for key, value in found["Healthcheck"].items() if value}
    return {key: value for key, value in found.items() if value is not None}
