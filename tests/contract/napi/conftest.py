"""NAPI over HTTP, and what several of its tests need."""

from __future__ import annotations

import pytest

OWNER = "5d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11"
BASE = f"/fabrics/{OWNER}/vlans"


@pytest.fixture
def http(dc):
    return dc.napi.app.test_client()


@pytest.fixture
def external(dc):
    return dc.napi.networks(name="external")[0]


@pytest.fixture
def errors():
    """Read field and code of each error of a 422."""

    def read(answer):
        assert (answer.status_code, answer.json["code"]) == (422, "InvalidParameters"), answer.json
        return [(error["field"], error["code"]) for error in answer.json["errors"]]

    return read


@pytest.fixture
def fabric_network(http):
    """Ask for a network on VLAN 2 of OWNER's fabric; fields given as None are left out."""

    def create(**fields):
        if http.get(f"{BASE}/2").status_code == 404:
            assert http.post(BASE, json={"vlan_id": 2, "name": "default"}).status_code == 200
        body = {
            "name": "default",
            "subnet": "192.168.128.0/22",
            "provision_start_ip": "192.168.128.5",
            "provision_end_ip": "192.168.131.250",
            "gateway": "192.168.128.1",
            "resolvers": ["8.8.8.8", "8.8.4.4"],
            "internet_nat": False,
            **fields,
        }
        given = {name: value for name, value in body.items() if value is not None}
        return http.post(f"{BASE}/2/networks", json=given)

    return create
