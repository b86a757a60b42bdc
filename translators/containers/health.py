"""Health checks: what is asked for, and what came of it.

A compute node that advertises ``health`` runs them: ``docker:healthcheck`` tells it what to run, ``docker:health``
tells us its results; both are JSON with Docker's own names.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.errors import InvalidParameter
from gateway.versions import ApiVersion
from translators.containers.model import ContainerCreate
from translators.containers.states import json_metadata

Vm = dict[str, Any]
Json = dict[str, Any]

HEALTH = "health"
_TIMES = ("Interval", "Timeout", "StartPeriod", "StartInterval")
_LEAST_TIME = 1_000_000


def check_health(body: ContainerCreate) -> None:
    """Raise InvalidParameter, in dockerd's words, for a check that makes no sense."""
    check = body.Healthcheck
    if check is None:
        return
    for name in _TIMES:
        if getattr(check, name) != 0 and getattr(check, name) < _LEAST_TIME:
            raise InvalidParameter(f"{name} in Healthcheck cannot be less than 1ms")
    if check.Retries < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")
    if check.Test and check.Test[0] not in {"", "NONE", "CMD", "CMD-SHELL"}:
        raise InvalidParameter(f"unknown type {check.Test[0]} in Healthcheck: use NONE, CMD or CMD-SHELL")


def merge_health(body: ContainerCreate, image: Json, version: ApiVersion) -> Json | None:
    """Merge the request's check with the image's, field by field; None when there is nothing to check."""
    asked: Json = {}
    if body.Healthcheck is not None:
        asked = {name: value for name, value in msgspec.to_builtins(body.Healthcheck).items() if value}
        if version < (1, 44):
            asked.pop("StartInterval", None)
    merged = {**(image.get("Healthcheck") or {}), **asked}
    if not merged.get("Test"):
        return None
    shell = body.Shell or image.get("Shell")
    if shell and merged["Test"][0] == "CMD-SHELL":
        merged["Shell"] = list(shell)
    return merged


def health_warning(check: Json | None, *, supported: bool) -> str | None:
    if supported or check is None or check["Test"][0] in {"", "NONE"}:
        return None  # NONE switches the image's check off
    return "Healthcheck is not supported by this data center and has no effect."


def shown_check(vm: Vm) -> Json | None:
    """Return ``Config.Healthcheck``."""
    kept: Json = json_metadata(vm, "docker:healthcheck", {})
    return {name: value for name, value in kept.items() if name != "Shell"} or None


def shown_health(vm: Vm) -> Json | None:
    """Return ``State.Health``; None for a container that is not checked, or was never started."""
    found: Json = json_metadata(vm, "docker:health", {})
    return found or None


def health_status(vm: Vm) -> str:
    """Return the word that the ``health`` filter knows."""
    return str((shown_health(vm) or {}).get("Status", "none"))


def health_suffix(vm: Vm) -> str:
    """Return what the list says behind ``Up 3 seconds``."""
    word = health_status(vm)
    return {"none": "", "starting": " (health: starting)"}.get(word, f" ({word})")
