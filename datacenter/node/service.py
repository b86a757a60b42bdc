"""Small HTTP calls to the data center's services: JSON in and out, files to disk."""

from __future__ import annotations

import http.client
import shutil
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import msgspec

TIMEOUT = 60.0


class ServiceError(OSError):
    """A service answered with an error status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Service:
    """One service with one kept connection; one call at a time. Raises ServiceError or another OSError."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request, again on a fresh connection when the kept one turns out dead; the decoded answer."""
        data = None if body is None else msgspec.json.encode(body)
        kept = self._connection.sock is not None
        try:
            return self._exchange(method, path, data)
        except (http.client.HTTPException, ConnectionError) as error:
            self._connection.close()
            if not kept:
                raise ConnectionError(str(error)) from error
        try:
            return self._exchange(method, path, data)
        except (http.client.HTTPException, ConnectionError) as error:
            self._connection.close()
            raise ConnectionError(str(error)) from error

    def _exchange(self, method: str, path: str, data: bytes | None) -> Any:
        try:
            self._connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            reply = self._connection.getresponse()
            text = reply.read()
        except TimeoutError:
            self._connection.close()
            raise
        if reply.status >= 400:
            raise ServiceError(reply.status, text.decode(errors="replace")[:500])
        return msgspec.json.decode(text) if text.strip() else None

    def download(self, path: str, target: Path) -> None:
        """Write an answer's body to a file. Raises ConnectionError for one that breaks off, too."""
        self._connection.close()
        try:
            self._connection.request("GET", path)
            reply = self._connection.getresponse()
            if reply.status != 200:
                raise ServiceError(reply.status, reply.read(500).decode(errors="replace"))
            with target.open("wb") as file:
                shutil.copyfileobj(reply, file, 1 << 18)
                if file.tell() != int(reply.headers.get("Content-Length") or file.tell()):
                    raise ConnectionError("the answer broke off")
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            self._connection.close()

    def upload(self, path: str, file: BinaryIO, size: int) -> Any:
        """Send a file as the body of a PUT; the decoded answer."""
        self._connection.close()
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        try:
            self._connection.request("PUT", path, iter(lambda: file.read(1 << 18), b""), headers)
            reply = self._connection.getresponse()
            text = reply.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            self._connection.close()
        if reply.status >= 400:
            raise ServiceError(reply.status, text.decode(errors="replace")[:500])
        return msgspec.json.decode(text)

    def close(self) -> None:
        self._connection.close()
