"""The reads that clients ask all day, answered without a framework: the same handlers, by the same chain.

Flask's part of a small answer costs more than all of ours. A request that is anything but plain (a body, an odd path,
an old HTTP) is left to Flask, which answers it the same.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs

from gateway.blueprints.binding import Handler, House, Resource, json_of
from gateway.call import Call, Peer, Reply
from gateway.front import COMMON_HEADERS
from gateway.operations import Operation
from gateway.refusals import Answer, Asked, answer_to
from gateway.versions import negotiate, parsed
from gateway.wire.http1 import http_date
from gateway.wire.peer import Peer as WirePeer
from gateway.wire.spawn import spawn
from middleware.request_id import given_id

_VERSIONED = re.compile(r"/v([0-9.]+)(/.*)")
_ODD = frozenset({"CONTENT-LENGTH", "TRANSFER-ENCODING", "UPGRADE", "EXPECT"})
_COMMON = "".join(f"{name}: {value}\r\n" for name, value in COMMON_HEADERS)


class Request(Protocol):
    """A request's head, as gunicorn reads it; the names of headers in upper case."""

    method: str
    uri: str
    version: tuple[int, int]
    headers: list[tuple[str, str]]


class Route(NamedTuple):
    path: re.Pattern[str]
    operation: Operation
    handler: Handler


class DirectReads:
    """Answers the handlers that were registered as ``direct``."""

    def __init__(self, house: House, resources: Iterable[Resource]) -> None:
        self._house = house
        self._routes = [
            Route(_pattern(operation.path), operation, handler)
            for resource in resources
            for operation, handler in resource.direct
        ]

    def answer(self, request: Request, peer: WirePeer) -> bytes | None:
        """Return the whole reply, head and body; None for what is Flask's to answer."""
        path, _, query = request.uri.partition("?")
        if request.method != "GET" or request.version != (1, 1):
            return None
        versioned = _VERSIONED.fullmatch(path)
        version, bare = versioned.groups() if versioned else (None, path)
        route, target = self._route(bare)
        headers = _headers(request.headers)
        if route is None or headers is None:
            return None
        try:
            arguments = parse_qs(query, keep_blank_values=True, errors="strict")
        except ValueError:
            return None
        asked = Asked("GET", path, given_id(headers) or str(uuid.uuid4()), parsed(version))
        try:
            negotiated = negotiate(version)
            if negotiated < route.operation.since:
                return None
            call = Call(
                request_id=asked.request_id,
                operation=route.operation,
                version=negotiated,
                peer=Peer(address=peer.address, transport=peer.transport, certificate=peer.certificate, uid=peer.uid),
                path=path,
                target=target,
                query=arguments,
                headers=headers,
                services=self._house.services,
                state=self._house.state,
                config=self._house.settings.triton,
                spawn=spawn,
            )
            return _written(self._serve(call, route.handler), asked)
        except Exception as error:
            return _written(answer_to(error, asked), asked)

    def _route(self, path: str) -> tuple[Route | None, dict[str, str]]:
        for route in self._routes:
            found = route.path.fullmatch(path)
            if found:
                return route, found.groupdict()
        return None, {}

    def _serve(self, call: Call, handler: Handler) -> Answer:
        pipeline = self._house.pipeline
        reply = pipeline.run(call, lambda: handler(call) or Reply(status=204))
        data = json_of(pipeline, call, reply)
        return Answer(reply.status, reply.headers, data or b"", "application/json" if data is not None else "")


def _pattern(path: str) -> re.Pattern[str]:
    """Make the expression of a path; a name with anything odd in it is left to Flask."""
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[A-Za-z0-9_.-]+)", path))


def _headers(pairs: list[tuple[str, str]]) -> dict[str, str] | None:
    """Return the headers by lower-case name, repeated ones joined; None for a request that is not plain."""
    headers: dict[str, str] = {}
    for upper, value in pairs:
        if upper in _ODD:
            return None
        name = upper.lower()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _written(answer: Answer, asked: Asked) -> bytes:
    """Write the reply as it goes over the wire. Raises ValueError for a header that would make two."""
    headers = {"X-Request-Id": asked.request_id, **answer.headers}
    if answer.content_type:
        headers["Content-Type"] = answer.content_type
    if answer.status not in {204, 304}:
        headers["Content-Length"] = str(len(answer.data))
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
        raise ValueError("a header has a line break in it")
    status = f"{answer.status} {HTTPStatus(answer.status).phrase}"
    return f"HTTP/1.1 {status}\r\nDate: {http_date()}\r\n{_COMMON}{lines}\r\n".encode("latin-1") + answer.data
