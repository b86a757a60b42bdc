"""URLs that carry their own signature."""

from __future__ import annotations

import time
from urllib.parse import quote, urlencode

import pytest

from tests.contract.cloudapi.caller import RSA, Caller, SubCaller, sign


@pytest.fixture
def jdoe(dc):
    return Caller(dc)


def url(caller, path="/jdoe/machines", methods="GET", *, algorithm=RSA, **query):
    """A signed URL; ``query`` replaces and adds parameters before it is signed."""
    given = {"algorithm": algorithm, "expires": str(int(time.time()) + 60), "keyId": caller.key_id, **query}
    pairs = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(given.items()))
    text = f"{methods}\nlocalhost\n{path}\n{pairs}"
    return f"{path}?{urlencode({**given, 'signature': sign(algorithm, text)}, quote_via=quote)}"


def refusal(answer):
    return answer.status_code, answer.json["code"], answer.json["message"]


def test_a_signed_url_needs_no_header(jdoe):
    assert jdoe.http.get(url(jdoe)).json == []
    assert jdoe.http.get(url(jdoe, name="a b*", state="running")).json == []
    assert jdoe.http.get(url(jdoe, "/my/keys")).status_code == 200
    signed = url(jdoe, "/jdoe", "GET,POST", method="POST, GET")
    assert jdoe.http.post(signed, json={"phone": "1"}).json["phone"] == jdoe.http.get(signed).json["phone"] == "1"


@pytest.mark.parametrize("algorithm", ["ecdsa-sha256", "ed25519-sha512"])
def test_keys_of_every_kind_sign_urls(dc, algorithm):
    caller = Caller(dc, "kim", algorithm)
    assert caller.http.get(url(caller, "/kim", algorithm=algorithm)).json["login"] == "kim"


def test_sub_users_sign_urls_too(dc, jdoe):
    alice = SubCaller(dc, "jdoe", "alice", RSA)
    assert alice.http.get(url(alice)).status_code == 403
    dc.mahi.roles.create(dc.mahi.require("jdoe"), {"name": "administrator", "default_members": ["alice"]})
    assert alice.http.get(url(alice)).status_code == 200


def test_what_was_not_signed_does_not_count(dc, jdoe):
    Caller(dc, "eve", "ecdsa-sha256")
    signed = url(jdoe)
    bad = (401, "InvalidCredentials", "The signature does not match a key of the account")
    assert refusal(jdoe.http.get(f"{signed}&state=running")) == bad
    assert refusal(jdoe.http.get(signed.replace("/jdoe/machines", "/jdoe/keys"))) == bad
    assert refusal(jdoe.http.post(signed)) == bad
    assert refusal(jdoe.http.get(signed, base_url="http://elsewhere")) == bad
    assert refusal(jdoe.http.get(signed.replace("jdoe%2Fkeys", "eve%2Fkeys"))) == bad
    assert refusal(jdoe.http.get("/jdoe/machines"))[:2] == (401, "InvalidCredentials")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"expires": "1000"}, "request expired"),
        ({"expires": "soon"}, "expires is invalid"),
        ({"method": "DELETE"}, "GET was not a signed method"),
        ({"keyId": ""}, 'parameters "keyId" are required'),
    ],
)
def test_what_is_no_signed_url(jdoe, change, told):
    assert refusal(jdoe.http.get(url(jdoe, **change))) == (400, "BadRequest", told)


def test_of_a_signature_nothing_may_be_missing(jdoe):
    told = 'parameters "expires, keyId, signature" are required'
    assert refusal(jdoe.http.get("/jdoe/machines?algorithm=rsa-sha256")) == (400, "BadRequest", told)
