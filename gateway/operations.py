"""The index of the house: every operation of the Docker Engine API, and the gateway's own.

An operation's name is the word that its handler, its use case, its audit line and its metric share. A row without
a handler answers 501 with its name; a row with ``refusal`` says why it is refused for good.
Facts: Docker Engine API documents 1.24 to 1.51.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from gateway.versions import FLOOR, ApiVersion


@dataclass(frozen=True, slots=True)
class Operation:
    """One row. ``path`` uses ``{name}`` for parameters; ``since`` is the API version that brought it."""

    name: str
    method: str
    path: str
    since: ApiVersion = FLOOR
    open: bool = False
    """Needs no identity: the chain is not run."""
    changes: bool = True
    """Changes something: refused in read-only mode."""
    provisions: bool = False
    """Needs an account that is approved for provisioning."""
    websocket: bool = False
    """Asked for with ``Upgrade: websocket``."""
    stands_for: str = ""
    """Another operation whose chain this one passes, too: its dry run."""
    refusal: str = ""
    status: int = 501

    @property
    def resource(self) -> str:
        return self.name.split(".", 1)[0]


NO_BUILDKIT = (
    "BuildKit is not available here: set DOCKER_BUILDKIT=0 to build with the classic builder, "
    "or use a buildx builder with the docker-container driver"
)
_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node '
    "to swarm and try again."
)


def _read(name: str, path: str, **more: object) -> Operation:
    return Operation(name, "GET", path, changes=False, **more)  # type: ignore[arg-type]


def _post(name: str, path: str, **more: object) -> Operation:
    return Operation(name, "POST", path, **more)  # type: ignore[arg-type]


def _delete(name: str, path: str, **more: object) -> Operation:
    return Operation(name, "DELETE", path, **more)  # type: ignore[arg-type]


def _swarm(resource: str, *, inspectable: bool = True) -> list[Operation]:
    rows = [
        _read(f"{resource}.list", f"/{resource}s", refusal=_SWARM, status=503),
        _post(f"{resource}.create", f"/{resource}s/create", refusal=_SWARM, status=503),
        _post(f"{resource}.update", f"/{resource}s/{{id}}/update", refusal=_SWARM, status=503),
        _delete(f"{resource}.remove", f"/{resource}s/{{id}}", refusal=_SWARM, status=503),
    ]
    if inspectable:
        rows.append(_read(f"{resource}.inspect", f"/{resource}s/{{id}}", refusal=_SWARM, status=503))
    return rows


OPERATIONS: tuple[Operation, ...] = (
    # system
    _read("system.ping", "/_ping", open=True),
    Operation("system.ping.head", "HEAD", "/_ping", open=True, changes=False),
    _read("system.ca", "/ca.pem", open=True),
    _read("system.version", "/version"),
    _read("system.info", "/info"),
    Operation("system.auth", "POST", "/auth", changes=False),
    _read("system.df", "/system/df"),
    _read("event.list", "/events"),
    # the gateway's own
    _read("gateway.capabilities", "/gateway/capabilities"),
    Operation(
        "gateway.explain", "POST", "/gateway/explain", changes=False, provisions=True, stands_for="container.create"
    ),
    # containers
    _read("container.list", "/containers/json"),
    _post("container.create", "/containers/create", provisions=True),
    _read("container.inspect", "/containers/{id}/json"),
    _read("container.top", "/containers/{id}/top"),
    _read("container.logs", "/containers/{id}/logs"),
    _read("container.changes", "/containers/{id}/changes"),
    _read("container.export", "/containers/{id}/export"),
    _read("container.stats", "/containers/{id}/stats"),
    _post("container.resize", "/containers/{id}/resize"),
    _post("container.start", "/containers/{id}/start"),
    _post("container.stop", "/containers/{id}/stop"),
    _post("container.restart", "/containers/{id}/restart"),
    _post("container.kill", "/containers/{id}/kill"),
    _post("container.update", "/containers/{id}/update"),
    _post("container.rename", "/containers/{id}/rename"),
    _post("container.pause", "/containers/{id}/pause"),
    _post("container.unpause", "/containers/{id}/unpause"),
    _post("container.attach", "/containers/{id}/attach"),
    _read("container.attach.websocket", "/containers/{id}/attach/ws", websocket=True),
    Operation("container.wait", "POST", "/containers/{id}/wait", changes=False),
    _delete("container.remove", "/containers/{id}"),
    _delete("container.link.remove", "/containers/{id}/{alias}"),
    Operation("container.archive.stat", "HEAD", "/containers/{id}/archive", changes=False),
    _read("container.archive.get", "/containers/{id}/archive"),
    Operation("container.archive.put", "PUT", "/containers/{id}/archive"),
    _post("container.prune", "/containers/prune", since=ApiVersion(1, 25)),
    _post("container.commit", "/commit", provisions=True),
    # exec
    _post("exec.create", "/containers/{id}/exec"),
    _post("exec.start", "/exec/{id}/start"),
    _post("exec.resize", "/exec/{id}/resize"),
    _read("exec.inspect", "/exec/{id}/json"),
    # images
    _read("image.list", "/images/json"),
    _post("image.create", "/images/create", provisions=True),
    _read("image.inspect", "/images/{name}/json"),
    _read("image.history", "/images/{name}/history"),
    _post("image.push", "/images/{name}/push"),
    _post("image.tag", "/images/{name}/tag"),
    _delete("image.remove", "/images/{name}"),
    _read("image.search", "/images/search"),
    _post("image.prune", "/images/prune", since=ApiVersion(1, 25)),
    _read("image.save", "/images/{name}/get"),
    _read("image.save.many", "/images/get"),
    _post("image.load", "/images/load", provisions=True),
    _post("image.build", "/build", provisions=True),
    _post("build.prune", "/build/prune", since=ApiVersion(1, 31)),
    _post("build.cancel", "/build/cancel", since=ApiVersion(1, 39)),
    _post("build.session", "/session", refusal=NO_BUILDKIT),
    _post("build.grpc", "/grpc", refusal=NO_BUILDKIT),
    _read("distribution.inspect", "/distribution/{name}/json", since=ApiVersion(1, 30)),
    # networks
    _read("network.list", "/networks"),
    _read("network.inspect", "/networks/{id}"),
    _delete("network.remove", "/networks/{id}"),
    _post("network.create", "/networks/create"),
    _post("network.connect", "/networks/{id}/connect"),
    _post("network.disconnect", "/networks/{id}/disconnect"),
    _post("network.prune", "/networks/prune", since=ApiVersion(1, 25)),
    # volumes
    _read("volume.list", "/volumes"),
    _post("volume.create", "/volumes/create", provisions=True),
    _read("volume.inspect", "/volumes/{name}"),
    Operation("volume.update", "PUT", "/volumes/{name}", refusal=_SWARM, status=503),
    _delete("volume.remove", "/volumes/{name}"),
    _post("volume.prune", "/volumes/prune", since=ApiVersion(1, 25)),
    # plugins: there are none, so that none is found, and none can be installed
    _read("plugin.list", "/plugins"),
    _read("plugin.privileges", "/plugins/privileges"),
    _post("plugin.pull", "/plugins/pull"),
    _read("plugin.inspect", "/plugins/{name}/json"),
    _delete("plugin.remove", "/plugins/{name}"),
    _post("plugin.enable", "/plugins/{name}/enable"),
    _post("plugin.disable", "/plugins/{name}/disable"),
    _post("plugin.upgrade", "/plugins/{name}/upgrade"),
    _post("plugin.create", "/plugins/create"),
    _post("plugin.push", "/plugins/{name}/push"),
    _post("plugin.set", "/plugins/{name}/set"),
    # swarm: a data center is no swarm
    _read("swarm.inspect", "/swarm", refusal=_SWARM, status=503),
    _post("swarm.init", "/swarm/init", refusal=_SWARM, status=503),
    _post("swarm.join", "/swarm/join", refusal=_SWARM, status=503),
    _post("swarm.leave", "/swarm/leave", refusal=_SWARM, status=503),
    _post("swarm.update", "/swarm/update", refusal=_SWARM, status=503),
    _read("swarm.unlockkey", "/swarm/unlockkey", refusal=_SWARM, status=503),
    _post("swarm.unlock", "/swarm/unlock", refusal=_SWARM, status=503),
    _read("node.list", "/nodes", refusal=_SWARM, status=503),
    _read("node.inspect", "/nodes/{id}", refusal=_SWARM, status=503),
    _delete("node.remove", "/nodes/{id}", refusal=_SWARM, status=503),
    _post("node.update", "/nodes/{id}/update", refusal=_SWARM, status=503),
    _read("task.list", "/tasks", refusal=_SWARM, status=503),
    _read("task.inspect", "/tasks/{id}", refusal=_SWARM, status=503),
    _read("task.logs", "/tasks/{id}/logs", refusal=_SWARM, status=503),
    _read("service.logs", "/services/{id}/logs", refusal=_SWARM, status=503),
    *_swarm("service"),
    *_swarm("secret"),
    *_swarm("config"),
)


@cache
def by_name(name: str) -> Operation:
    """Find a row. Raises KeyError when there is none."""
    for row in OPERATIONS:
        if row.name == name:
            return row
    raise KeyError(name)
