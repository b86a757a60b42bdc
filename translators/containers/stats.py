"""What containers use: Docker's stats, sampled by the compute node. Facts: docker-on-triton 6.9."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from gateway.call import Call, StreamReply
from gateway.errors import InvalidParameter, NotFound
from sdc.errors import SdcError
from sdc.transfer import documents
from translators.capabilities import capabilities
from translators.containers.lookup import docker_id, find_container
from translators.containers.states import is_gone
from translators.errors import explain, speaking_docker

Json = dict[str, Any]

NEVER = "0001-01-01T00:00:00Z"
_INTERVAL = 1.0


def stats(call: Call, ref: str) -> StreamReply:
    """Stream a document a second, or give one: after the second it takes to compare, or at once (``one-shot``).

    A container that does not run has a document of zeros: one, or one a second until it starts or is removed.
    A plain Triton node always compares, and its figures of the CPU are rough.

    Docker: GET /containers/{id}/stats   SDC: CNAPI docker-stats, then the node's TCP socket
    """
    stream, at_once = call.flag("stream", default=True), call.flag("one-shot")
    if stream and at_once:
        raise InvalidParameter("cannot have stream=true and one-shot=true")
    vm = find_container(call, ref)
    return StreamReply(items=_documents(call, vm, stream=stream, at_once=at_once))


def _documents(call: Call, vm: Json, *, stream: bool, at_once: bool) -> Iterator[Json]:
    while True:
        sampled = 0
        if vm["state"] == "running":
            for found in _sampled(call, vm, stream=stream, at_once=at_once):
                sampled += 1
                yield {**found, **_names(vm)}
        if not sampled:
            yield zeros(vm)
        if not stream:
            return
        if not sampled:
            time.sleep(_INTERVAL)
        try:
            with speaking_docker("problem looking for the container"):
                vm = call.services.vmapi.get_vm(vm["uuid"], call.owner.uuid)
        except NotFound:
            return
        if is_gone(vm):
            return


def _sampled(call: Call, vm: Json, *, stream: bool, at_once: bool) -> Iterator[Json]:
    payload = {"doStream": stream, "clientApiVersion": float(f"{call.version.major}.{call.version.minor}")}
    if at_once and "stats" in capabilities(call, vm["server_uuid"]):
        payload["oneShot"] = True
    try:
        yield from documents(call.services.cnapi.docker_stats(vm["server_uuid"], vm["uuid"], payload))
    except SdcError as error:
        if error.code not in {"VmNotRunning", "InternalError", "StreamLost"}:
            raise explain(error, "problem reading the container's stats") from error
        # it has ended since we looked, or its node restarts


def _names(vm: Json) -> Json:
    """What the node does not know."""
    return {"name": f"/{vm.get('alias', '')}", "id": docker_id(vm)}


def zeros(vm: Json) -> Json:
    """The document of a container that does not run, as dockerd writes it."""
    cpu = {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }
    blkio = ("service_bytes", "serviced", "queue", "service_time", "wait_time", "merged", "time")
    return {
        "read": NEVER,
        "preread": NEVER,
        "pids_stats": {},
        "blkio_stats": {**{f"io_{kind}_recursive": None for kind in blkio}, "sectors_recursive": None},
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": cpu,
        "precpu_stats": cpu,
        "memory_stats": {},
        **_names(vm),
    }
