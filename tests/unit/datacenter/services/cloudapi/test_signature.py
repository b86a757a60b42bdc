"""Reading Authorization headers."""

from __future__ import annotations

import pytest

from datacenter.restify import RestError
from datacenter.services.cloudapi.signature import parse, signing_text

START = 'Signature keyId="/jdoe/keys/aa:bb",algorithm="rsa-sha256"'


def test_the_standard_form():
    found = parse(f'{START},headers="(request-target) Date",signature="aGk="')
    assert (found.login, found.user, found.key, found.algorithm) == ("jdoe", None, "aa:bb", "rsa-sha256")
    assert (found.headers, found.signature) == (("(request-target)", "date"), b"hi")
    text = signing_text(found, {"date": "today"}.get, "GET", "/jdoe?a=b")
    assert text == b"(request-target): get /jdoe?a=b\ndate: today"


def test_without_headers_the_date_line_is_signed():
    found = parse(f'{START},signature="aGk="')
    assert signing_text(found, {"date": "today"}.get, "GET", "/") == b"date: today"


def test_the_old_form_signs_the_bare_date():
    found = parse(f"{START} aGk=")
    assert (found.headers, found.signature) == (None, b"hi")
    assert signing_text(found, {"date": "today"}.get, "GET", "/") == b"today"


@pytest.mark.parametrize("form", ["users", "user"])
def test_sub_users(form):
    found = parse(f'Signature keyId="/jdoe/{form}/al/keys/work",algorithm="ED25519-SHA512",signature="aGk="')
    assert (found.login, found.user, found.key, found.algorithm) == ("jdoe", "al", "work", "ed25519-sha512")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Signature",
        "Basic aGk=",
        START,
        f"{START} not base64",
        f'{START},signature="aGk=" aGk=',
        f'{START},signature=""',
        'Signature keyId="jdoe",algorithm="rsa-sha256" aGk=',
        'Signature keyId="/jdoe/keys/k",algorithm="rsa-md5" aGk=',
        'Signature keyId="/jdoe/keys/k" aGk=',
    ],
)
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(RestError) as caught:
        parse(text)
    assert (caught.value.status, caught.value.code) == (400, "InvalidHeader")


def test_a_signed_header_must_be_there():
    found = parse(f'{START},headers="date host",signature="aGk="')
    with pytest.raises(RestError, match="host was not in the request"):
        signing_text(found, {"date": "today"}.get, "GET", "/")
