"""Built-in members against the embedded data center's own services, by the gateway's own clients."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.call import Peer
from gateway.errors import Forbidden, InvalidParameter, QuotaExceeded, Unauthorized
from middleware.authentication import Authentication
from middleware.packages import Packages
from middleware.placement import Placement
from middleware.quota import Quota
from middleware.testing import pipeline, spec
from sdc.mahi import Mahi
from sdc.papi import Papi
from sdc.vmapi import Vmapi
from tests.unit.middleware.certs import certificate, key, md5

MINE, OTHER = key("ecdsa", 1), key("ed25519", 2)


class InProcess(requests.adapters.BaseAdapter):
    """Carries a client's requests to a service's WSGI application, without a socket."""

    def __init__(self, app):
        super().__init__()
        self.app = app

    def send(self, request, **_):
        body = request.body
        if body is not None and not isinstance(body, (str, bytes)):  # in pieces, as large ones are sent
            body = b"".join(body)
        answer = self.app.test_client().open(
            request.path_url, method=request.method, data=body, headers=dict(request.headers)
        )
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers.update(answer.headers)
        response._content, response._content_consumed = answer.data, True
        response.url, response.request = request.url, request
        return response

    def close(self): ...


def client(kind, app):
    made = kind("http://service.test")
    made.through(InProcess(app))
    return made


@pytest.fixture
def jill(world):
    line = MINE.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return world.mahi.create_account("jill", ssh_public_key=line, key_name="laptop")


@pytest.fixture
def chain(world, jill):
    chain = pipeline((Authentication, {"cache_seconds": 0}), Packages, Quota, Placement)
    chain.account = None
    chain.datacenter_name = "emb"
    chain.center.services = SimpleNamespace(
        mahi=client(Mahi, world.mahi.app), papi=client(Papi, world.papi.app), vmapi=client(Vmapi, world.vmapi.app)
    )
    return chain


def call(chain, operation="container.list", body=None, *, der=None, **more):
    der = der or certificate("jill", MINE, MINE)
    peer = Peer(address="192.0.2.1:5000", transport="tls", certificate=der)
    return chain.run(operation, body, peer=peer, **more)


@pytest.mark.parametrize("named", ["login", "uuid"])
def test_an_account_of_mahi_is_known_by_its_key(chain, jill, named):
    call(chain, der=certificate(jill[named], MINE, MINE))
    assert (chain.call.account.uuid, chain.call.account.approved) == (jill["uuid"], True)


def test_a_certificate_that_the_key_signed(chain, jill):
    call(chain, der=certificate("jill", OTHER, MINE, issuer=md5(MINE), purpose=True))
    assert chain.call.account.login == "jill"


def test_operators_are_known(chain, world, jill):
    world.mahi.set_attributes("jill", groups=["operators"])
    call(chain)
    assert chain.call.account.operator


@pytest.mark.parametrize(
    "der",
    [
        certificate("nobody", MINE, MINE),
        certificate("admin", MINE, MINE),
        certificate("jill", OTHER, OTHER),
        certificate("00000000-0000-4000-8000-000000000000", MINE, MINE),
        certificate("jill/nobody", MINE, MINE),
    ],
)
def test_strangers_are_refused(chain, der):
    with pytest.raises(Unauthorized):
        call(chain, der=der)


def ops(world, *, default):
    """Another account, whose key is OTHER, in the role of jill's administrators."""
    line = OTHER.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    world.mahi.create_account("ops", ssh_public_key=line)
    member = {"type": "account", "login": "ops", "default": default}
    return world.mahi.roles.create(world.mahi.require("jill"), {"name": "administrator", "members": [member]})


@pytest.mark.parametrize("subject", ["jill", "ops"])
def test_the_keys_of_default_administrators_open_the_account(chain, world, jill, subject):
    role = ops(world, default=True)
    call(chain, der=certificate(subject, OTHER, OTHER))
    assert chain.call.account.login == subject
    world.mahi.roles.delete(role)
    if subject == "jill":
        with pytest.raises(Unauthorized):
            call(chain, der=certificate(subject, OTHER, OTHER))


def test_an_administrator_by_request_alone_does_not(chain, world, jill):
    ops(world, default=False)
    with pytest.raises(Unauthorized):
        call(chain, der=certificate("jill", OTHER, OTHER))


def test_a_sub_user_who_is_a_default_administrator_comes_by_either_name(chain, world, jill):
    line = OTHER.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    world.mahi.users.create(jill, "robot", ssh_public_key=line)
    world.mahi.roles.create(jill, {"name": "administrator", "default_members": ["robot"]})
    for subject in ("jill", "jill/robot"):
        call(chain, der=certificate(subject, OTHER, OTHER))
        assert chain.call.account.login == "jill"
    with pytest.raises(Unauthorized):
        call(chain, der=certificate("jill/robot", MINE, MINE))


def test_a_removed_key_is_refused(chain, world):
    call(chain)
    world.mahi.remove_key("jill", "laptop")
    with pytest.raises(Unauthorized):
        call(chain)


def test_a_disabled_account_is_forbidden(chain, world):
    world.mahi.set_attributes("jill", disabled=True)
    with pytest.raises(Forbidden):
        call(chain)


@pytest.mark.parametrize(
    ("body", "package"),
    [
        ({}, "sample-1G"),
        ({"HostConfig": spec(Memory=100 << 20)}, "sample-128M"),
        ({"HostConfig": spec(Memory=3 << 30)}, "sample-4G"),
        ({"Labels": {"com.joyent.package": "sample-2G"}}, "sample-2G"),
    ],
)
def test_papi_answers_what_packages_ask(chain, body, package):
    call(chain, "container.create", body)
    assert chain.call.hints["package"]["name"] == package


def test_papi_answers_uuids_long_and_short(chain, world):
    uuid = world.package["uuid"]
    for label in (uuid, uuid[:8]):
        call(chain, "container.create", {"Labels": {"com.joyent.package": label}})
        assert chain.call.hints["package"]["uuid"] == uuid
    with pytest.raises(InvalidParameter, match="no packages match parameters"):
        call(chain, "container.create", {"Labels": {"com.joyent.package": "no-such"}})


def test_vmapi_answers_what_quota_asks(chain, world, jill):
    limits = [json.dumps({"value": 2}), json.dumps({"value": 1500, "by": "ram"})]
    world.mahi.set_attributes("jill", limits=[{"datacenter": "emb", "limit": limits}])

    def create(payload):
        call(chain, "container.create", {}, payload=payload)
        return world.create(**payload)

    payload = world.payload(owner_uuid=jill["uuid"])
    create(payload)
    with pytest.raises(QuotaExceeded) as raised:
        create(world.payload(owner_uuid=jill["uuid"]))
    assert raised.value.message.endswith("(memory: 1024 MiB used, limit 1500 MiB, asked 1024 MiB)")


def test_vmapi_takes_the_affinity_of_a_payload(chain, world, jill):
    def create(*env):
        call(chain, "container.create", {"Env": list(env)}, payload=world.payload(owner_uuid=jill["uuid"]))
        return world.http.post("/vms", json=chain.payload)

    assert create("affinity:container!=web*").status_code == 202
    refused = create("affinity:container==nosuch")
    assert refused.status_code == 409
    assert create("affinity:container==~nosuch").status_code == 202
