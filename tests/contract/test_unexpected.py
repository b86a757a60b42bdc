"""No request makes an embedded service fail: schemathesis asks every operation what its document allows, and more."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from datacenter.center import DataCenter
from datacenter.services.volapi import storage
from datacenter.settings import DcSettings
from datacenter.store import Store
from tests.contract.cloudapi.caller import Caller
from tests.contract.conftest import IMAGE, BookNode
from tests.contract.openapi import FOLDER

SERVICES = ("vmapi", "wfapi", "cnapi", "imgapi", "napi", "papi", "fwapi", "volapi", "mahi", "cns", "cloudapi")
ALLOWED = {
    ("cnapi", "InvalidParameters"),  # CNAPI's own status for parameters that fail its validation is 500
    ("cnapi", "InternalError"),  # as for whatever its node could not do
    ("imgapi", "boom"),  # what GET /ping?error=... is for
}
HELD = {"GET /tickets/<uuid>/wait", "GET /tasks/<task_id>/wait", "GET /jobs/<job_uuid>/wait"}
"""Answered when something ends: asked for what there is, they would hold the tests up."""
SOME = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "10")),
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def openapi(name: str, app: Flask, known: dict[str, str], *, literal: bool) -> dict[str, Any]:
    """The document of a service, for all operations it really has.

    ``known`` are names of what is there, by parameters of paths: with ``literal`` paths name these alone, so that
    what is wrong is in the rest of a request; else they name anything, and often these.
    """
    told = json.loads((FOLDER / f"{name}.json").read_text().replace("#/shapes/", "#/components/schemas/"))
    documented = {re.sub(r"\{[^}]*\}", "{}", operation): facts for operation, facts in told["operations"].items()}
    paths: dict[str, Any] = {}
    for rule in app.url_map.iter_rules():
        template = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        path = re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], "web"), template) if literal else template
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            if f"{method} {rule.rule}" in HELD:
                continue
            facts = documented.get(f"{method} {re.sub(r'{[^}]*}', '{}', template)}", {})
            arguments = {} if literal else {argument: known.get(argument, "web") for argument in rule.arguments}
            if not literal or facts.keys() & {"query", "body"}:
                paths.setdefault(path, {})[method.lower()] = _operation(facts, arguments)
    return {
        "openapi": "3.0.3",
        "info": {"title": name, "version": "1"},
        "paths": paths,
        "components": {"schemas": told["shapes"]},
    }


def _operation(facts: dict[str, Any], arguments: dict[str, str]) -> dict[str, Any]:
    parameters = [
        {"in": "query", "name": name, "schema": schema}
        for name, schema in facts.get("query", {}).items()
        if not name.endswith("*")
    ]
    for name, value in sorted(arguments.items()):
        schema = {"anyOf": [{"enum": [value]}, {"type": "string", "minLength": 1}]}
        parameters.append({"in": "path", "name": name, "required": True, "schema": schema})
    operation: dict[str, Any] = {"parameters": parameters, "responses": {"default": {"description": "any"}}}
    if "body" in facts:
        operation["requestBody"] = {"content": {"application/json": {"schema": facts["body"]}}}
    return operation


@pytest.fixture(scope="module")
def center(tmp_path_factory):
    """A data center with a node, a VM, a volume and a rule. ``known`` says, for services, how those are called."""
    folder = tmp_path_factory.mktemp("center")
    dc = DataCenter(DcSettings(state=folder, docker_url="tcp://127.0.0.1:2376"), Store(":memory:"))
    node = BookNode()
    ask(dc.cnapi, "POST", f"/servers/{node.uuid}/sysinfo", sysinfo=node.sysinfo())
    owner = dc.mahi.create_account("jill")["uuid"]
    add_image(dc, IMAGE)
    storage.import_image(dc)
    network = dc.napi.ensure_default_fabric(owner)["uuid"]
    package = dc.papi.search({"name": "sample-1G"})[0]["uuid"]
    asked = {"owner_uuid": owner, "image_uuid": IMAGE, "billing_id": package, "networks": [network], "brand": "lx"}
    made = ask(dc.vmapi, "POST", "/vms", **asked, kernel_version="3.13.0", docker=True, alias="web")
    dc.wfapi.engine.wait(made["job_uuid"], 10)
    volume = ask(dc.volapi, "POST", "/volumes", owner_uuid=owner, type="tritonnfs", name="data", networks=[network])
    rule = ask(dc.fwapi, "POST", "/rules", owner_uuid=owner, rule="FROM any TO all vms ALLOW tcp PORT 80", enabled=True)
    vm = made["vm_uuid"]
    subjects = {"vmapi": vm, "cnapi": vm, "imgapi": IMAGE, "napi": network, "papi": package, "volapi": volume["uuid"],
                "mahi": owner, "cloudapi": vm}  # fmt: skip
    known = {"server_uuid": node.uuid, "vm_uuid": vm, "job_uuid": made["job_uuid"], "rule_uuid": rule["uuid"],
             "owner_uuid": owner, "network_uuid": network, "vlan_id": "2", "login": "jill"}  # fmt: skip
    yield SimpleNamespace(dc=dc, known={name: {**known, "uuid": subject} for name, subject in subjects.items()})
    node.server.stop(timeout=0)
    dc.store.close()


def ask(service: Any, method: str, path: str, **body: Any) -> Any:
    answer = service.app.test_client().open(path, method=method, json=body)
    assert answer.status_code < 300, answer.text
    return answer.json


def add_image(dc: DataCenter, uuid: str) -> None:
    manifest = {"v": 2, "uuid": uuid, "owner": dc.mahi.admin_uuid, "name": "some", "version": "1", "type": "docker",
                "os": "linux", "public": True}  # fmt: skip
    ask(dc.imgapi, "POST", f"/images/{uuid}?action=import&skip_owner_check=true", **manifest)
    answer = dc.imgapi.app.test_client().put(f"/images/{uuid}/file?compression=none", data=bytes(1024))
    assert answer.status_code == 200, answer.text
    ask(dc.imgapi, "POST", f"/images/{uuid}?action=activate")


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", SERVICES)
def test_nothing_makes_a_service_fail(center, name, mode):
    app = getattr(center.dc, name).app
    caller, known = None, center.known.get(name, {})
    if name == "cloudapi":
        caller = Caller(center.dc, f"{mode.value}-account")
        known = {**known, "account": f"{mode.value}-account"}
    asker = Asker(name, app, caller)
    document = openapi(name, app, known, literal=mode is GenerationMode.NEGATIVE)
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        cases = result.ok().as_strategy(generation_mode=mode)
        with suppress(Unsatisfiable):  # what takes no parameters cannot be asked wrongly
            SOME(given(cases)(asker.ask))()
    assert not asker.failures, json.dumps(asker.failures, indent=1)


class Asker:
    """Asks a service's app, and keeps what it failed at."""

    def __init__(self, name: str, app: Flask, caller: Caller | None) -> None:
        self.failures: dict[str, str] = {}
        self._name = name
        self._http = app.test_client()
        self._caller = caller

    def ask(self, case: Any) -> None:
        request = requests.Request(**case.as_transport_kwargs(base_url="http://localhost")).prepare()
        headers = dict(request.headers)
        if self._caller is not None:
            headers |= self._caller.headers(request.path_url, request.method.lower())
        answer = self._http.open(request.path_url, method=request.method, data=request.body, headers=headers)
        failed = answer.status_code >= 500 and answer.status_code != 501  # 501: what is not offered, in so many words
        told = answer.json or {} if failed else None
        if told is not None and not {(self._name, told.get("code")), (self._name, told.get("message"))} & ALLOWED:
            self.failures[f"{request.method} {request.path_url[:200]} {str(request.body)[:300]}"] = answer.text[:300]
