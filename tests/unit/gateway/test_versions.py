from __future__ import annotations

from importlib.metadata import version

import pytest

from gateway.errors import InvalidParameter
from gateway.versions import CEILING, FLOOR, GATEWAY_VERSION, ApiVersion, negotiate


def test_the_gateway_tells_the_version_that_is_installed():
    assert version("triton-docker-gateway") == GATEWAY_VERSION


def test_versions_compare_as_numbers():
    assert ApiVersion.parse("1.9") < ApiVersion.parse("1.24") < ApiVersion.parse("1.100")


@pytest.mark.parametrize("text", [None, "1.24", "1.41", "1.51"])
def test_the_window_is_served(text):
    assert negotiate(text) == (CEILING if text is None else ApiVersion.parse(text))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "1.23",
            (
                "client version 1.23 is too old. Minimum supported API version is 1.24, "
                "please upgrade your client to a newer version"
            ),
        ),
        ("1.52", "client version 1.52 is too new. Maximum supported API version is 1.51"),
        (
            "1.9",
            (
                f"client version 1.9 is too old. Minimum supported API version is {FLOOR}, "
                "please upgrade your client to a newer version"
            ),
        ),
        ("golden", "invalid API version: golden"),
        ("1.", "invalid API version: 1."),
    ],
)
def test_outside_the_window_docker_s_own_sentences_are_said(text, sentence):
    with pytest.raises(InvalidParameter) as caught:
        negotiate(text)
    assert caught.value.message == sentence
