"""What the gateway answers to clients of each API version is what the version's own document says."""

from __future__ import annotations

import json
import time

import pytest

from gateway.operations import OPERATIONS, by_name
from gateway.versions import ApiVersion
from sdc import registry
from sdc.errors import SdcError, SdcUnavailable
from tests.contract.engine import JSON, VERSIONS, Document
from tests.contract.engine.asked import SCENES
from tests.contract.house import house, make_house
from tests.contract.test_options import ABLE
from tests.e2e.test_documents import REAL
from translators.images.blobs import DOCKER_MANIFEST

__all__ = ["house", "make_house"]

UNTOLD = {
    "gateway.capabilities": "The documents know nothing of it.",
    "gateway.explain": "The documents know nothing of it.",
    "build.cancel": "No document tells of it; builds through real clients are cancelled with it.",
    "container.link.remove": "The documents left it out when links grew old.",
    "system.ca": "The gateway's own, for clients that have no trust in it yet.",
}
"""Operations whose replies are not held against a document, and why."""
STAT = {"name": "f", "size": 3, "mode": 0o644, "mtime": "2026-01-01T00:00:00Z"}
ANSWERS = {
    "docker_copy": {"containerPathStat": STAT},
    "docker_changes": {"changes": [{"Path": "/f", "Kind": 1}]},
}

MANIFEST = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": {"digest": f"sha256:{'3' * 64}"}}
INDEX = {
    "schemaVersion": 2,
    "manifests": [{"platform": {"architecture": "arm64", "os": "linux", "variant": "v8", "os.version": ""}}],
}
FOUND = [{"name": "box", "star_count": 3, "is_official": True, "is_automated": False, "description": "A box."}]
REGISTRY = {
    "/v1/search?q=box&n=2": {"results": FOUND},
    "/v2/box/manifests/1": MANIFEST,
    f"/v2/box/blobs/{MANIFEST['config']['digest']}": {"architecture": "amd64", "os": "linux"},
    "/v2/many/manifests/1": INDEX,
}


def in_registry(host, path, caller, **_):
    """What r.test answers; there is no other registry."""
    if host != "r.test":
        raise SdcUnavailable("registry", 503, "ConnectError", "no route to host")
    if path == "/v2/" and caller.password == "x":
        return registry.Answer(JSON, b"{}")
    if path not in REGISTRY:
        raise SdcError("registry", 401, "Unauthorized", "unauthorized: authentication required")
    return registry.Answer(JSON, json.dumps(REGISTRY[path]).encode())


def ask(house, version, name, target, query, body):
    operation = by_name(name)
    path = operation.path.format(**target).replace("EXEC", house.exec_id)
    return house.http.open(
        f"/v{version}{path}?{query.replace('NOW', str(time.time()))}", method=operation.method, json=body
    )


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("version", VERSIONS)
def test_replies_are_what_the_document_of_their_version_says(make_house, monkeypatch, version, scene):
    monkeypatch.setattr(registry, "_ask", in_registry)
    house, document = make_house(ABLE | {"changes"}), Document(version)
    run = house.node.run
    house.node.run = lambda task, params: ANSWERS.get(task) or run(task, params)
    wrong = []
    for name, target, query, body, status in SCENES[scene]:
        if ApiVersion.parse(version) < by_name(name).since:
            continue
        answer = ask(house, version, name, target, query, body)
        label = f"{name} {target} {query}"
        if answer.status_code != status:
            wrong.append(f"{label}: {answer.status_code} {answer.text[:200]}")
        found = document.judge(by_name(name), answer.status_code, answer.headers, answer.data)
        wrong += [f"{label} {answer.status_code}: {problem}" for problem in found]
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


def test_every_operation_is_asked():
    asked = {name for scene in SCENES.values() for name, *_ in scene}
    real = set(REAL)
    told = {name for name, why in UNTOLD.items() if why.endswith(".")}
    assert asked | real | told == {row.name for row in OPERATIONS}
    assert not told & (asked | real)


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
