"""The build task of a node: images of containers' changes, and of Dockerfiles.

SDC: CNAPI POST /servers/:server_uuid/vms/:uuid/docker-build, which is the task ``docker_build``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
from gevent import socket

from datacenter.node.build.builder import Builder
from datacenter.node.build.channel import BuildError, Channel, ClientGone
from datacenter.node.build.commit import commit
from datacenter.node.build.context import Context, receive
from datacenter.node.build.workshop import Workshop
from datacenter.node.client import rendezvous
from datacenter.node.tasks import Params, Result, Task, TaskError

if TYPE_CHECKING:
    from datacenter.node.agent import Node
    from datacenter.node.zone import Zone

logger = logging.getLogger(__name__)

CONNECT_WITHIN = 60.0
FAILED = "the compute node failed"

Json = dict[str, Any]
Work = Callable[[Channel], None]


def docker_build(node: Node, params: Params) -> Result:
    """Answer where to connect within 60 s: for a commit once, for a build with the context and then once more.

    Raises TaskError InvalidParameters, and VmNotStopped for a build in a VM that runs.
    """
    zone = node.zone(params["uuid"])
    payload = params.get("payload")
    if not isinstance(payload, dict) or payload.get("command") not in {"build", "commit"}:
        raise TaskError("InvalidParameters", "docker_build needs a payload with a command: build or commit")
    if payload["command"] == "commit":
        return {"host": "127.0.0.1", "port": _commit(node, zone, payload)}
    if zone.running:
        raise TaskError("VmNotStopped", f"VM {zone.uuid} is running: a build needs a VM of its own")
    if not payload.get("scratchImageUuid"):
        raise TaskError("InvalidParameters", "build needs scratchImageUuid, the image that FROM scratch means")
    return {"host": "127.0.0.1", "port": _build(node, zone, payload)}


def _commit(node: Node, zone: Zone, payload: Json) -> int:
    base = payload.get("fromImg")
    if not isinstance(base, dict) or not isinstance(base.get("image"), dict):
        raise TaskError("InvalidParameters", "commit needs fromImg, the image of the container")

    def serve(connection: socket.socket) -> None:
        _run(zone, "commit", connection, lambda channel: commit(node, zone, payload, channel))

    return rendezvous(serve, within=CONNECT_WITHIN)


def _build(node: Node, zone: Zone, payload: Json) -> int:
    """Take the context from the first connection to a port, and build for the second."""
    shop = Workshop(node, zone)
    archive = shop.folder / "context.tar"

    def work(channel: Channel) -> None:
        built = Builder(node, shop, payload, channel).run(Context(archive, shop.folder / "context"))
        channel.ask("build_finished", finalImageDigest=built)

    listener = socket.create_server(("127.0.0.1", 0), backlog=2)
    listener.settimeout(CONNECT_WITHIN)

    def meet() -> None:
        try:
            with listener:
                with listener.accept()[0] as connection:
                    receive(connection, archive)
                channel = listener.accept()[0]
            with channel:
                channel.settimeout(None)
                _run(zone, "build", channel, work)
        except OSError:
            logger.info("build of %s: nobody came, or left early", zone.uuid)
        finally:
            shop.close()

    gevent.spawn(meet)
    port: int = listener.getsockname()[1]
    return port


def _run(zone: Zone, command: str, connection: socket.socket, work: Work) -> None:
    """Do it, and say at the end what went wrong. When the client leaves, what waits for it ends, too."""
    channel = Channel(connection)
    try:
        channel.tell("message", message=f"Starting {command}")
        end = _outcome(zone, channel, work)
        channel.tell("end", **end)
    except ClientGone:
        pass  # nobody is there to know
    finally:
        channel.close()


def _outcome(zone: Zone, channel: Channel, work: Work) -> Json:
    """Do the work; say what the last event tells of it: ``invalid`` when its user is to blame. Raises ClientGone."""
    try:
        work(channel)
    except BuildError as error:
        return {"error": error.message, "invalid": True, **error.details}
    except TaskError as error:
        if error.rest_code != "InternalError":
            return {"error": error.message}
        logger.exception("docker_build %s", zone.uuid)
        return {"error": FAILED}
    except OSError:
        logger.exception("docker_build %s", zone.uuid)
        return {"error": FAILED}
    return {}


TASKS: dict[str, Task] = {"docker_build": docker_build}
