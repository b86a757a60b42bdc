"""The build task of a node.

SDC: CNAPI POST /servers/:server_uuid/vms/:uuid/docker-build, which is the task ``docker_build``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from gevent import socket

from datacenter.node.build.channel import BuildError, Channel, ClientGone
from datacenter.node.build.commit import commit
from datacenter.node.client import rendezvous
from datacenter.node.tasks import Params, Result, Task, TaskError

if TYPE_CHECKING:
    from datacenter.node.agent import Node
    from datacenter.node.zone import Zone

logger = logging.getLogger(__name__)

CONNECT_WITHIN = 60.0


def docker_build(node: Node, params: Params) -> Result:
    """Answer where to connect within 60 s for a commit's event channel. Raises TaskError InvalidParameters."""
    zone = node.zone(params["uuid"])
    payload = params.get("payload")
    if not isinstance(payload, dict) or payload.get("command") != "commit":
        raise TaskError("InvalidParameters", "docker_build needs a payload with a command: commit")
    base = payload.get("fromImg")
    if not isinstance(base, dict) or not isinstance(base.get("image"), dict):
        raise TaskError("InvalidParameters", "commit needs fromImg, the image of the container")

    def serve(connection: socket.socket) -> None:
        _run(node, zone, payload, connection)

    return {"host": "127.0.0.1", "port": rendezvous(serve, within=CONNECT_WITHIN)}


def _run(node: Node, zone: Zone, payload: dict[str, Any], connection: socket.socket) -> None:
    """Do it, and say at the end what went wrong."""
    channel = Channel(connection)
    end: dict[str, Any] = {}
    try:
        channel.tell("message", message=f"Starting {payload['command']}")
        commit(node, zone, payload, channel)
    except BuildError as error:
        end = {"error": error.message, **error.details}
    except TaskError as error:
        logger.exception("docker_build %s", zone.uuid)
        end = {"error": "the compute node failed" if error.rest_code == "InternalError" else error.message}
    except OSError:
        logger.exception("docker_build %s", zone.uuid)
        end = {"error": "the compute node failed"}
    except ClientGone:
        return
    finally:
        channel.close()
    try:
        channel.tell("end", **end)
    except ClientGone:
        pass  # it will not know


TASKS: dict[str, Task] = {"docker_build": docker_build}
