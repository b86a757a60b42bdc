from __future__ import annotations

import base64
import json

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from datacenter.images.errors import RegistryError
from datacenter.images.registry_auth import Authorization, Credentials, credentials

TIMEOUT = (1.0, 1.0)


def header(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def test_what_the_cli_sends() -> None:
    sent = header({"username": "bob", "password": "päß?>", "serveraddress": "quay.io"})
    assert credentials(sent, None, "quay.io") == Credentials("bob", "päß?>")
    assert credentials(sent.rstrip("="), None, "quay.io") == Credentials("bob", "päß?>")
    assert credentials(header({"identitytoken": "t"}), None, "quay.io") == Credentials(identity_token="t")
    assert credentials(header({"registrytoken": "t"}), None, "quay.io") == Credentials(registry_token="t")


@pytest.mark.parametrize(
    "sent", [None, "", "e30=", "bnVsbA==", "!!!", "é", header([]), header({"username": 5}), "YWJj"]
)
def test_what_counts_as_anonymous(sent: str | None) -> None:
    assert credentials(sent, None, "quay.io") is None


def test_the_store_of_all_registries() -> None:
    store = header({"https://index.docker.io/v1/": {"username": "hub"}, "quay.io": {"username": "quay"}, "bad": 5})
    assert credentials(None, store, "docker.io") == Credentials("hub")
    assert credentials("e30=", store, "quay.io") == Credentials("quay")
    assert credentials(None, store, "bad") is None
    assert credentials(header({"username": "own"}), store, "quay.io") == Credentials("own")


@given(st.text())
def test_any_header_is_read(text: str) -> None:
    assert credentials(text, text, "quay.io") is None or isinstance(credentials(text, text, "quay.io"), Credentials)


def test_no_secret_in_a_repr() -> None:
    shown = repr(Credentials("bob", "s3cret", "s3cret", "s3cret"))
    assert "bob" in shown
    assert "s3cret" not in shown


def test_basic() -> None:
    auth = Authorization(Credentials("bob", "x"), requests.Session(), insecure=False)
    assert auth.answer('Basic realm="r"', "s", TIMEOUT)
    assert auth.header == "Basic Ym9iOng="
    assert not Authorization(None, requests.Session(), insecure=False).answer('Basic realm="r"', "s", TIMEOUT)


@pytest.mark.parametrize("challenge", ["", "Digest x", "Negotiate"])
def test_challenges_we_cannot_answer(challenge: str) -> None:
    assert not Authorization(None, requests.Session(), insecure=False).answer(challenge, "s", TIMEOUT)


@pytest.mark.parametrize("realm", ["http://127.0.0.1:1/vms?action=stop", "file:///etc/passwd", "gopher://x", "", "//x"])
def test_a_registry_over_tls_can_not_turn_us_upon_plain_services(realm: str) -> None:
    auth = Authorization(Credentials(identity_token="t"), requests.Session(), insecure=False)
    with pytest.raises(RegistryError, match="names no usable token server"):
        auth.answer(f'Bearer realm="{realm}"', "s", TIMEOUT)
