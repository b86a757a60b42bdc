"""NAPI's change feed over real WebSockets: what comes, goes and changes in networks, nics and aggregations."""

from __future__ import annotations

import pytest
from wsproto.events import CloseConnection

from datacenter.services.serving import Server
from tests.contract.napi.conftest import OWNER
from tests.contract.vmapi.test_changefeed import Client

SERVER = "44454c4c-5300-1057-804e-b5c04f445a31"
NETWORK = ["create", "delete", "gateway", "resolvers", "routes"]
AGGREGATION = ["create", "delete", "lacp_mode"]


@pytest.fixture
def feed(dc):
    server = Server(0, dc.napi.app, dc.napi.upgrade)
    server.start()
    yield Client(server.server_port, "~2")
    server.stop(timeout=0)


def listen(feed, **kinds):
    """Register for sub-resources of resources, in version 2; gives the routes to begin with."""
    resources = [{"resource": name, "subResources": parts} for name, parts in kinds.items()]
    feed.say(instance="one", service="test", resources=resources)
    return feed.hear()["bootstrapRoutes"]


def told(feed):
    item = feed.hear()
    assert item["published"].isdecimal()
    kind = item["changeKind"]
    return kind["resource"], kind["subResources"], item["changedResourceId"], item["resourceObject"]


def test_description(http):
    described = http.get("/changefeeds").json
    assert {name: resource["bootstrapRoute"] for name, resource in described.items()} == {
        "aggregation": "/aggregations",
        "network": "/networks",
        "nic": "/nics",
    }
    assert described["aggregation"]["subResources"] == AGGREGATION
    assert described["network"] == {"resource": "network", "subResources": NETWORK, "bootstrapRoute": "/networks"}
    assert described["nic"]["subResources"][-1] == "primary"


def test_nics_and_their_bundles(http, feed):
    nic = ["create", "delete", "allow_ip_spoofing", "primary"]
    assert listen(feed, nic=nic, aggregation=AGGREGATION) == ["/nics", "/aggregations"]
    assert http.get("/changefeeds/stats").json == {
        "listeners": 1,
        "registrations": [{"instance": "one", "service": "test"}],
    }
    body = {"belongs_to_uuid": SERVER, "belongs_to_type": "server", "owner_uuid": OWNER}
    made = http.post("/nics", json=body).json
    assert told(feed) == ("nic", ["create"], made["mac"], made)
    http.put(f"/nics/{made['mac']}", json={"state": "running"})
    changed = http.put(f"/nics/{made['mac']}", json={"allow_ip_spoofing": True, "primary": True}).json
    assert told(feed) == ("nic", ["allow_ip_spoofing", "primary"], made["mac"], changed), "states are not told"
    bundle = http.post("/aggregations", json={"name": "aggr0", "macs": [made["mac"]]}).json
    assert told(feed) == ("aggregation", ["create"], bundle["id"], bundle)
    bundle = http.put(f"/aggregations/{bundle['id']}", json={"lacp_mode": "active"}).json
    assert told(feed) == ("aggregation", ["lacp_mode"], bundle["id"], bundle)
    http.delete(f"/aggregations/{bundle['id']}")
    assert told(feed) == ("aggregation", ["delete"], bundle["id"], bundle)
    http.delete(f"/nics/{made['mac']}")
    assert told(feed) == ("nic", ["delete"], made["mac"], changed), "as it was"


def test_networks(http, feed):
    assert listen(feed, network=NETWORK) == ["/networks"]
    body = {"name": "dmz", "nic_tag": "external", "vlan_id": 3, "subnet": "172.30.0.0/24"}
    made = http.post(
        "/networks", json={**body, "provision_start_ip": "172.30.0.10", "provision_end_ip": "172.30.0.20"}
    ).json
    assert told(feed) == ("network", ["create"], made["uuid"], made)
    http.put(f"/networks/{made['uuid']}", json={"description": "nobody acts on that"})
    changed = http.put(f"/networks/{made['uuid']}", json={"gateway": "172.30.0.1", "resolvers": ["8.8.8.8"]}).json
    assert told(feed) == ("network", ["gateway", "resolvers"], made["uuid"], changed)
    http.delete(f"/networks/{made['uuid']}")
    assert told(feed)[:3] == ("network", ["delete"], made["uuid"])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ({"resource": "vm", "subResources": ["state"]}, "unknown resource; there is: aggregation, network, nic"),
        ({"resource": "nic", "subResources": ["gateway"]}, "unknown subResources; there are: create, delete"),
        ({"resource": [], "subResources": ["gateway"]}, "unknown resource"),
    ],
)
def test_wrong_registrations(feed, kind, reason):
    feed.say(instance="one", service="test", resources=[kind])
    event = feed.receive()
    assert isinstance(event, CloseConnection)
    assert event.reason.startswith(reason)
