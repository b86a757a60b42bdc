"""Binds a row of the operations table to its handler: request -> Call -> chain -> handler -> response.

The only place where Flask's request is read and a Reply is turned into a response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, cast

from flask import Blueprint, Flask, Response, current_app, request
from gunicorn.http.errors import ParseException
from werkzeug import exceptions as werkzeug_errors

from gateway import body as bodies
from gateway.call import Call, Duplex, EncodedReply, HijackReply, Peer, RawReply, Reply, StreamReply
from gateway.errors import InvalidParameter, TooLarge
from gateway.operations import Operation, by_name
from gateway.pipeline import Pipeline
from gateway.settings import Settings
from gateway.state import State
from gateway.versions import negotiate
from gateway.wire.hijack import HijackResponse
from gateway.wire.ndjson import encode_json
from gateway.wire.peer import peer_of
from gateway.wire.resting import RestingResponse
from gateway.wire.spawn import spawn
from gateway.wire.watch import watched, watching
from gateway.wire.websocket import WebSocketResponse
from sdc import DataCenterClients

MAX_JSON = 16 * 1024 * 1024
"""Bytes of a JSON body; uploads have no limit here."""

Handler = Callable[[Call], Reply | None]


@dataclass(frozen=True, slots=True)
class House:
    """What every call needs and nobody owns; kept in ``app.extensions["house"]``."""

    settings: Settings
    pipeline: Pipeline
    services: DataCenterClients
    state: State


class Resource:
    """The blueprint of one Docker resource; its routes are rows of the operations table."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.handled: list[str] = []
        self.direct: list[tuple[Operation, Handler]] = []
        self._rules: list[tuple[Operation, Callable[..., Response]]] = []

    def handles(
        self,
        name: str,
        *,
        model: Any = None,
        upload: bool = False,
        abandons: bool = False,
        direct: bool = False,
        described: Callable[[Mapping[str, list[str]]], Any] | None = None,
    ) -> Callable[[Handler], Handler]:
        """Make a function the handler of an operation.

        ``model`` is the type of its JSON body; ``upload`` leaves the body unread, as ``call.upload``, and ``described``
        makes ``call.body`` of the query then. With
        ``abandons`` the handler is ended when the client leaves, also before a reply has begun; others finish
        what they do. ``direct``: it takes no body and answers with JSON alone, so that Flask may be left out.
        """
        operation = by_name(name)

        def bind(handler: Handler) -> Handler:
            def view(**target: str) -> Response:
                with watching(request.environ) if abandons else nullcontext():
                    return _serve(operation, handler, target, model=model, upload=upload, described=described)

            self._rules.append((operation, view))
            self.handled.append(name)
            if direct:
                self.direct.append((operation, handler))
            return handler

        return bind

    def register(self, app: Flask) -> None:
        """Register every route twice: as it is, and below ``/v<version>``."""
        for prefix, name in (("", self.name), ("/v<version:api_version>", f"{self.name}-versioned")):
            blueprint = Blueprint(name, __name__, url_prefix=prefix or None)
            for operation, view in self._rules:
                rule = operation.path.replace("{", "<name:").replace("}", ">")
                for websocket in {False, operation.websocket}:  # a plain request is to be told what it lacks
                    blueprint.add_url_rule(
                        rule,
                        endpoint=operation.name.replace(".", "-"),
                        view_func=view,
                        methods=[operation.method],
                        provide_automatic_options=False,
                        websocket=websocket,
                    )
            app.register_blueprint(blueprint)


def _serve(
    operation: Operation,
    handler: Handler,
    target: dict[str, str],
    *,
    model: Any,
    upload: bool,
    described: Callable[[Mapping[str, list[str]]], Any] | None,
) -> Response:
    house: House = current_app.extensions["house"]
    version = negotiate(target.pop("api_version", None))
    if version < operation.since:
        raise werkzeug_errors.NotFound
    call = Call(
        request_id=request.environ.get("gateway.request_id", ""),
        operation=operation,
        version=version,
        peer=Peer(**peer_of(request.environ)),
        method=request.method,
        path=request.path,
        target=target,
        query=request.args.to_dict(flat=False),
        headers={name.lower(): value for name, value in request.headers.items()},
        services=house.services,
        state=house.state,
        config=house.settings.triton,
        spawn=spawn,
    )
    if upload:
        call.upload = cast("BinaryIO", Upload(request.stream))
        call.unread = None if described is None else partial(described, call.query)
    elif request.method in {"POST", "PUT"}:
        call.unread = partial(_body, model)
    reply = house.pipeline.run(call, lambda: handler(call) or Reply(status=204))
    return respond(house.pipeline, call, reply)


class Upload:
    """A request's body, read as it comes; what is wrong with it is the client's fault and said so."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, b"" at the end. Raises InvalidParameter when it breaks off or is malformed."""
        try:
            data: bytes = self._stream.read(size)
        except (OSError, ParseException) as error:
            raise InvalidParameter("the request body broke off or is malformed") from error
        return data


def _body(model: Any) -> Any:
    length = request.content_length or 0
    if length > MAX_JSON:
        raise TooLarge(f"request body of {length} bytes is larger than the {MAX_JSON} bytes a JSON body may have")
    data = Upload(request.stream).read(MAX_JSON + 1)
    if len(data) > MAX_JSON:
        raise TooLarge(f"request body is larger than the {MAX_JSON} bytes a JSON body may have")
    if not data.strip():
        return None if model is None else bodies.decode(b"{}", model)
    if model is not None and request.mimetype not in {"", "application/json"}:
        raise InvalidParameter(f"unsupported Content-Type header ({request.mimetype}): must be 'application/json'")
    return bodies.decode(data, model)


def respond(pipeline: Pipeline, call: Call, reply: Reply) -> Response:
    """Turn what a handler answered into a response; long ones keep the chain's ``item`` and ``stream`` moments."""
    if isinstance(reply, HijackReply):
        session = reply.session

        def run(stream: Duplex) -> None:
            session(pipeline.open_stream(call, stream))

        tap = None if pipeline.wraps_streams(call) else reply.tap
        if reply.websocket:
            return WebSocketResponse(run, reply.headers, binary=reply.websocket == "binary")
        return HijackResponse(run, reply.content_type, reply.headers, tap=tap)
    if isinstance(reply, StreamReply):
        chunks = reply.items
        if reply.json:
            chunks = _encoded(pipeline.filter_items(call, reply.items), reply.start, reply.end)
        opened = pipeline.open_stream(call, chunks)
        body = watched(request.environ, cast("Iterator[bytes]", opened))
        if reply.tap is not None and not pipeline.wraps_streams(call):
            options = {"status": reply.status, "headers": reply.headers, "content_type": reply.content_type}
            return RestingResponse(reply.tap, body, **options)
        return Response(body, status=reply.status, headers=reply.headers, content_type=reply.content_type)
    if isinstance(reply, RawReply):
        return Response(reply.data, status=reply.status, headers=reply.headers, content_type=reply.content_type)
    data = json_of(pipeline, call, reply)
    if data is None:
        response = Response(b"", status=reply.status, headers=reply.headers)
        del response.headers["Content-Type"]
        return response
    return Response(data, status=reply.status, headers=reply.headers, content_type="application/json")


def _encoded(items: Iterator[Any], start: bytes, end: bytes) -> Iterator[bytes]:
    """Encode items as they come. They are closed with this: left to the collector, they would have to end in it."""
    try:
        for item in items:
            yield start + encode_json(item, end)
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def json_of(pipeline: Pipeline, call: Call, reply: Reply) -> bytes | None:
    """Return the JSON of a reply, its list's elements shown to the chain; None when it has no body."""
    if isinstance(reply, EncodedReply) and reply.encoded is not None and not pipeline.shows_items(call):
        return reply.encoded
    value = reply.body
    if isinstance(value, list):
        value = list(pipeline.filter_items(call, value))
    return None if value is None else encode_json(value)


def refused(operation: Operation) -> Handler:
    """Make the handler of an operation that nobody handles: its refusal, or 501 with its name."""
    from gateway.errors import DockerError, NotImplementedHere

    def handler(_call: Call) -> Reply:
        if not operation.refusal:
            raise NotImplementedHere(f"{operation.name} is not supported by this gateway")
        error = DockerError(operation.refusal)
        error.status = operation.status
        raise error

    return handler
