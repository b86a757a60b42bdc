"""Reading answers: a pull's or a push's lines, and refusals."""

from __future__ import annotations

import base64
import json

from grammars.dockerids import short


def error_of(lines: list[dict]) -> tuple[str, str]:
    assert lines[-1]["type"] == "error", lines
    assert not any(line["type"] == "create-docker-image" for line in lines)
    return lines[-1]["error"]["code"], lines[-1]["error"]["message"]


def created(lines: list[dict]) -> dict:
    (line,) = [line for line in lines if line["type"] == "create-docker-image"]
    return line


def statuses(lines: list[dict], digest: str) -> list[str]:
    return [
        line["payload"]["status"]
        for line in lines
        if line["type"] == "progress" and line["payload"].get("id") == short(digest)
    ]


def auth(**entry: str) -> dict[str, str]:
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(entry).encode()).decode().rstrip("=")}


def refusal(reply) -> tuple[int, str]:
    return reply.status_code, reply.json["code"]
