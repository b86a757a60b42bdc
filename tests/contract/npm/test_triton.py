"""CloudAPI as the `triton` command meets it: profiles, accounts, instances, and whatever else it lists."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from gevent import subprocess as green

pytestmark = pytest.mark.npm

LX_IMAGE = "2f538996-672a-11e9-b3f5-0b8a0e2ff8f5"


class Triton:
    """The triton command of one account, with a home of its own."""

    def __init__(self, home, modules, url, login, fingerprint) -> None:
        self._argv = ["node", str(modules / "triton/bin/triton")]
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("TRITON", "SDC", "SSH_AUTH"))},
            "HOME": str(home),
            "NODE_NO_WARNINGS": "1",
        }
        self.profile = {"name": "emb", "url": url, "account": login, "keyId": fingerprint, "insecure": True}

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Run, insist on exit code 0, and return what was printed."""
        done = green.run([*self._argv, *args], env=self.environ, input=stdin.encode(), capture_output=True, timeout=60)
        assert done.returncode == 0, f"triton {' '.join(args)}: {done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()

    def listed(self, *args: str) -> list:
        """What a list command tells as JSON, an object a line."""
        return [json.loads(line) for line in self(*args, "-j").splitlines()]


@pytest.fixture
def account(dc, tmp_path):
    key = tmp_path / ".ssh" / "id_rsa"
    key.parent.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", str(key)], check=True)
    return dc.mahi.create_account("jdoe", ssh_public_key=key.with_suffix(".pub").read_text(), key_name="laptop")


@pytest.fixture
def triton(account, doors, modules, tmp_path):
    triton = Triton(tmp_path, modules, doors.cloudapi, "jdoe", account["key_names"]["laptop"])
    (tmp_path / "profile.json").write_text(json.dumps(triton.profile))
    triton("profile", "create", "-f", str(tmp_path / "profile.json"), "--no-docker", "--yes")
    triton("profile", "set-current", "emb")
    return triton


@pytest.fixture
def image(dc):
    manifest = {"v": 2, "uuid": LX_IMAGE, "owner": dc.mahi.admin_uuid, "name": "ubuntu", "version": "22.04",
                "type": "lx-dataset", "os": "linux", "public": True, "published_at": "2020-01-01T00:00:00Z"}  # fmt: skip
    http = dc.imgapi.app.test_client()
    http.post(f"/images/{LX_IMAGE}?action=import&skip_owner_check=true", json=manifest)
    http.put(f"/images/{LX_IMAGE}/file?compression=none", data=b"abcd")
    assert http.post(f"/images/{LX_IMAGE}?action=activate").status_code == 200
    return "ubuntu@22.04"


def test_profile_account_and_keys(triton, account):
    assert [profile["name"] for profile in triton.listed("profiles")] == ["emb"]
    assert json.loads(triton("account", "get", "-j"))["id"] == account["uuid"]
    assert [key["name"] for key in triton.listed("keys")] == ["laptop"]
    assert "login: jdoe" in triton("info")


def test_what_there_is(triton, image, doors):
    assert {package["name"] for package in triton.listed("packages")} >= {"sample-1G"}
    assert [known["name"] for known in triton.listed("images")] == ["ubuntu"]
    assert {network["name"] for network in triton.listed("networks")} >= {"external", "My-Fabric-Network"}
    assert [vlan["vlan_id"] for vlan in triton.listed("vlan", "list")] == [2]
    assert triton.listed("volumes") == triton.listed("instances") == triton.listed("fwrules") == []
    assert json.loads(triton("datacenters", "-j")) == {"emb": doors.cloudapi}
    assert json.loads(triton("services", "-j")).keys() == {"cloudapi", "docker"}
    assert "users" in triton("rbac", "info")


def test_an_instance_from_create_to_delete(triton, image):
    triton("instance", "create", "-w", "-n", "web", "-t", "role=www", "-m", "color=red", image, "sample-1G")
    (listed,) = triton.listed("instances")
    shown = json.loads(triton("instance", "get", "web"))
    assert (shown["id"], shown["state"], shown["tags"]) == (listed["id"], "running", {"role": "www"})
    assert json.loads(triton("instance", "get", shown["id"][:8]))["name"] == "web"
    assert triton("ip", "web").strip() == shown["primaryIp"]
    for verb, state in (("stop", "stopped"), ("start", "running"), ("reboot", "running")):
        triton("instance", verb, "-w", "web")
        assert json.loads(triton("instance", "get", "web"))["state"] == state
    triton("instance", "rename", "-w", "web", "shop")
    triton("instance", "resize", "-w", "shop", "sample-512M")
    assert json.loads(triton("instance", "get", "shop"))["package"] == "sample-512M"
    triton("instance", "tag", "set", "-w", "shop", "team=a")
    assert json.loads(triton("instance", "tag", "list", "shop", "-j")) == {"role": "www", "team": "a"}
    done = {entry["action"] for entry in triton.listed("instance", "audit", "shop")}
    assert done >= {"provision", "stop", "start", "reboot", "rename", "resize"}
    triton("instance", "delete", "-f", "-w", "shop")
    assert triton.listed("instances") == []


def test_firewall_rules(triton, image):
    triton("instance", "create", "-w", "-n", "web", image, "sample-1G")
    machine = triton.listed("instances")[0]["id"]
    triton("fwrule", "create", "-D", "http", f"FROM any TO vm {machine} ALLOW tcp PORT 80")
    (rule,) = triton.listed("fwrules")
    assert (rule["enabled"], rule["description"]) == (True, "http")
    triton("fwrule", "disable", rule["id"])
    assert json.loads(triton("fwrule", "get", rule["id"]))["enabled"] is False
    assert [found["id"] for found in triton.listed("instance", "fwrule", "list", "web")] == [rule["id"]]
    assert [found["id"] for found in triton.listed("fwrule", "instances", rule["id"])] == [machine]
    triton("fwrule", "delete", "-f", rule["id"])
    assert triton.listed("fwrules") == []


def test_nics_of_an_instance(triton, image):
    triton("instance", "create", "-w", "-n", "web", image, "sample-1G")
    (first,) = triton.listed("instance", "nic", "list", "web")
    triton("instance", "nic", "create", "-w", "web", "external")
    nics = triton.listed("instance", "nic", "list", "web")
    (added,) = [nic for nic in nics if nic["mac"] != first["mac"]]
    assert json.loads(triton("instance", "nic", "get", "web", added["mac"]))["state"] == "running"
    triton("instance", "nic", "delete", "-f", "web", added["mac"])


def test_snapshots_of_an_instance(triton, image):
    triton("instance", "create", "-w", "-n", "web", image, "sample-1G")
    triton("instance", "snapshot", "create", "-w", "-n", "one", "web")
    assert json.loads(triton("instance", "snapshot", "get", "web", "one"))["state"] == "created"
    triton("instance", "stop", "-w", "web")
    triton("instance", "start", "-w", "--snapshot=one", "web")
    assert [snapshot["name"] for snapshot in triton.listed("instance", "snapshot", "list", "web")] == ["one"]
    triton("instance", "snapshot", "delete", "-f", "-w", "web", "one")
    assert triton.listed("instance", "snapshot", "list", "web") == []


def test_volumes(triton, dc):
    dc.volapi.set_up()
    assert triton.listed("volume", "sizes")[0] == {"type": "tritonnfs", "size": 10240}
    triton("volume", "create", "-w", "-n", "data", "-s", "20G")
    (volume,) = triton.listed("volume", "list")
    assert (volume["name"], volume["size"], volume["state"]) == ("data", 20480, "ready")
    for name in ("data", volume["id"], volume["id"][:8]):
        assert json.loads(triton("volume", "get", name))["filesystem_path"] == volume["filesystem_path"]
    assert triton.listed("instances") == []
    triton("volume", "rm", "-w", "-y", "data")
    assert triton.listed("volume", "list") == []
