"""Which registries are talked to, how, and as whom."""

from __future__ import annotations

import base64
import json

import pytest
from pull_lines import auth, created, error_of

from datacenter.images.registry import Registry
from grammars.places import place_of


def test_registries_out_of_reach(fake, pull) -> None:
    assert error_of(pull("nosuch.invalid/x")) == ("RemoteSourceError", "lookup nosuch.invalid: no such host")
    fake.server.shutdown()
    fake.server.server_close()
    host = fake.host
    assert error_of(pull(f"{host}/x")) == ("RemoteSourceError", f"dial tcp {host}: connect: connection refused")


def test_plain_http_is_for_insecure_registries_alone(fake, pull, imgapi) -> None:
    fake.image("x")
    imgapi.registry = Registry()
    code, message = error_of(pull(f"{fake.host}/x"))
    assert code == "RemoteSourceError"
    assert "TLS" in message
    assert fake.requests == []


def test_mirrors_stand_before_docker_io_and_see_no_credentials(fake, other, pull, imgapi) -> None:
    other.image("library/busybox")
    imgapi.registry = Registry(mirrors=(f"http://{fake.host}", f"http://{other.host}/"))
    lines = pull("busybox", headers=auth(username="bob", password="secret"))
    assert created(lines)["id"] == "docker.io/busybox"
    assert lines[0]["payload"]["status"].startswith("latest: Pulling from busybox (req ")
    assert lines[-1]["payload"]["status"] == "Status: Downloaded newer image for busybox:latest"
    assert fake.requests
    assert not any("Authorization" in headers for _, _, headers in fake.requests + other.requests)


@pytest.mark.parametrize("form", ["X-Registry-Auth", "X-Registry-Config"])
def test_basic_credentials(fake, pull, form: str) -> None:
    fake.auth = "basic"
    fake.image("x")
    assert error_of(pull(f"{fake.host}/x")) == ("UnauthorizedError", "unauthorized: authentication required")
    wrong = auth(username="bob", password="wrong")
    assert error_of(pull(f"{fake.host}/x", headers=wrong))[0] == "UnauthorizedError"
    headers = auth(username="bob", password="secret")
    if form == "X-Registry-Config":
        store = {fake.host: {"username": "bob", "password": "secret"}, "else": {"username": "eve", "password": "x"}}
        headers = {form: base64.b64encode(json.dumps(store).encode()).decode()}
    assert created(pull(f"{fake.host}/x", headers=headers))


def test_anonymous_tokens(fake, pull) -> None:
    fake.auth, fake.user = "bearer", None
    fake.image("x")
    assert created(pull(f"{fake.host}/x"))
    assert fake.tokens == [{"scope": ["repository:x:pull"], "service": ["fake, registry"]}]


def test_tokens_for_a_password(fake, pull) -> None:
    fake.auth = "bearer"
    fake.image("x")
    assert created(pull(f"{fake.host}/x", headers=auth(username="bob", password="secret")))
    assert error_of(pull(f"{fake.host}/x", headers=auth(username="bob", password="wrong"))) == (
        "UnauthorizedError",
        "unauthorized: incorrect username or password",
    )


def test_tokens_for_an_identity_token(fake, pull) -> None:
    fake.auth = "bearer"
    fake.image("x")
    assert created(pull(f"{fake.host}/x", headers=auth(identitytoken="identity")))
    assert fake.tokens[0]["grant_type"] == ["refresh_token"]


def test_a_registry_token_is_used_as_it_is(fake, pull) -> None:
    fake.auth = "bearer"
    fake.image("x")
    assert created(pull(f"{fake.host}/x", headers=auth(registrytoken="good")))
    assert fake.tokens == []


def test_authorization_stays_at_home_when_blobs_lie_elsewhere(fake, other, pull) -> None:
    fake.auth = "basic"
    image = fake.image("x")
    other.blobs = fake.blobs
    fake.blobs_at = f"http://localhost:{other.server.server_address[1]}"
    assert created(pull(f"{fake.host}/x", headers=auth(username="bob", password="secret")))
    assert other.count(image.layers[0]) == 1
    assert not any("Authorization" in headers for _, _, headers in other.requests)


def test_endless_redirects(fake, pull) -> None:
    fake.image("x")
    fake.blobs_at = f"http://{fake.host}"
    assert error_of(pull(f"{fake.host}/x")) == ("RemoteSourceError", "too many redirects")


def test_secrets_stay_out_of_what_is_said(fake, pull, capfd) -> None:
    fake.auth = "basic"
    lines = pull(f"{fake.host}/x", headers=auth(username="bob", password="hunter2"))
    out, err = capfd.readouterr()
    assert "hunter2" not in json.dumps(lines) + out + err


def test_the_data_centers_own_services_are_no_registries(fake, pull, imgapi) -> None:
    fake.image("x")
    imgapi.registry = Registry(("127.0.0.0/8", "localhost"), closed={place_of(f"http://{fake.host}")})
    for host in (fake.host, fake.host.replace("127.0.0.1", "localhost")):
        assert error_of(pull(f"{host}/x")) == ("RemoteSourceError", f"connection to {host} failed")
    assert fake.requests == []


def test_no_registry_sends_us_to_the_data_centers_own_services(fake, other, pull, imgapi) -> None:
    fake.auth, fake.user = "bearer", None
    fake.image("x")
    imgapi.registry = Registry(("127.0.0.0/8",), closed={place_of(f"http://{other.host}")})
    fake.realm = f"http://{other.host}/vms"
    assert error_of(pull(f"{fake.host}/x"))[0] == "RemoteSourceError"
    assert other.requests == []
