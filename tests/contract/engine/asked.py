"""What is asked of the gateway so that its replies can be held against the documents: one request after the other.

A request is an operation, what its path names, its query, its body, and the status that answers it.
"""

from __future__ import annotations

from typing import Any

from gateway.blueprints import RESOURCES
from gateway.operations import OPERATIONS

Request = tuple[str, dict[str, str], str, Any, int]

HANDLED = frozenset(name for resource in RESOURCES for name in resource.handled)

CREATE = {
    "Image": "busybox",
    "Cmd": ["sh", "-c", "sleep 9"],
    "Env": ["A=1"],
    "User": "33:33",
    "WorkingDir": "/srv",
    "Labels": {"of": "everything"},
    "ExposedPorts": {"80/tcp": {}, "81/udp": {}},
    "Volumes": {"/own": {}},
    "StopSignal": "SIGINT",
    "StopTimeout": 3,
    "Healthcheck": {
        "Test": ["CMD", "true"],
        "Interval": 3_000_000_000,
        "StartPeriod": 2_000_000_000,
        "StartInterval": 1_000_000_000,
    },
    "HostConfig": {
        "Memory": 64 << 20,
        "NanoCpus": 500_000_000,
        "PidsLimit": 64,
        "Init": True,
        "PortBindings": {"80/tcp": [{"HostPort": "80"}]},
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "Tmpfs": {"/run": "size=1m"},
        "Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 511}}],
        "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}],
        "Sysctls": {"net.core.somaxconn": "99"},
        "ExtraHosts": ["a:1.2.3.4"],
        "Dns": ["1.1.1.1"],
        "CapAdd": ["NET_RAW"],
        "Annotations": {"a": "b"},
    },
}

CONTAINERS: tuple[Request, ...] = (
    ("container.create", {}, "name=full", CREATE, 201),
    ("container.create", {}, "name=gone", {"Image": "busybox", "HostConfig": {"MemorySwappiness": 1}}, 201),
    ("container.create", {}, "name=gone", {"Image": "busybox"}, 409),
    ("container.create", {}, "", {"Image": "no-such"}, 404),
    ("container.create", {}, "", {"Image": "busybox", "HostConfig": {"Memory": 1}}, 400),
    ("container.inspect", {"id": "full"}, "", None, 200),
    ("container.inspect", {"id": "none"}, "", None, 404),
    ("container.start", {"id": "full"}, "", None, 204),
    ("container.start", {"id": "full"}, "", None, 304),
    ("container.inspect", {"id": "full"}, "size=1", None, 200),
    ("container.list", {}, "all=1&size=1", None, 200),
    ("container.list", {}, 'filters={"status":["running"]}', None, 200),
    ("container.list", {}, 'filters={"no-such":["x"]}', None, 400),
    ("container.top", {"id": "full"}, "", None, 200),
    ("container.top", {"id": "down"}, "", None, 409),
    ("container.changes", {"id": "full"}, "", None, 200),
    ("container.archive.stat", {"id": "full"}, "path=/f", None, 200),
    ("container.stats", {"id": "down"}, "stream=0", None, 200),
    ("container.stats", {"id": "none"}, "stream=0", None, 404),
    ("container.logs", {"id": "down"}, "", None, 400),
    ("container.resize", {"id": "none"}, "h=1&w=1", None, 404),
    ("container.update", {"id": "full"}, "", {"CpuShares": 5, "KernelMemory": 1 << 24}, 200),
    ("container.rename", {"id": "full"}, "name=fuller", None, 204),
    ("container.rename", {"id": "fuller"}, "name=gone", None, 409),
    ("container.pause", {"id": "down"}, "", None, 409),
    ("container.unpause", {"id": "down"}, "", None, 409),
    ("exec.create", {"id": "fuller"}, "", {"Cmd": ["id", "-u"], "AttachStdout": True}, 201),
    ("exec.create", {"id": "down"}, "", {"Cmd": ["id"]}, 409),
    ("exec.inspect", {"id": "EXEC"}, "", None, 200),
    ("exec.inspect", {"id": "none"}, "", None, 404),
    ("exec.resize", {"id": "EXEC"}, "h=1&w=1", None, 200),
    ("container.kill", {"id": "down"}, "", None, 409),
    ("container.stop", {"id": "fuller"}, "t=1", None, 204),
    ("container.stop", {"id": "fuller"}, "", None, 304),
    ("container.inspect", {"id": "fuller"}, "", None, 200),
    ("container.list", {}, "all=1", None, 200),
    ("container.wait", {"id": "fuller"}, "", None, 200),
    ("container.wait", {"id": "fuller"}, "condition=next", None, 400),
    ("container.wait", {"id": "none"}, "", None, 404),
    ("container.restart", {"id": "fuller"}, "t=0", None, 204),
    ("container.kill", {"id": "fuller"}, "signal=KILL", None, 204),
    ("image.list", {}, "all=1&digests=1", None, 200),
    ("image.inspect", {"name": "busybox"}, "", None, 200),
    ("image.inspect", {"name": "none"}, "", None, 404),
    ("image.inspect", {"name": "BAD"}, "", None, 400),
    ("image.history", {"name": "BAD"}, "", None, 400),
    ("container.create", {}, "", {"Image": "BAD"}, 400),
    ("container.commit", {}, "", None, 400),
    ("image.history", {"name": "busybox"}, "", None, 200),
    ("image.tag", {"name": "busybox"}, "repo=other&tag=v1", None, 201),
    ("image.remove", {"name": "other:v1"}, "", None, 200),
    ("system.version", {}, "", None, 200),
    ("system.info", {}, "", None, 200),
    ("system.df", {}, "", None, 200),
    ("system.ping", {}, "", None, 200),
    ("system.ping.head", {}, "", None, 200),
    ("event.list", {}, "since=0&until=NOW", None, 200),
    ("container.remove", {"id": "up"}, "", None, 409),
    ("container.remove", {"id": "fuller"}, "v=1&force=1", None, 204),
    ("container.prune", {}, "", None, 200),
    ("image.prune", {}, "", None, 200),
    ("build.prune", {}, "", None, 200),
    ("event.list", {}, "since=0&until=NOW&filters={", None, 400),
    ("event.list", {}, "since=yesterday", None, 400),
)

BAD_IPAM = {"Config": [{"Subnet": "x"}]}
OWN = {"Subnet": "10.77.0.0/24", "IPRange": "10.77.0.128/25", "Gateway": "10.77.0.1"}

NETWORKS: tuple[Request, ...] = (
    ("network.create", {}, "", {"Name": "own", "IPAM": {"Config": [OWN]}, "Labels": {"a": "b"}, "Internal": True}, 201),
    ("network.create", {}, "", {"Name": "own"}, 409),
    ("network.create", {}, "", {"Name": "bad", "IPAM": BAD_IPAM}, 400),
    ("network.create", {}, "", {"Name": "same", "IPAM": {"Config": [OWN]}}, 403),
    ("network.create", {}, "", {"Name": "x", "Driver": "none-such"}, 404),
    ("network.connect", {"id": "own"}, "", {"Container": "down", "EndpointConfig": {"Aliases": ["a"]}}, 200),
    ("network.connect", {"id": "own"}, "", {"Container": "down"}, 403),
    ("network.connect", {"id": "none-such"}, "", {"Container": "down"}, 404),
    ("network.connect", {"id": "own"}, "", {"Container": "none-such"}, 404),
    ("network.connect", {"id": "host"}, "", {"Container": "down"}, 400),
    ("container.start", {"id": "down"}, "", None, 204),
    ("network.list", {}, "", None, 200),
    ("network.list", {}, 'filters={"bogus":["x"]}', None, 400),
    ("network.inspect", {"id": "own"}, "", None, 200),
    ("network.inspect", {"id": "own"}, "verbose=1&scope=swarm", None, 404),
    ("network.inspect", {"id": "bridge"}, "", None, 200),
    ("network.inspect", {"id": "none-such"}, "", None, 404),
    ("container.inspect", {"id": "down"}, "", None, 200),
    ("network.remove", {"id": "own"}, "", None, 403),
    ("container.stop", {"id": "down"}, "t=0", None, 204),
    ("network.disconnect", {"id": "own"}, "", {"Container": "down", "Force": True}, 200),
    ("network.disconnect", {"id": "own"}, "", {"Container": "down"}, 403),
    ("network.disconnect", {"id": "none-such"}, "", {"Container": "down"}, 404),
    ("network.remove", {"id": "own"}, "", None, 204),
    ("network.remove", {"id": "own"}, "", None, 404),
    ("network.remove", {"id": "bridge"}, "", None, 403),
    ("network.prune", {}, "", None, 200),
    ("network.prune", {}, 'filters={"bogus":["x"]}', None, 400),
    ("event.list", {}, 'since=0&until=NOW&filters={"type":["network"]}', None, 200),
)

VOLUMES: tuple[Request, ...] = (
    ("volume.create", {}, "", {"Name": "no good", "Driver": "local"}, 400),
    ("volume.create", {}, "", {"Name": "data", "DriverOpts": {"size": "10G"}, "Labels": {"a": "b"}}, 201),
    ("volume.create", {}, "", {"Name": "data"}, 201),
    ("volume.create", {}, "", {"Name": "xyz", "Driver": "none-such"}, 404),
    ("volume.create", {}, "", {}, 201),
    ("volume.list", {}, "", None, 200),
    ("volume.list", {}, 'filters={"bogus":["x"]}', None, 400),
    ("volume.inspect", {"name": "data"}, "", None, 200),
    ("volume.inspect", {"name": "none-such"}, "", None, 404),
    ("container.create", {}, "name=user", {"Image": "busybox", "HostConfig": {"Binds": ["data:/data:ro"]}}, 201),
    ("container.inspect", {"id": "user"}, "", None, 200),
    ("container.list", {}, "all=1", None, 200),
    ("system.df", {}, "", None, 200),
    ("volume.remove", {"name": "data"}, "", None, 409),
    ("container.remove", {"id": "user"}, "", None, 204),
    ("volume.remove", {"name": "data"}, "", None, 204),
    ("volume.remove", {"name": "data"}, "", None, 404),
    ("volume.prune", {}, 'filters={"all":["true"]}', None, 200),
    ("event.list", {}, 'since=0&until=NOW&filters={"type":["volume"]}', None, 200),
)

REGISTRIES: tuple[Request, ...] = (
    ("system.auth", {}, "", {"username": "jill", "password": "x", "serveraddress": "r.test"}, 200),
    ("system.auth", {}, "", {"username": "jill", "password": "wrong", "serveraddress": "r.test"}, 401),
    ("system.auth", {}, "", {"username": "jill", "password": "x", "serveraddress": "away.test"}, 500),
    ("image.search", {}, "term=r.test/box&limit=2", None, 200),
    ("image.search", {}, "term=r.test/box&limit=x", None, 400),
    ("image.search", {}, "term=away.test/box", None, 500),
    ("distribution.inspect", {"name": "r.test/box:1"}, "", None, 200),
    ("distribution.inspect", {"name": "r.test/many:1"}, "", None, 200),
    ("distribution.inspect", {"name": "r.test/secret:1"}, "", None, 401),
    ("distribution.inspect", {"name": "BAD"}, "", None, 400),
    ("distribution.inspect", {"name": "away.test/box"}, "", None, 500),
)

REFUSED: tuple[Request, ...] = (
    ("plugin.list", {}, "", None, 200),
    *(
        (f"plugin.{what}", {"name": "x"}, "", None, 404)
        for what in ("inspect", "remove", "enable", "disable", "upgrade", "push", "set")
    ),
    *(
        (row.name, {"id": "x", "name": "x"}, "", {} if row.method in {"POST", "PUT"} else None, row.status)
        for row in OPERATIONS
        if row.name not in HANDLED and not row.open
    ),
)

SCENES: dict[str, tuple[Request, ...]] = {
    "containers": CONTAINERS,
    "networks": NETWORKS,
    "volumes": VOLUMES,
    "registries": REGISTRIES,
    "refused": REFUSED,
}
"""Each is for a data center of its own with one running container, ``up``, and one that was never started, ``down``."""
