"""What the published documents of the Docker Engine API say of the replies of each version, where they are to be believed.

``v1.51.json`` holds facts in a form of our own: an operation (``GET /containers/{}/json``) has its replies by status,
each with the type of its ``body`` and the names of its ``headers``; types are JSON Schema, ``#/shapes/NAME`` is one of
the file's. An older version is a merge patch (RFC 7396) upon the next newer one. Only operations that are served
are here, and the types that their replies are made of.

The documents were written beside the Engine, not made from it. Go writes null for what is empty, and constants are
added in passing, so what is not required may be null here and enumerations are not kept. What an object may have is
kept: a field that a version's document does not know is a problem. ``corrections`` has what the documents say wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from gateway.operations import Operation
from gateway.versions import ApiVersion
from tests.contract.engine.corrections import CORRECTIONS

FOLDER = Path(__file__).parent
JSON = "application/json"
FIRST_ERROR = 400
BARE = frozenset({204, 304})
"""Statuses of replies that HTTP lets have no body."""
VERSIONS = ("1.51", "1.47", "1.44", "1.41", "1.40", "1.25")
"""Newest first; the documents between them are not kept."""


def merged(base: Any, patch: Any) -> Any:
    """Apply a JSON merge patch."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@cache
def facts(version: str) -> dict[str, Any]:
    """The document of a version: ``operations`` and ``shapes``."""
    place = VERSIONS.index(version)
    patch = json.loads((FOLDER / f"v{version}.json").read_text())
    return patch if place == 0 else merged(facts(VERSIONS[place - 1]), patch)


class Document:
    """The facts of one version, ready to judge replies."""

    def __init__(self, version: str) -> None:
        told = facts(version)
        for correction in CORRECTIONS:
            if correction.concerns(ApiVersion.parse(version)):
                told = merged(told, correction.patch)
        self.operations: dict[str, Any] = told["operations"]
        self._shapes = {name: _loosened(schema) for name, schema in told["shapes"].items()}
        self._validators: dict[tuple[str, str], Any] = {}

    def problems(self, operation: str, status: int, bodies: list[Any] | None, headers: Any) -> Iterator[str]:
        """What a reply has against the document: its status, a header that it lacks, the type of its body or bodies.

        ``bodies`` are None where there can be none. An operation that the document does not know has nothing.
        """
        if operation not in self.operations:
            return
        told = self.operations[operation].get(str(status))
        if told is None:
            yield f"status {status} is not known"
            return
        yield from (f"header {name} is missing" for name in told.get("headers", ()) if name not in headers)
        if bodies is None or "body" not in told:
            return
        if not bodies:
            yield "the body is missing"
        for body in bodies:
            for error in self._validator(operation, str(status), told["body"]).iter_errors(body):
                yield f"{'.'.join(map(str, error.instance_path)) or 'body'}: {error.message[:200]}"

    def judge(self, row: Operation, status: int, headers: Mapping[str, str], data: bytes) -> Iterator[str]:
        """What a reply as it came has against the document, and against what holds for all: errors have a message."""
        operation = f"{row.method} {re.sub('{[^}]*}', '{}', row.path)}"
        if row.method == "HEAD" or status in BARE:
            if data:
                yield f"a body where there can be none: {data[:80]!r}"
            yield from self.problems(operation, status, None, headers)
            return
        json_type = headers.get("Content-Type", "").partition(";")[0] == JSON
        bodies = [json.loads(line) for line in data.splitlines()] if json_type else []
        if status >= FIRST_ERROR and [body.keys() for body in bodies] != [{"message"}]:
            yield f"an error without its message: {data[:80]!r}"
        yield from self.problems(operation, status, bodies, headers)

    def _validator(self, operation: str, status: str, schema: dict[str, Any]) -> Any:
        key = (operation, status)
        if key not in self._validators:
            nullable = {name: _or_null(shape) for name, shape in self._shapes.items()}
            whole = {**_loosened(schema), "shapes": self._shapes, "nullable": nullable}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[key]


def _loosened(schema: Any) -> Any:
    """A schema of Swagger 2.0 as JSON Schema: null for all that is not required, and no field that is not known."""
    if isinstance(schema, list):
        return [_loosened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    loose = {key: _loosened(value) for key, value in schema.items() if key not in ("nullable", "properties")}
    if "properties" in schema:
        required = set(schema.get("required", ()))
        loose["properties"] = {
            name: _loosened(value) if name in required else _or_null(_loosened(value))
            for name, value in schema["properties"].items()
        }
        loose.setdefault("additionalProperties", False)
    return _or_null(loose) if schema.get("nullable") else loose


def _or_null(loose: dict[str, Any]) -> dict[str, Any]:
    """What may also be null. No ``anyOf``: its errors would not say what is wrong."""
    if "$ref" in loose:
        return {"$ref": loose["$ref"].replace("#/shapes/", "#/nullable/")}
    if isinstance(loose.get("type"), str):
        return {**loose, "type": [loose["type"], "null"]}
    return loose
