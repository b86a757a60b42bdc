"""One HTTP client per SDC service: pooled, with deadlines, retries where they are safe, and typed errors.

Facts: sdc-apis 0.2 (manners), 0.4 (what may be retried).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.structures import CaseInsensitiveDict

from sdc.answers import Answer
from sdc.connections import Connections
from sdc.errors import SdcError, SdcTimeout, SdcUnavailable

_JITTER = random.Random()  # noqa: S311 - chance of its own: background threads leave everybody else's alone

request_id: ContextVar[str] = ContextVar("sdc_request_id", default="")
"""The id that every request carries to the services; set once per Docker call."""

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
LONG_SECONDS = 3610.0
_SAFE = frozenset({"GET", "HEAD"})
_TRIES = 4

Query = Mapping[str, Any]
Got = TypeVar("Got", Answer, requests.Response)


class ServiceClient:
    """Base of all clients. GET and HEAD are tried again on a lost connection or a 503; nothing else is."""

    service = "sdc"
    accept_version = "*"

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": "triton-docker-gateway"}
        if self.accept_version != "*":
            self._headers["Accept-Version"] = self.accept_version
        # the adapter alone: no cookies, no proxies or certificates from the environment, no redirects to follow
        self._adapter: BaseAdapter = HTTPAdapter(pool_connections=1, pool_maxsize=64, pool_block=False)
        self._connections = Connections(self.url, CONNECT_SECONDS) if self.url.startswith("http://") else None

    def through(self, adapter: BaseAdapter) -> None:
        """Have everything sent by another adapter: to a service within this process, for one."""
        self._adapter, self._connections = adapter, None

    def ask(
        self, method: str, path: str, *, query: Query | None = None, body: Any = None, timeout: float = READ_SECONDS
    ) -> Answer | requests.Response:
        """Send one request, with ``body`` as JSON, and return the response of a 2xx; raises what ``send`` raises."""
        connections = self._connections
        if connections is None:
            return self.send(method, path, query=query, body=body, timeout=timeout)
        sent, data = self._written(None, body, None)
        if data is None and method in {"POST", "PUT"}:
            data = b""
        target = _target(path, query)
        return self._insist(method, timeout, lambda: connections.exchange(method, target, sent, data, timeout))

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = READ_SECONDS,
        stream: bool = False,
    ) -> requests.Response:
        """Send one request and return the response of a 2xx.

        ``body`` is sent as JSON, ``data`` as it is. Raises SdcError with the service's own code, SdcUnavailable
        when it cannot be reached, SdcTimeout when ``timeout`` seconds pass without an answer.
        """
        sent, data = self._written(headers, body, data)
        url = self.url + _target(path, query)

        def once() -> requests.Response:
            prepared = _prepared(method, url, sent, data)
            response = self._adapter.send(prepared, timeout=(CONNECT_SECONDS, timeout), stream=stream)
            if not stream:
                response.content  # noqa: B018 - read now, within the time limit
            return response

        return self._insist(method, timeout, once)

    def _written(self, headers: Mapping[str, str] | None, body: Any, data: Any) -> tuple[dict[str, str], Any]:
        sent = {**self._headers, **(headers or {})}
        if request_id.get():
            sent["x-request-id"] = request_id.get()
        if body is not None:
            data = msgspec.json.encode(body)
            sent["Content-Type"] = "application/json"
        return sent, data

    def _insist(self, method: str, timeout: float, once: Callable[[], Got]) -> Got:
        """Try as often as the method may be tried."""
        for attempt in range(1, _TRIES + 1):
            last = attempt == _TRIES or method not in _SAFE
            try:
                response = once()
            except (TimeoutError, requests.exceptions.Timeout) as error:
                raise SdcTimeout(self.service, 504, "Timeout", f"no answer in {timeout:g} s") from error
            except (OSError, HTTPException) as error:  # those of requests are OSErrors, too
                if last:
                    raise SdcUnavailable(self.service, 503, "ServiceUnavailable", str(error)) from error
            else:
                if response.status_code < 300:
                    return response
                if response.status_code != 503 or last:
                    raise self._error(response)
            time.sleep(_JITTER.uniform(0.1, 0.2) * 2**attempt)
        raise AssertionError("unreachable")

    def _error(self, response: Answer | requests.Response) -> SdcError:
        code, message, errors = "InternalError", f"HTTP {response.status_code}", None
        try:
            body = msgspec.json.decode(response.content)
            code, message, errors = body.get("code", code), body.get("message", message), body.get("errors")
        except (msgspec.DecodeError, AttributeError):
            pass  # not the service speaking: a proxy, or a crash page
        kind = SdcUnavailable if response.status_code == 503 else SdcError
        return kind(self.service, response.status_code, code, message, errors)

    def _json(self, response: Answer | requests.Response) -> Any:
        """Decode an answer; raises SdcError for one that is none, as of another server at the service's address."""
        content = response.content
        try:
            return msgspec.json.decode(content) if content.strip() else None
        except msgspec.DecodeError as error:
            raise SdcError(self.service, 502, "BadAnswer", f"not JSON: {error}") from error

    def get(self, path: str, *, query: Query | None = None, timeout: float = READ_SECONDS) -> Any:
        return self._json(self.ask("GET", path, query=query, timeout=timeout))

    def post(self, path: str, *, query: Query | None = None, body: Any = None, timeout: float = READ_SECONDS) -> Any:
        return self._json(self.ask("POST", path, query=query, body={} if body is None else body, timeout=timeout))

    def put(self, path: str, *, query: Query | None = None, body: Any = None) -> Any:
        return self._json(self.ask("PUT", path, query=query, body={} if body is None else body))

    def delete(self, path: str, *, query: Query | None = None) -> Any:
        return self._json(self.ask("DELETE", path, query=query))

    def count(self, path: str, header: str, *, query: Query | None = None) -> int:
        """Number of matches of a list, by HEAD: no body travels."""
        return int(self.ask("HEAD", path, query=query).headers.get(header, 0))

    def lines(self, response: requests.Response) -> Iterator[dict[str, Any]]:
        """Decode a stream of JSON objects, one per line, as they arrive."""
        try:
            for line in response.iter_lines(chunk_size=None):
                if line.strip():
                    yield msgspec.json.decode(line)
        except requests.exceptions.RequestException as error:
            raise SdcUnavailable(self.service, 503, "StreamLost", str(error)) from error
        finally:
            response.close()


def _target(path: str, query: Query | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _prepared(method: str, url: str, headers: dict[str, str], data: Any) -> requests.PreparedRequest:
    """A request ready for the adapter; a body that is no bytes goes out in chunks, as requests does."""
    prepared = requests.PreparedRequest()
    prepared.method, prepared.url, prepared.headers = method, url, CaseInsensitiveDict(headers)
    prepared.hooks = {}
    if data is None or isinstance(data, bytes):
        prepared.body = data
        if data is not None or method in {"POST", "PUT"}:
            prepared.headers["Content-Length"] = str(len(data or b""))
    else:
        prepared.prepare_body(data, None)
    return prepared
