"""`triton` on everything an account has besides its instances' lives: keys, networks, metadata, the feed."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import gevent
import pytest
from gevent import subprocess as green

from tests.contract.npm.test_triton import account, image, triton  # noqa: F401 - fixtures

pytestmark = pytest.mark.npm


def test_account_keys_and_environment(triton, doors, tmp_path):  # noqa: F811
    triton("account", "update", "firstName=Jane", "lastName=Doe", "triton_cns_enabled=true")
    shown = json.loads(triton("account", "get", "-j"))
    assert (shown["firstName"], shown["lastName"], shown["triton_cns_enabled"]) == ("Jane", "Doe", True)
    key = tmp_path / "second"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    triton("key", "add", "-n", "second", str(key.with_suffix(".pub")))
    assert json.loads(triton("key", "get", "-j", "second"))["name"] == "second"
    triton("key", "delete", "-y", "second")
    assert [found["name"] for found in triton.listed("keys")] == ["laptop"]
    environment = triton("env", "emb")
    assert f'export SDC_URL="{doors.cloudapi}"' in environment
    assert 'export SDC_ACCOUNT="jdoe"' in environment


def test_single_packages_images_and_networks(triton, image):  # noqa: F811
    assert json.loads(triton("package", "get", "sample-1G"))["memory"] == 1024
    assert json.loads(triton("image", "get", image))["name"] == "ubuntu"
    network = json.loads(triton("network", "get", "My-Fabric-Network"))
    assert (network["fabric"], network["vlan_id"]) == (True, 2)
    free, path = network["provision_end_ip"], ("network", "ip")
    triton(*path, "update", network["id"], free, "reserved=true")
    assert json.loads(triton(*path, "get", network["id"], free))["reserved"] is True
    assert free in [ip["ip"] for ip in triton.listed(*path, "list", network["id"])]


def test_a_fabric_of_ones_own(triton):  # noqa: F811
    triton("vlan", "create", "-n", "dmz", "-D", "outside", "73")
    assert json.loads(triton("vlan", "get", "73"))["description"] == "outside"
    made = ("-n", "front", "-s", "192.168.73.0/24", "-S", "192.168.73.5", "-E", "192.168.73.200", "-g", "192.168.73.1")
    triton("network", "create", *made, "73")
    assert [network["name"] for network in triton.listed("vlan", "networks", "73")] == ["front"]
    assert json.loads(triton("network", "get", "front"))["gateway"] == "192.168.73.1"
    triton("network", "set-default", "front")
    assert json.loads(triton("network", "get-default"))["name"] == "front"
    triton("network", "delete", "front")
    triton("vlan", "delete", "73")
    assert [vlan["vlan_id"] for vlan in triton.listed("vlan", "list")] == [2]


def test_what_is_said_of_and_done_to_an_instance(triton, image):  # noqa: F811
    triton("instance", "create", "-w", "-n", "web", image, "sample-1G")
    triton("instance", "metadata", "set", "-w", "web", "color=red", "size=3")
    assert json.loads(triton("instance", "metadata", "get", "-j", "web", "color")) == "red"
    triton("instance", "metadata", "delete", "-f", "-w", "web", "color")
    assert json.loads(triton("instance", "metadata", "list", "-j", "web")) == {"size": 3}
    triton("instance", "metadata", "delete", "-f", "-w", "-a", "web")
    assert json.loads(triton("instance", "metadata", "list", "-j", "web")) == {}
    triton("instance", "enable-firewall", "-w", "web")
    triton("instance", "enable-deletion-protection", "-w", "web")
    shown = json.loads(triton("instance", "get", "web"))
    assert (shown["firewall_enabled"], shown["deletion_protection"]) == (True, True)
    refused = green.run([*triton._argv, "instance", "delete", "-f", "web"], env=triton.environ, capture_output=True)
    assert b"deletion_protection" in refused.stderr
    triton("instance", "disable-deletion-protection", "-w", "web")
    assert [found["name"] for found in triton.listed("instances", "tag.role=www")] == []
    assert [found["name"] for found in triton.listed("instances", "name=web", "state=running")] == ["web"]
    assert triton.listed("instance", "migration", "list") == triton.listed("instance", "disk", "list", "web") == []
    refused = green.run([*triton._argv, "image", "create", "web", "mine", "1"], env=triton.environ, capture_output=True)
    assert b"this data center does not make images of instances" in refused.stderr


def test_the_feed_tells_of_a_change(triton, dc, account, image):  # noqa: F811
    triton("instance", "create", "-w", "-n", "web", image, "sample-1G")
    argv = [*triton._argv, "changefeed", "-j"]
    feed = green.Popen(argv, env=triton.environ, stdout=green.PIPE, stderr=green.PIPE)
    try:
        for _ in range(1000):
            if dc.vmapi.changefeed.listeners():
                break
            gevent.sleep(0.01)
        triton("instance", "tag", "set", "web", "team=a")
        told = json.loads(feed.stdout.readline())
        assert told["changeKind"]["subResources"] == ["tags"]
        assert told["resourceObject"]["tags"] == {"team": "a"}
    finally:
        os.kill(feed.pid, signal.SIGKILL)
        feed.wait()
        feed.stdout.close()
        feed.stderr.close()
