"""What a client sends along to log in at registries: X-Registry-Auth, X-Registry-Config."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace

import pytest

from gateway.errors import InvalidParameter
from translators.images.credentials import registry_auth, registry_headers

SECRETS = {"r.test": {"username": "bob", "password": "??>>"}}


def headers(**values):
    return SimpleNamespace(headers={name.replace("_", "-"): text for name, text in values.items()})


def test_they_are_passed_on_in_the_standard_alphabet():
    text = base64.urlsafe_b64encode(json.dumps(SECRETS).encode()).decode().rstrip("=")
    sent = registry_headers(headers(x_registry_config=text, x_registry_auth=""))
    assert json.loads(base64.b64decode(sent["x-registry-config"])) == SECRETS
    assert "x-registry-auth" not in sent


@pytest.mark.parametrize(
    "text", ["%%%", base64.urlsafe_b64encode(b"{").decode(), base64.urlsafe_b64encode(b"[" * 20_000).decode()]
)
def test_what_cannot_be_read(text):
    with pytest.raises(InvalidParameter, match="invalid x-registry-config header"):
        registry_headers(headers(x_registry_config=text))
    assert registry_auth(headers(x_registry_auth=text)) == {}
