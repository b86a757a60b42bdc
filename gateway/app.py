"""Make the gateway's WSGI application: the only place where everybody meets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from gunicorn.errors import AppImportError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Map, Rule

from gateway import log
from gateway import settings as settings_module
from gateway.blueprints import RESOURCES
from gateway.blueprints.binding import House, Resource, refused
from gateway.direct import DirectReads, Request
from gateway.front import COMMON_HEADERS, FrontDoor
from gateway.operations import OPERATIONS
from gateway.pipeline import Pipeline
from gateway.refusals import Asked, answer_to
from gateway.settings import Settings
from gateway.state import State
from gateway.versions import ApiVersion, parsed
from gateway.wire.ndjson import encode_json
from gateway.wire.peer import Peer
from sdc import DataCenterClients
from translators.containers.autoremove import AutoRemove
from translators.events.watcher import Watcher
from translators.settling import Settler


class NameConverter(BaseConverter):
    """A container, image or volume name: may hold slashes, colons and digests; fixed routes win over it."""

    regex = ".+?"
    part_isolating = False
    weight = 200

    def __init__(self, map: Map) -> None:
        super().__init__(map)


class VersionConverter(BaseConverter):
    """What stands behind ``/v``; anything else there is an unknown page."""

    regex = r"[0-9.]+"


class ExactRule(Rule):
    """A route for its own method alone: to Docker HEAD is no GET without a body."""

    def __init__(self, string: str, *, methods: Iterable[str], **options: Any) -> None:
        super().__init__(string, methods=methods, **options)
        self.methods = set(methods)


class Gateway(Flask):
    """The Flask app together with what must outlive single requests."""

    url_rule_class: type[Rule] = ExactRule
    common_headers = COMMON_HEADERS
    house: House
    front: FrontDoor
    direct: DirectReads

    def shortcut(self, request: Request, peer: Peer) -> bytes | None:
        """Answer what needs no framework; the worker asks before it builds an environ."""
        return self.front.ping(request.method, request.uri) or self.direct.answer(request, peer)


def create_app(settings: Settings, *, services: DataCenterClients | None = None) -> Gateway:
    """Build the application from settings; raises ValueError when the chain cannot be built.

    ``services`` replaces the SDC clients that the settings' URLs would give (tests).
    """
    app = Gateway("gateway", static_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    app.url_map.converters |= {"name": NameConverter, "version": VersionConverter}
    urls = {name: getattr(settings.services, name) for name in settings.services.__struct_fields__}
    app.house = House(
        settings=settings,
        pipeline=Pipeline.load(settings),
        services=services or DataCenterClients.connect(urls),
        state=State(Path(settings.state_dir)),
    )
    app.extensions["house"] = app.house
    for resource in (*RESOURCES, _unhandled()):
        resource.register(app)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _refuse)
    app.after_request(_common_headers)
    app.direct = DirectReads(app.house, RESOURCES)
    app.front = FrontDoor(app.wsgi_app, settings)
    app.wsgi_app = app.front  # type: ignore[method-assign]
    return app


def _unhandled() -> Resource:
    """Every operation without a handler, so that it answers with its name and not as an unknown page."""
    handled = {name for resource in RESOURCES for name in resource.handled}
    rest = Resource("refused")
    for operation in OPERATIONS:
        if operation.name not in handled and not operation.open:
            rest.handles(operation.name, upload=True)(refused(operation))
    return rest


def _refuse(error: Exception) -> Response:
    """Answer an error of the chain, of a translator, or a fault of ours."""
    asked = Asked(request.method, request.path, request.environ.get("gateway.request_id", ""), _asked_version())
    answer = answer_to(error, asked)
    response = Response(answer.data, answer.status, answer.headers, content_type=answer.content_type or None)
    if not answer.content_type:
        del response.headers["Content-Type"]
    return response


def _asked_version() -> ApiVersion | None:
    return parsed((request.view_args or {}).get("api_version") or request.path.split("/", 2)[1][1:])


def _http_error(error: HTTPException) -> Response:
    """An unknown path or method is one and the same to Docker; anything else keeps its number."""
    if error.code in {404, 405}:
        return Response(encode_json({"message": "page not found"}), status=404, content_type="application/json")
    message = encode_json({"message": error.description or error.name})
    return Response(message, status=error.code or 500, content_type="application/json")


def _common_headers(response: Response) -> Response:
    for name, value in COMMON_HEADERS:
        response.headers[name] = value
    response.headers.setdefault("X-Request-Id", request.environ.get("gateway.request_id", ""))
    return response


def application() -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """Build the app from the settings file and the environment; gunicorn's entry point.

    Raises AppImportError for wrong settings: gunicorn stops with its one sentence instead of a traceback.
    """
    try:
        settings = settings_module.load()
        log.configure(settings.log_level)
        app = create_app(settings)
    except ValueError as error:
        raise AppImportError(f"docker-gateway: {error}") from error
    AutoRemove(app.house.services, app.house.state, settings.triton, Path(settings.state_dir)).start()
    Watcher(app.house.services, app.house.state, settings.triton, Path(settings.state_dir)).start()
    Settler(app.house.services, app.house.state, settings.triton, Path(settings.state_dir)).start()
    return app
