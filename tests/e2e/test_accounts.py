"""Who may do what: accounts apart, keys that stop working, limits whose sentence reaches the CLI."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_ssh_private_key

from gateway.local.instance import ROOT
from tests.e2e.conftest import Docker, wait_for
from tests.unit.middleware.certs import certificate

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def bob(running) -> Docker:
    return running.account("bob")


def test_two_accounts_do_not_see_each_other(docker, container, bob):
    ref = container("--name", "alices", "busybox", "sleep", "60")
    assert ref not in bob.ok("ps", "-aq", "--no-trunc")
    for args in (["inspect"], ["logs"], ["stop"], ["rm", "-f"], ["exec"]):
        more = ["true"] if args == ["exec"] else []
        done = bob(*args, ref, *more)
        assert b"o such" in done.stderr, (args, done.stderr)
    assert bob.ok("images", "-q") == ""
    assert docker.inspect("alices", "{{.State.Status}}") == "running"


def test_a_removed_key_stops_working(running):
    carol = running.account("carol")
    assert carol("ps").returncode == 0
    keys = running.http("mahi", "/accounts?login=carol")["account"]["keys"]
    for fingerprint in keys:
        running.http("mahi", f"/embedded/accounts/carol/keys/{fingerprint}", "DELETE")
    done = wait_for(lambda: (r := carol("ps")).returncode != 0 and r, seconds=20)
    assert b"Unauthorized" in done.stderr


def administrator(running, login):
    """Docker as the account ``login``, by a certificate of the account ops' own key; ops' containers are its own."""
    running.account("ops")
    key = load_ssh_private_key((running.instance.folder / "ops-key").read_bytes(), None)
    certs = running.instance.folder / f"ops-as-{login}"
    certs.mkdir(exist_ok=True)
    der = certificate(login, key, key)
    (certs / "cert.pem").write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    (certs / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    shutil.copy(running.instance.folder / "certs" / "ca.pem", certs)
    return Docker(running.instance.docker_url, certs)


def test_the_key_of_a_default_administrator_opens_the_account(running):
    hana, ops = running.account("hana"), administrator(running, "hana")
    assert b"Unauthorized" in ops("ps").stderr
    door = "/embedded/accounts/hana/roles"
    member = {"type": "account", "login": "ops", "default": True}
    running.http("mahi", door, "POST", {"name": "administrator", "members": [member]})
    wait_for(lambda: ops("ps").returncode == 0, seconds=20)
    tar = running.instance.folder / "hana.tar"
    subprocess.run(["sh", str(ROOT / "tools/busybox-image.sh"), str(tar)], check=True)
    hana.ok("import", str(tar), "hanas")
    wait_for(lambda: ops("images", "--format", "{{.Repository}}").stdout == b"hanas\n")  # as soon as all workers know
    running.http("mahi", f"{door}/administrator", "DELETE")
    done = wait_for(lambda: (r := ops("ps")).returncode != 0 and r, seconds=20)
    assert b"Unauthorized" in done.stderr


def test_a_disabled_account_is_forbidden(running):
    dora = running.account("dora")
    assert dora("ps").returncode == 0
    running.http("mahi", "/embedded/accounts/dora", "PUT", {"disabled": True})
    done = wait_for(lambda: (r := dora("ps")).returncode != 0 and r, seconds=20)
    assert b"Forbidden" in done.stderr


def test_an_unapproved_account_reads_but_does_not_provision(running):
    erin = running.account("erin", approved=False)
    assert erin("ps").returncode == 0
    done = erin("create", "busybox", "true")
    assert done.returncode != 0
    assert b"erin does not have permission to pull or provision" in done.stderr


def test_a_client_without_a_certificate_is_unauthorized(running):
    context = ssl.create_default_context(cafile=running.instance.folder / "certs" / "ca.pem")
    connection = http.client.HTTPSConnection("127.0.0.1", running.instance.docker_port, context=context)
    connection.request("GET", "/v1.41/containers/json")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (401, {"message": "Unauthorized"})
    connection.request("GET", "/_ping")
    assert connection.getresponse().read() == b"OK"
    connection.close()


def test_a_limit_says_so_at_the_client(running):
    frank = running.account("frank")
    tar = running.instance.folder / "frank.tar"
    subprocess.run(["sh", str(ROOT / "tools/busybox-image.sh"), str(tar)], check=True)
    frank.ok("import", str(tar), "busybox")
    limits = [{"datacenter": running.instance.datacenter, "limit": ['{"value": 1}']}]
    running.http("mahi", "/embedded/accounts/frank", "PUT", {"limits": limits})

    def refused():
        done = frank("create", "busybox", "true")
        return done if done.returncode else None

    done = wait_for(refused, seconds=30)
    assert b"Quota exceeded; to have your limits raised please contact Support" in done.stderr
    assert frank("rm", *frank.ok("ps", "-aq").split()).returncode == 0
