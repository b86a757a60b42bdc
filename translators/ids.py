"""Which container a VM is: its Docker id and its name."""

from __future__ import annotations

from typing import Any

from grammars import dockerids

Vm = dict[str, Any]


def docker_id(vm: Vm) -> str:
    """Return the 64 hex digits of a container, or 32 while the data center has not stored its metadata yet."""
    stored = (vm.get("internal_metadata") or {}).get("docker:id")
    return str(stored) if stored else dockerids.undashed(vm["uuid"])


def short_id(vm: Vm) -> str:
    return dockerids.short(docker_id(vm))


def container_name(vm: Vm) -> str:
    """Return the name as Docker shows it, with its leading slash."""
    return f"/{vm.get('alias') or short_id(vm)}"
