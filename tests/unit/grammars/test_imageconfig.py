from __future__ import annotations

import hashlib
import json

import pytest

from grammars.imageconfig import exact


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@pytest.mark.parametrize(
    "text",
    [
        '{"os":"linux","config":{"Cmd":["sh"],"Env":null},"created":"2021-05-01T10:00:00Z"}',
        r'{"history":[{"created_by":"/bin/sh -c a \u0026\u0026 b \u003e c \u003c d"}]}',  # as Go writes it
        '{"history":[{"created_by":"a && b > c"}]}',  # as JavaScript and Python do
        '{"author":"Jürgen","comment":"tab\\there, \\"quoted\\", back\\\\slash"}',
        r'{"comment":"line\u2028end"}',
    ],
)
def test_the_bytes_of_a_document_are_found_again(text: str) -> None:
    assert exact(json.loads(text), digest(text)) == text.encode()


@pytest.mark.parametrize("text", ['{"os": "linux"}', '{\n "os":"linux"}'])
def test_other_forms_are_not_guessed(text: str) -> None:
    assert exact(json.loads(text), digest(text)) is None
