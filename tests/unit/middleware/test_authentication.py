"""Who a call is made for: certificates, sockets, cache ages, and what refused clients learn."""

from __future__ import annotations

import base64
import os
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.call import Peer
from gateway.errors import DockerError, ServiceUnavailable, Unauthorized, Unavailable
from middleware import authentication
from middleware.authentication import Authentication
from middleware.testing import pipeline
from tests.unit.middleware.certs import DAY, account, certificate, key, md5, sha256

EXPIRED = "Client certificate expired"
BAD_ISSUER = "Client certificate is not self-signed, and the issuer DN could not be parsed"
MINE, OTHER, FRESH_KEY = key("rsa", 1), key("rsa", 2), key("ecdsa", 9)


def chain(*accounts, **options):
    made = pipeline(Authentication, **options)
    made.account = None
    made.center.accounts += accounts
    return made


def tls(der):
    return Peer(address="192.0.2.1:5000", transport="tls", certificate=der)


def told(made, peer, operation="container.list"):
    """What the client is told: a status and a sentence."""
    with pytest.raises(DockerError) as raised:
        made.run(operation, peer=peer)
    return raised.value.status, raised.value.message


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_a_self_signed_certificate_of_the_accounts_key(kind):
    mine = key(kind)
    made = chain(account("jill", mine))
    made.run("container.list", peer=tls(certificate("jill", mine, mine)))
    assert made.call.account.login == "jill"
    assert made.call.principal == f"MD5:{md5(mine)}"


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_a_certificate_of_another_key_signed_by_the_accounts_key(kind):
    mine = key(kind)
    made = chain(account("jill", mine))
    der = certificate("jill", FRESH_KEY, mine, issuer=md5(mine), purpose=True)
    made.run("container.list", peer=tls(der))
    assert made.call.account.login == "jill"


def _plain(digest):
    return digest.replace(":", "")


@pytest.mark.parametrize(
    "issuer",
    [
        md5(MINE),
        _plain(md5(MINE)),
        f"MD5:{md5(MINE)}",
        f"md5:{md5(MINE).upper()}",
        f"MD5:{_plain(md5(MINE))}",
        "MD5:" + base64.b64encode(bytes.fromhex(_plain(md5(MINE)))).decode(),
        f"SHA256:{sha256(MINE)}",
        f"SHA256:{sha256(MINE)}=",
    ],
)
def test_forms_of_the_issuing_keys_fingerprint(issuer):
    made = chain(account("jill", MINE, OTHER))
    made.run("container.list", peer=tls(certificate("jill", FRESH_KEY, MINE, issuer=issuer, purpose=True)))
    assert made.call.account.login == "jill"


def test_an_account_may_be_named_by_its_uuid():
    mine = account("jill", MINE)
    made = chain(mine)
    made.run("container.list", peer=tls(certificate(mine["uuid"], MINE, MINE)))
    assert made.call.account.uuid == mine["uuid"]


def test_the_old_scripts_certificates_of_x509_version_1(tmp_path):
    for command in (
        "openssl req -new -newkey rsa:2048 -nodes -keyout key.pem -subj /CN=jill -out csr.pem",
        "openssl x509 -req -days 365 -in csr.pem -signkey key.pem -out cert.pem",
    ):
        subprocess.run(command, shell=True, check=True, cwd=tmp_path, capture_output=True)
    certificate = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes())
    assert certificate.version is x509.Version.v1
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    made = chain(account("jill", load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)))
    made.run("container.list", peer=tls(certificate.public_bytes(Encoding.DER)))
    assert made.call.account.login == "jill"


@pytest.mark.parametrize(
    ("der", "message"),
    [
        pytest.param(None, "Unauthorized", id="no certificate"),
        pytest.param(b"garbage", "Unauthorized", id="not a certificate"),
        pytest.param(certificate("", MINE, MINE), "Unauthorized", id="no CN"),
        pytest.param(certificate("jack", MINE, MINE), "Unauthorized", id="no such account"),
        pytest.param(certificate("tom", MINE, MINE), "Unauthorized", id="somebody else's name"),
        pytest.param(certificate("jill", OTHER, OTHER), "Unauthorized", id="unknown key"),
        pytest.param(certificate("jill", MINE, OTHER), "Unauthorized", id="known key, signed by another"),
        pytest.param(certificate("jill", FRESH_KEY, MINE, issuer=md5(MINE)), "Unauthorized", id="signed, no purpose"),
        pytest.param(certificate("jill", MINE, MINE, ends=-DAY / 2), EXPIRED, id="old style, expired"),
        pytest.param(certificate("jill", MINE, MINE, purpose=True, ends=-DAY / 2), EXPIRED, id="new style, expired"),
        pytest.param(certificate("jill", MINE, MINE, starts=DAY / 2), "Unauthorized", id="not valid yet"),
        pytest.param(
            certificate("jill", FRESH_KEY, MINE, issuer="Some CA", purpose=True), BAD_ISSUER, id="a CA as issuer"
        ),
        pytest.param(certificate("jill", FRESH_KEY, MINE, issuer="", purpose=True), BAD_ISSUER, id="no issuer CN"),
        pytest.param(
            certificate("jill", FRESH_KEY, MINE, issuer=f"SHA1:{md5(MINE)}", purpose=True), BAD_ISSUER, id="SHA1 form"
        ),
        pytest.param(
            certificate("jill", FRESH_KEY, MINE, issuer=f"SHA256:{md5(MINE)}", purpose=True),
            BAD_ISSUER,
            id="wrong size",
        ),
        pytest.param(
            certificate("jill", FRESH_KEY, OTHER, issuer=md5(MINE), purpose=True), "Unauthorized", id="forged issuer"
        ),
        pytest.param(
            certificate("jill", FRESH_KEY, OTHER, issuer=md5(OTHER), purpose=True), "Unauthorized", id="unknown issuer"
        ),
        pytest.param(
            certificate("jill", FRESH_KEY, key("ed25519"), issuer=md5(MINE), purpose=True),
            "Unauthorized",
            id="signed by a key of another kind",
        ),
        pytest.param(certificate("jill/robot", MINE, MINE), "Unauthorized", id="no such sub-user"),
    ],
)
def test_refused_certificates(der, message):
    made = chain(account("jill", MINE), account("tom", OTHER))
    assert told(made, tls(der)) == (401, message)
    assert made.call.account is None


def test_the_true_reason_is_kept_for_the_log():
    with pytest.raises(Unauthorized) as raised:
        chain().run("container.list", peer=tls(certificate("jill", MINE, MINE)))
    assert str(raised.value.__cause__) == "no account 'jill'"


def test_dates_of_old_certificates_may_be_left_unchecked():
    made = chain(account("jill", MINE), enforce_dates=False)
    made.run("container.list", peer=tls(certificate("jill", MINE, MINE, ends=-DAY / 2)))
    expired = certificate("jill", MINE, MINE, ends=-DAY / 2, purpose=True)
    assert told(made, tls(expired)) == (401, EXPIRED)


def test_dates_are_checked_on_every_call(monkeypatch):
    made = chain(account("jill", MINE))
    peer = tls(certificate("jill", MINE, MINE))
    made.run("container.list", peer=peer)

    class Tomorrow(authentication.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + 2 * DAY

    monkeypatch.setattr(authentication, "datetime", Tomorrow)
    assert told(made, peer) == (401, EXPIRED)


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(authentication, "time", clock)
    return clock


def asked(made):
    return [name for name, *_ in made.center.asked]


def test_accounts_are_cached_for_seconds_only(clock):
    made = chain(account("jill", MINE))
    peer = tls(certificate("jill", MINE, MINE))
    for clock.now in (1000.0, 1005.0, 1009.9, 1010.1):
        made.run("container.list", peer=peer)
    assert asked(made) == ["mahi.get_account"] * 2


def test_a_removed_key_stops_working(clock):
    jill = account("jill", MINE)
    made = chain(jill)
    peer = tls(certificate("jill", MINE, MINE))
    made.run("container.list", peer=peer)
    jill["keys"] = {}
    clock.now += 10.1
    assert told(made, peer) == (401, "Unauthorized")


def test_a_new_key_works_at_once(clock):
    jill = account("jill", OTHER)
    made = chain(jill)
    made.run("container.list", peer=tls(certificate("jill", OTHER, OTHER)))
    jill["keys"] = account("jill", MINE)["keys"]
    clock.now += 2
    made.run("container.list", peer=tls(certificate("jill", MINE, MINE)))
    assert made.call.account.login == "jill"


def test_bad_keys_do_not_make_the_gateway_ask_without_end(clock):
    made = chain(account("jill", MINE))
    for _ in range(5):
        assert told(made, tls(certificate("jill", OTHER, OTHER))) == (401, "Unauthorized")
    assert asked(made) == ["mahi.get_account", "mahi.get_role"]


def test_a_disabled_account_is_refused_within_the_caches_age(clock):
    jill = account("jill", MINE)
    made = chain(jill)
    peer = tls(certificate("jill", MINE, MINE))
    made.run("container.list", peer=peer)
    jill["disabled"] = "true"
    clock.now += 10.1
    assert told(made, peer) == (403, "Forbidden")


def test_without_mahi_nobody_is_refused_for_good():
    made = chain(account("jill", MINE))
    made.center.broken["mahi"] = ServiceUnavailable("mahi", 503, "ServiceUnavailable", "10.0.0.9:80 refused")
    with pytest.raises(Unavailable, match="accounts cannot be looked up at the moment"):
        made.run("container.list", peer=tls(certificate("jill", MINE, MINE)))


@pytest.mark.parametrize("flag", [True, "true"])
def test_disabled_accounts(flag):
    made = chain(account("jill", MINE, disabled=flag), refusal="see the status page")
    assert told(made, tls(certificate("jill", MINE, MINE))) == (403, "Forbidden (see the status page)")
    assert made.call.account is None


@pytest.mark.parametrize(
    ("allowed", "status"), [(None, 403), ([], 403), (["elsewhere"], 403), (["x", "test-1"], 200), ("test-1", 200)]
)
def test_allowed_data_centers(allowed, status):
    made = chain(account("jill", MINE, allowed_dcs=allowed), allowed_dcs=True)
    peer = tls(certificate("jill", MINE, MINE))
    if status == 200:
        assert made.run("container.list", peer=peer).status == 200
    else:
        assert told(made, peer) == (403, "Forbidden")


@pytest.mark.parametrize("approved", [False, "false", None])
@pytest.mark.parametrize("operation", ["container.create", "image.create", "image.build"])
def test_only_approved_accounts_may_provision(approved, operation):
    made = chain(account("jill", MINE, approved_for_provisioning=approved))
    peer = tls(certificate("jill", MINE, MINE))
    assert told(made, peer, operation) == (403, "jill does not have permission to pull or provision")
    assert made.run("container.list", peer=peer).status == 200
    assert made.call.account.approved is False


def test_what_the_account_brings_along():
    limits = [{"datacenter": "test-1", "limit": '{"value": 2}'}]
    made = chain(account("jill", MINE, groups=["operators"], tenant="small", triton_cns_enabled="true", limits=limits))
    made.run("container.list", peer=tls(certificate("jill", MINE, MINE)))
    found = made.call.account
    assert (found.operator, found.tenant, found.cns_enabled, found.approved) == (True, "small", True, True)
    assert list(found.limits) == limits


def subuser(*, role):
    jill = account("jill", OTHER)
    roles = {"r1": {"uuid": "r1", "name": role}}
    robot = {
        "uuid": "u1", "account": jill["uuid"], "login": "robot", "keys": account("x", MINE)["keys"],
        "defaultRoles": ["r1"], "role_objects": roles,
    }  # fmt: skip
    made = chain(jill)
    made.center.users.append(robot)
    return made


def test_administrators_of_an_account_act_as_the_account():
    made = subuser(role="administrator")
    made.run("container.list", peer=tls(certificate("jill/robot", MINE, MINE)))
    assert made.call.account.login == "jill"
    assert told(made, tls(certificate("jill/robot", OTHER, OTHER))) == (401, "Unauthorized")


def test_other_sub_users_are_refused():
    made = subuser(role="reader")
    assert told(made, tls(certificate("jill/robot", MINE, MINE))) == (401, "Unauthorized")


def administered(*, default=True, role="administrator", **more):
    """Jill's account, with Tom's account as a member of one of its roles."""
    jill = account("jill", OTHER)
    tom = account("tom", MINE, roles=["r1"], defaultRoles=["r1"] if default else [], **more)
    made = chain(jill, tom)
    made.center.roles.append({"uuid": "r1", "account": jill["uuid"], "name": role, "members": {tom["uuid"]: tom}})
    return made


def test_keys_of_default_administrators_open_the_account():
    made = administered()
    made.run("container.list", peer=tls(certificate("jill", MINE, MINE)))
    assert made.call.account.login == "jill"
    made.run("container.list", peer=tls(certificate("jill", OTHER, OTHER)))
    assert told(made, tls(certificate("jill", FRESH_KEY, FRESH_KEY))) == (401, "Unauthorized")


@pytest.mark.parametrize("other", [{"default": False}, {"role": "reader"}, {"disabled": "true"}])
def test_keys_of_other_members_do_not(other):
    assert told(administered(**other), tls(certificate("jill", MINE, MINE))) == (401, "Unauthorized")


def test_an_administrator_who_is_no_more_is_out_within_the_caches_age(clock):
    made = administered()
    peer = tls(certificate("jill", MINE, MINE))
    made.run("container.list", peer=peer)
    made.center.roles.clear()
    clock.now += 10.1
    assert told(made, peer) == (401, "Unauthorized")


def test_administrators_that_the_operator_names():
    made = chain(account("jill", OTHER), account("tom", MINE), administrators={"jill": ["nobody", "tom"]})
    made.run("container.list", peer=tls(certificate("jill", MINE, MINE)))
    assert made.call.account.login == "jill"
    assert told(made, tls(certificate("tom", OTHER, OTHER))) == (401, "Unauthorized")


def test_a_disabled_administrator_is_none():
    made = chain(account("jill", OTHER), account("tom", MINE, disabled=True), administrators={"jill": ["tom"]})
    assert told(made, tls(certificate("jill", MINE, MINE))) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("uid", "options", "answer"),
    [
        (0, {"socket_account": "jill"}, "unix:uid=0"),
        (os.getuid(), {"socket_account": "jill"}, f"unix:uid={os.getuid()}"),
        (4242, {"socket_account": "jill", "socket_uids": [4242]}, "unix:uid=4242"),
        (4242, {"socket_account": "jill"}, 401),
        (None, {"socket_account": "jill"}, 401),
        (0, {}, 401),
        (0, {"socket_account": "nobody"}, 401),
    ],
)
def test_unix_sockets_are_bound_to_one_account(uid, options, answer):
    made = chain(account("jill"), **options)
    peer = Peer(address="/run/docker.sock", transport="unix", uid=uid)
    if answer == 401:
        assert told(made, peer) == (401, "Unauthorized")
    else:
        made.run("container.list", peer=peer)
        assert (made.call.account.login, made.call.principal) == ("jill", answer)


def test_a_disabled_account_is_refused_on_sockets_too():
    made = chain(account("jill", disabled=True), socket_account="jill")
    assert told(made, Peer(address="/s", transport="unix", uid=0)) == (403, "Forbidden")


def test_plain_tcp_is_refused_unless_told_otherwise():
    peer = Peer(address="192.0.2.1:5000", transport="tcp")
    assert told(chain(account("jill")), peer) == (401, "Unauthorized")
    made = chain(account("jill"), tcp_account="jill")
    made.run("container.list", peer=peer)
    assert made.call.account.login == "jill"


def test_a_signature_is_verified_once_while_the_key_stays_the_same(monkeypatch):
    made = chain(account("jill", MINE))
    peer = tls(certificate("jill", MINE, MINE))
    made.run("container.list", peer=peer)
    monkeypatch.setattr(authentication.Claim, "check_signature", lambda *_: pytest.fail("verified again"))
    made.run("container.list", peer=peer)
    assert made.call.account.login == "jill"
