"""What the published OpenAPI documents of SDC's services say of requests and replies, where they are to be believed.

``<service>.json`` holds facts in a form of our own: an operation (``GET /vms/{uuid}``) has the names and types of its
``query`` parameters, the type of its ``body`` and of its ``replies`` by status; types are JSON Schema, ``#/shapes/NAME``
is one of the file's. Services of which nobody has published a document have none.

The documents describe a rewrite of the services and were made from what it was seen to send. They err on the strict side,
so three things are loosened when they are read: what is not required may be null, enumerations are open, and an object
may have fields that the document does not know. Where they err otherwise the file here has what the real service does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

FOLDER = Path(__file__).parent
OURS = "triton-docker-gateway"
"""User-Agent of the requests that are checked, too."""
JSON = "application/json"


class Document:
    """The facts of one service."""

    def __init__(self, name: str) -> None:
        told = json.loads((FOLDER / f"{name}.json").read_text())
        self._shapes = {shape: _loosened(schema) for shape, schema in told["shapes"].items()}
        self._operations = {_nameless(operation): facts for operation, facts in told["operations"].items()}
        self._validators: dict[tuple[str, str], Any] = {}

    def reply_problems(self, operation: str, status: int, body: Any, *, partial: bool = False) -> Iterator[str]:
        """What a JSON reply has against the document. An operation or status that it does not know has nothing.

        A ``partial`` reply has the fields that were asked for, and need not have others.
        """
        schema = self._operations.get(_nameless(operation), {}).get("replies", {}).get(str(status))
        if schema is not None and "$type" not in schema:
            for problem in self._problems((operation, str(status)), schema, body):
                if not (partial and problem.endswith("is a required property")):
                    yield problem

    def request_problems(self, operation: str, query: Mapping[str, str], body: Any) -> Iterator[str]:
        """What a request has against the document: parameters it does not know, a body of another type."""
        facts = self._operations.get(_nameless(operation))
        if facts is None:
            return
        known = facts.get("query", {}).keys()
        families = tuple(name.removesuffix("*") for name in known if name.endswith("*"))
        for name in query:
            if name not in known and not (families and name.startswith(families)):
                yield f"query parameter {name} is not known"
        if body is not None and "body" in facts:
            yield from self._problems((operation, "body"), facts["body"], body)

    def _problems(self, key: tuple[str, str], schema: dict[str, Any], value: Any) -> Iterator[str]:
        validator = self._validators.get(key)
        if validator is None:
            whole = {**_loosened(schema), "shapes": self._shapes}
            validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
            self._validators[key] = validator
        for error in validator.iter_errors(value):
            yield f"{'/'.join(map(str, error.instance_path)) or 'body'}: {error.message[:300]}"


def _nameless(operation: str) -> str:
    """An operation without the names of its path's parameters, as OpenAPI or Flask writes them."""
    return re.sub(r"\{[^}]*\}|<[^>]*>", "{}", operation)


def _loosened(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 as JSON Schema, with all that is not required nullable and no enumeration."""
    if isinstance(schema, list):
        return [_loosened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    loose = {
        "anyOf" if key == "oneOf" else key: _loosened(value)
        for key, value in schema.items()
        if key not in ("nullable", "enum", "properties")
    }
    if "properties" in schema:
        required = set(schema.get("required", ()))
        loose["properties"] = {
            name: _loosened(value) if name in required else {"anyOf": [_loosened(value), {"type": "null"}]}
            for name, value in schema["properties"].items()
        }
    return {"anyOf": [loose, {"type": "null"}]} if schema.get("nullable") else loose


@cache
def document(name: str) -> Document | None:
    """The facts of a service; None when there are none."""
    return Document(name) if (FOLDER / f"{name}.json").exists() else None


class Witness:
    """Sees every request to the services and every reply, and notes what is against their documents."""

    def __init__(self) -> None:
        self.problems: set[str] = set()
        self.seen: set[str] = set()

    def watch(self, name: str, app: Any) -> None:
        """Look at an app that has answered nothing yet."""
        facts = document(name)
        if facts is None:
            return

        def look(response: Any) -> Any:
            from flask import request

            if request.url_rule is None:
                return response
            operation = f"{request.method} {request.url_rule.rule}"
            self.seen.add(f"{name} {operation}")
            found = []
            if response.mimetype == JSON and not response.is_streamed and request.method != "HEAD":
                body = json.loads(response.get_data() or "null")
                found += facts.reply_problems(operation, response.status_code, body, partial="fields" in request.args)
            if request.headers.get("User-Agent") == OURS:
                body = request.get_json(silent=True) if request.mimetype == JSON else None
                found += facts.request_problems(operation, request.args, body)
            self.problems |= {f"{name} {operation} {response.status_code}: {problem}" for problem in found}
            return response

        app.after_request(look)
