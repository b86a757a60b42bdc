"""The states of a VM as the states of a container. Facts: sdc-apis 1.5, docker-on-triton 5.3."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from gateway.errors import Conflict

Vm = dict[str, Any]

NEVER = "0001-01-01T00:00:00Z"
_STATES = {
    "running": "running",
    "stopping": "running",
    "shutting_down": "running",
    "provisioning": "created",
    "incomplete": "created",
    "configured": "created",
    "ready": "created",
    "down": "exited",
    "destroyed": "dead",
    "failed": "dead",
}


def metadata(vm: Vm) -> dict[str, Any]:
    found: dict[str, Any] = vm.get("internal_metadata") or {}
    return found


def json_metadata(vm: Vm, key: str, default: Any) -> Any:
    """Decode a metadata value that is a JSON text; ``default`` when it is missing or of another kind."""
    try:
        value = json.loads(metadata(vm).get(key) or "null")
    except (ValueError, TypeError):
        return default
    return value if isinstance(value, type(default)) else default


def json_text(value: Any) -> str:
    """Encode a metadata value that ``json_metadata`` decodes."""
    return msgspec.json.encode(value).decode()


def linux_options(vm: Vm) -> dict[str, Any]:
    """Return the options that the compute node was asked to honour."""
    options: dict[str, Any] = json_metadata(vm, "docker:linux", {})
    return options


def command_words(vm: Vm) -> list[str]:
    """Return what the container runs: its entrypoint, then its arguments."""
    return [str(word) for key in ("docker:entrypoint", "docker:cmd") for word in json_metadata(vm, key, [])]


def is_running(vm: Vm) -> bool:
    """Whether Docker says ``Running``: also of a container that is paused or waits to be restarted."""
    return status(vm) in {"running", "paused", "restarting"}


def refuse_unless_up(vm: Vm, container_id: str, before: str = "") -> None:
    """Raise Conflict, in dockerd's words, unless the container's processes run; ``before`` says what for."""
    word = status(vm)
    if word == "paused":
        raise Conflict(f"container {container_id} is paused, unpause the container before {before}")
    if word == "restarting":
        raise Conflict(f"container {container_id} is restarting, wait until the container is running")
    if word != "running":
        raise Conflict(f"container {container_id} is not running")


def is_gone(vm: Vm) -> bool:
    return vm.get("state") in {"destroyed", "failed"}


def has_run(vm: Vm) -> bool:
    """Whether a stopped VM ended, rather than never having been started."""
    ended = vm.get("exit_status") is not None or vm.get("exit_timestamp") is not None
    return ended or "docker:restartcount" in metadata(vm)


def status(vm: Vm) -> str:
    """Return Docker's word for the state: created, running, paused, restarting, exited, dead.

    A stopped VM whose zone is ready is about to be started again by its restart policy. A state SDC may invent,
    or a compute node out of reach (``unknown``), is ``dead``: nothing can be done with it.
    """
    state = str(vm.get("state"))
    if state == "stopped" and vm.get("zone_state") == "ready":
        return "restarting"
    if state == "running" and metadata(vm).get("docker:paused") in (True, "true"):
        return "paused"
    if state == "stopped":
        return "exited" if has_run(vm) else "created"
    return _STATES.get(state, "dead")


def last_end(vm: Vm) -> Vm:
    """Return how the run before the present one ended: ``exit_status``, ``exit_timestamp``, ``oom_killed``.

    {} where the compute node does not tell: VMAPI has room for the end of a stopped VM only.
    """
    end: Vm = json_metadata(vm, "docker:lastend", {})
    return end


def exit_code(vm: Vm) -> int:
    """Return the last exit code; 0 where there is none yet, as dockerd shows it."""
    return int(vm.get("exit_status") or 0)
