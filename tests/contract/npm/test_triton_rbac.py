"""`triton rbac`, and `triton` as a sub-user: users, keys, policies, roles and role tags."""

from __future__ import annotations

import json
import subprocess

import pytest
from gevent import subprocess as green

from tests.contract.npm.test_triton import account, image, triton  # noqa: F401 - fixtures

pytestmark = pytest.mark.npm

USER = {"login": "alice", "email": "alice@example.com", "password": "secret123", "firstName": "Alice"}


@pytest.fixture
def alice(triton, tmp_path):  # noqa: F811
    """A sub-user who was made with triton, and has a key; the fingerprint of it."""
    key = tmp_path / ".ssh" / "alice"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", str(key)], check=True)
    triton("rbac", "user", "-a", "-", stdin=json.dumps(USER))
    triton("rbac", "key", "-a", "-n", "desk", "alice", str(key.with_suffix(".pub")))
    (shown,) = triton.listed("rbac", "keys", "alice")
    assert shown["name"] == "desk"
    return shown["fingerprint"]


def add(triton, kind, **fields):  # noqa: F811
    triton("rbac", kind, "-a", "-", stdin=json.dumps(fields))


def test_users_policies_and_roles(triton, alice):  # noqa: F811
    add(triton, "policy", name="look", rules=["CAN listmachines *"], description="reading")
    members = [{"type": "subuser", "login": "alice", "default": True}]
    add(triton, "role", name="dev", members=members, policies=[{"name": "look"}])
    (user,) = triton.listed("rbac", "users")
    assert (user["login"], user["firstName"]) == ("alice", "Alice")
    shown = json.loads(triton("rbac", "user", "-r", "-k", "-j", "alice"))
    assert (shown["roles"], shown["default_roles"], shown["keys"][0]["name"]) == (["dev"], ["dev"], "desk")
    assert [policy["rules"] for policy in triton.listed("rbac", "policies")] == [["CAN listmachines *"]]
    (role,) = triton.listed("rbac", "roles")
    assert (role["name"], role["policies"], role["members"][0]["login"]) == ("dev", [{"id": role["policies"][0]["id"], "name": "look"}], "alice")  # fmt: skip
    assert "alice" in triton("rbac", "info")
    for kind, name in (("role", "dev"), ("policy", "look"), ("user", "alice")):
        triton("rbac", kind, "-d", "-y", name)
    assert triton.listed("rbac", "users") == triton.listed("rbac", "roles") == triton.listed("rbac", "policies") == []


def test_a_sub_user_does_what_its_role_allows(triton, alice, image):  # noqa: F811
    add(triton, "policy", name="look", rules=["CAN listimages *", "CAN listpackages"])
    members = [{"type": "subuser", "login": "alice", "default": True}]
    add(triton, "role", name="dev", members=members, policies=[{"name": "look"}])
    who = ("-u", "alice", "-k", alice)
    assert [found["name"] for found in triton.listed(*who, "images")] == ["ubuntu"]

    def refused(*args):
        done = green.run([*triton._argv, *who, *args], env=triton.environ, capture_output=True, timeout=60)
        assert done.returncode != 0
        return done.stderr.decode()

    assert "NotAuthorized" in refused("packages")
    assert triton("rbac", "role-tags", "-s", "dev", "/jdoe/packages", "-y")
    assert "sample-1G" in triton(*who, "packages")
    assert json.loads(triton("rbac", "role-tags", "-j", "/jdoe/packages")) == ["dev"]
    triton("rbac", "role-tags", "-D", "-y", "/jdoe/packages")
    assert "NotAuthorized" in refused("packages")
    assert "NotAuthorized" in refused("account", "get")
