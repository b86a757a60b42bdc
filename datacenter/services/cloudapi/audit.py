"""A machine's history in CloudAPI's words: what was done, by whom, and whether it worked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g, request

from datacenter.clock import epoch, iso

Shown = dict[str, Any]

_SNAPSHOTS = {"snapshot": "create_snapshot", "rollback": "rollback_snapshot", "delete-snapshot": "delete_snapshot"}
"""Workflows whose jobs go by another name than their task's."""
_PARAMETERS = ("action", "name", "image", "package", "networks")
"""Those of a request that its job keeps: never metadata, which may hold secrets."""
_WAITED_FOR = frozenset(("set_metadata", "remove_metadata", "replace_metadata"))
_LATE = 1.0
"""Seconds that entries of metadata are dated late: ``triton`` waits for one that is younger than its first look,
and jobs that end before the client has even read the answer to its request would keep it waiting for ever."""
_METADATA = {"tags": "tags", "customer_metadata": "metadata"}


def context(parameters: Mapping[str, Any], *, whole: bool = False) -> Shown:
    """What a job remembers of the request at hand; ``whole`` if it replaces all of a machine's tags or metadata."""
    caller = {"type": "signature", "ip": request.remote_addr, "keyId": g.get("key_id", "")}
    told = {name: parameters[name] for name in _PARAMETERS if name in parameters}
    return {"caller": caller, "parameters": told, "whole": whole}


def entry(job: Shown) -> Shown:
    """One ended job."""
    told = job["params"].get("context") or {}
    action = _action(job, whole=told.get("whole") is True)
    ended = (job["chain_results"] or [{"finished_at": job["created_at"]}])[-1]["finished_at"]
    return {
        "action": action,
        "success": "yes" if job["execution"] == "succeeded" else "no",
        "parameters": told.get("parameters") or {},
        "time": iso(epoch(ended) + _LATE) if action in _WAITED_FOR else ended,
        "caller": told.get("caller") or {"type": "operator"},
    }


def _action(job: Shown, *, whole: bool) -> str:
    payload = job["params"].get("payload") or {}
    if job["task"] == "update":
        for kind, word in _METADATA.items():
            put, removed = f"set_{kind}" in payload, f"remove_{kind}" in payload
            if put or removed:
                return f"{'replace' if whole or (put and removed) else 'set' if put else 'remove'}_{word}"
    workflow = str(job["name"]).removesuffix(f"-{job['version']}")
    return str(job["params"].get("subtask") or _SNAPSHOTS.get(workflow, job["task"]))
