"""What the gateway answers to clients of each API version is what the version's own document says."""

from __future__ import annotations

import json
import re
import time

import pytest

from gateway.blueprints import RESOURCES
from gateway.operations import by_name
from gateway.versions import ApiVersion
from tests.contract.engine import VERSIONS, Document
from tests.contract.house import house, make_house
from tests.contract.test_options import ABLE

__all__ = ["house", "make_house"]

ELSEWHERE = {
    # they speak to a node's socket, or wait for what happens next
    "container.attach", "container.attach.websocket", "container.archive.get", "container.archive.put",
    "container.export", "exec.start", "image.build", "container.commit",
    # they speak to a registry, or send archives
    "image.create", "image.load", "image.push", "image.search", "image.save", "image.save.many",
    "distribution.inspect", "system.auth",
    # (a create of a volume that is served makes a machine of it: here it is refused alone)
    # what they tell hangs on the data center's networks of all kinds
    "network.list", "network.inspect", "network.create", "network.connect", "network.disconnect", "network.remove",
    # documents know nothing of them
    "gateway.capabilities", "gateway.explain", "build.cancel", "container.link.remove",
}  # fmt: skip
"""Operations that other tests have: end to end, with the client that reads what they send."""

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
JSON = "application/json"
STAT = {"name": "f", "size": 3, "mode": 0o644, "mtime": "2026-01-01T00:00:00Z"}
ANSWERS = {
    "docker_copy": {"containerPathStat": STAT},
    "docker_changes": {"changes": [{"Path": "/f", "Kind": 1}]},
}

CALLS = [
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
    ("container.restart", {"id": "fuller"}, "t=0", None, 204),
    ("container.kill", {"id": "fuller"}, "signal=KILL", None, 204),
    ("volume.create", {}, "", {"Name": "no good", "Driver": "local"}, 400),
    ("volume.list", {}, "", None, 200),
    ("volume.inspect", {"name": "none"}, "", None, 404),
    ("volume.remove", {"name": "none"}, "", None, 404),
    ("image.list", {}, "all=1&digests=1", None, 200),
    ("image.inspect", {"name": "busybox"}, "", None, 200),
    ("image.inspect", {"name": "none"}, "", None, 404),
    ("image.history", {"name": "busybox"}, "", None, 200),
    ("image.tag", {"name": "busybox"}, "repo=other&tag=v1", None, 201),
    ("image.remove", {"name": "other:v1"}, "", None, 200),
    ("system.version", {}, "", None, 200),
    ("system.info", {}, "", None, 200),
    ("system.df", {}, "", None, 200),
    ("system.ping", {}, "", None, 200),
    ("system.ping.head", {}, "", None, 200),
    ("event.list", {}, "since=0&until=NOW", None, 200),
    ("plugin.list", {}, "", None, 200),
    ("container.remove", {"id": "up"}, "", None, 409),
    ("container.remove", {"id": "fuller"}, "v=1&force=1", None, 204),
    ("container.prune", {}, "", None, 200),
    ("image.prune", {}, "", None, 200),
    ("volume.prune", {}, "", None, 200),
    ("network.prune", {}, "", None, 200),
    ("build.prune", {}, "", None, 200),
]  # fmt: skip


def ask(house, version, name, target, query, body):
    operation = by_name(name)
    path = operation.path.format(**target).replace("EXEC", house.exec_id)
    return house.http.open(
        f"/v{version}{path}?{query.replace('NOW', str(time.time()))}", method=operation.method, json=body
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_replies_are_what_the_document_of_their_version_says(make_house, version):
    house, document = make_house(ABLE | {"changes"}), Document(version)
    run = house.node.run
    house.node.run = lambda task, params: ANSWERS.get(task) or run(task, params)
    wrong = []
    for name, target, query, body, status in CALLS:
        if ApiVersion.parse(version) < by_name(name).since:
            continue
        answer = ask(house, version, name, target, query, body)
        label = f"{name} {target} {query}"
        if answer.status_code != status:
            wrong.append(f"{label}: {answer.status_code} {answer.text[:200]}")
        operation = f"{by_name(name).method} {re.sub('{[^}]*}', '{}', by_name(name).path)}"
        bodies = [json.loads(line) for line in answer.text.splitlines()] if answer.mimetype == JSON else []
        wrong += [
            f"{label} {status}: {found}" for found in document.problems(operation, status, bodies, answer.headers)
        ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_checked_container_is_told_of_in_its_state(house, version):
    log = [{"Start": "2026-01-01T00:00:00Z", "End": "2026-01-01T00:00:01Z", "ExitCode": 1, "Output": "no"}]
    health = {"Status": "unhealthy", "FailingStreak": 1, "Log": log}
    (vm,) = [vm for vm in house.dc.vmapi.vms() if vm["alias"] == "up"]
    told = vm["internal_metadata"] | {"docker:health": json.dumps(health)}
    changed = house.dc.vmapi.app.test_client().post(
        f"/vms/{vm['uuid']}?action=update", json={"internal_metadata": told}
    )
    house.dc.wfapi.engine.wait(changed.json["job_uuid"], 10)
    answer = ask(house, version, "container.inspect", {"id": "up"}, "", None)
    assert answer.json["State"]["Health"] == health
    assert not list(Document(version).problems("GET /containers/{}/json", 200, [answer.json], answer.headers))


def test_every_operation_that_is_served_is_asked_or_tested_elsewhere():
    handled = {name for resource in RESOURCES for name in resource.handled}
    asked = {name for name, *_ in CALLS}
    assert asked | ELSEWHERE == handled | {"system.ping", "system.ping.head"}
    assert not asked & ELSEWHERE


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda body: body.update(Id=3), "Id: 3 is not of types"),
        (lambda body: body["HostConfig"].update(Bogus=1), "HostConfig: Additional properties"),
        (lambda body: body["State"].update(StartedAt=None, Pid="1"), "State.Pid"),
        (lambda body: body["NetworkSettings"].update(Ports=[]), "NetworkSettings.Ports: [] is not"),
    ],
)
def test_a_wrong_reply_is_found(house, spoil, says):
    body = house.http.get("/containers/up/json").json
    document = Document(VERSIONS[0])
    assert not list(document.problems("GET /containers/{}/json", 200, [body], {}))
    spoil(body)
    (problem,) = document.problems("GET /containers/{}/json", 200, [body], {})
    assert says in problem
