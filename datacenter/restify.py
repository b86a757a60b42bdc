"""The manners all SDC services share: parameters in one bag, errors as JSON, request ids, timings.

Facts: restify, as the captures of the real services show it.
"""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any

import msgspec
from flask import Blueprint, Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.http import HTTP_STATUS_CODES

Route = Callable[..., Any]
encode = msgspec.json.Encoder().encode

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
"""In the order in which the services have their routes."""


class RestError(Exception):
    """An SDC error: HTTP status, rest code, sentence, and per-field errors where the service gives them."""

    def __init__(self, status: int, code: str, message: str, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        return body


def not_found(message: str) -> RestError:
    return RestError(404, "ResourceNotFound", message)


def service(name: str, server: str) -> Flask:
    """Make the Flask app of one service; ``server`` is its Server header."""
    app = Flask(name, static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    app.before_request(_begin)

    def finish(response: Response) -> Response:
        code = response.status_code
        response.status = f"{code} {HTTP_STATUS_CODES[code]}"
        response.headers.update(manners(name, server, g.request_id, g.began))
        return response

    app.after_request(finish)
    app.register_error_handler(RestError, lambda error: reply(error.body(), error.status))
    app.register_error_handler(HTTPException, _http_error)
    return app


def full_response(response: Response) -> Response:
    """Add what the services on older restifies say beside: who may ask from elsewhere, and the digest of a body.

    Their request id is the uuid that a request is about, unless it brought an id as ``request-id``.
    """
    headers = response.headers
    headers["Access-Control-Allow-Origin"] = "*"
    headers["Access-Control-Allow-Headers"] = (
        "Accept, Accept-Version, Content-Length, Content-MD5, Content-Type, Date, Api-Version, Response-Time"
    )
    if request.url_rule is not None:
        headers["Access-Control-Allow-Methods"] = _methods(request.url_rule.rule)
    headers["Access-Control-Expose-Headers"] = "Api-Version, Request-Id, Response-Time"
    if response.get_data():
        digest = hashlib.md5(response.get_data(), usedforsecurity=False).digest()
        headers["Content-MD5"] = base64.b64encode(digest).decode()
    about = str(next(iter((request.view_args or {}).values()), ""))
    named = about.isascii() and about.isprintable() and about != "" and "request-id" not in request.headers
    headers.setdefault("Request-Id", about if named else g.request_id)
    headers["Response-Time"] = str(_milliseconds(g.began))
    return response


def _methods(path: str) -> str:
    """What can be asked of a path, in words of ``GET, HEAD``."""
    known = {method for rule in current_app.url_map.iter_rules() if rule.rule == path for method in rule.methods or ()}
    return ", ".join(method for method in _METHODS if method in known)


def manners(name: str, server: str, request_id: str, began: float) -> list[tuple[str, str]]:
    """The headers of every answer; ``began`` is the monotonic time at which the request came in."""
    return [
        ("Server", server),
        ("Date", _date(int(time.time()))),
        ("x-request-id", request_id),
        ("x-response-time", str(_milliseconds(began))),
        ("x-server-name", name),
    ]


def _milliseconds(began: float) -> int:
    return int((time.monotonic() - began) * 1000)


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def _begin() -> None:
    g.began = time.monotonic()
    g.request_id = request.headers.get("x-request-id") or request.headers.get("request-id") or str(uuid.uuid4())


def _http_error(error: HTTPException) -> Response:
    if error.code == 404:
        return reply({"code": "ResourceNotFound", "message": f"{request.path} does not exist"}, 404)
    if isinstance(error, MethodNotAllowed):
        known = error.valid_methods or ()
        allow = ", ".join(method for method in _METHODS if method in known)
        return reply({"code": "MethodNotAllowed", "message": f"{request.method} is not allowed"}, 405, Allow=allow)
    if error.code == 500:
        return reply({"code": "InternalError", "message": "an unexpected error occurred"}, 500)
    return reply({"code": "BadRequest", "message": error.description or error.name}, error.code or 400)


def reply(body: Any = None, status: int = 200, **headers: str) -> Response:
    """A JSON response; underscores in header names become dashes. No body at all when ``body`` is None."""
    response = Response(b"" if body is None else encode(body), status=status)
    if body is None:
        del response.headers["Content-Type"]
    else:
        response.headers["Content-Type"] = "application/json"
    for key, value in headers.items():
        response.headers[key.replace("_", "-")] = value
    return response


def route_table(name: str, rows: Mapping[str, Route]) -> Blueprint:
    """A blueprint of rows like ``"GET /vms/<uuid>": view``."""
    routes = Blueprint(name, __name__)
    for row, view in rows.items():
        method, rule = row.split(" ", 1)
        routes.add_url_rule(rule, f"{method}-{rule}".replace(".", "-"), view, methods=[method])
    return routes


def body() -> Any:
    """The decoded JSON body, or {} when there is none. Raises InvalidContent on bad JSON."""
    data = request.get_data()
    if not data.strip():
        return {}
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise RestError(400, "InvalidContent", f"Invalid JSON: {error}") from error


def params() -> dict[str, Any]:
    """Query string, form or JSON body and path parameters merged in one bag, as restify's mapParams does."""
    bag: dict[str, Any] = dict(request.view_args or {})
    bag.update(request.args.to_dict())
    if request.mimetype == "application/x-www-form-urlencoded":
        bag.update(request.form.to_dict())
    else:
        decoded = body()
        if isinstance(decoded, dict):
            bag.update(decoded)
    return bag


def is_uuid(text: object) -> bool:
    """Whether a value is a dashed UUID in lower or upper case, as every :uuid route asks."""
    if not isinstance(text, str) or len(text) != 36:
        return False
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def truthy(value: object) -> bool:
    """SDC's reading of booleans that may come by query or by body."""
    return value is True or (isinstance(value, str) and value.lower() == "true")
