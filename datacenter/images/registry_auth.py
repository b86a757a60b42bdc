"""Who we are to a registry: Docker's credential headers, and the Basic and Bearer challenges."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests

from datacenter.images.errors import RegistryError

CLIENT_ID = "triton-docker-gateway"
_LARGEST_TOKEN_REPLY = 1024 * 1024
_PARAMETER = re.compile(r'([a-zA-Z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_LEGACY_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")


@dataclass(frozen=True)
class Credentials:
    """What ``docker login`` keeps; its secrets never show in a repr, hence in no log."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    def basic(self) -> str:
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def credentials(auth: str | None, config: str | None, index: str) -> Credentials | None:
    """Read X-Registry-Auth, or else this index' entry of X-Registry-Config; None means anonymous.

    Both are base64 of JSON, in either alphabet. A header that can't be read counts as none, as for dockerd.
    """
    entry = _decode(auth)
    if not any(entry.get(key) for key in ("username", "identitytoken", "registrytoken")):
        store = _decode(config)
        keys = _LEGACY_KEYS if index == "docker.io" else (index, f"https://{index}")
        entry = next((store[key] for key in keys if isinstance(store.get(key), dict)), {})
    found = Credentials(
        username=_text(entry, "username"),
        password=_text(entry, "password"),
        identity_token=_text(entry, "identitytoken"),
        registry_token=_text(entry, "registrytoken"),
    )
    return None if found == Credentials() else found


def _decode(header: str | None) -> dict[str, Any]:
    if not header:
        return {}
    try:
        plain = base64.b64decode(header.translate({45: "+", 95: "/"}) + "==")
        decoded = msgspec.json.decode(plain)
    except (ValueError, msgspec.DecodeError):
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


class Authorization:
    """The Authorization header for one repository, found out by answering the registry's challenge.

    ``post`` and ``get`` reach the token server. A registry that is spoken to over TLS may send us to a
    TLS token server only: else it could turn us upon services of the machine's own network.
    """

    def __init__(self, who: Credentials | None, session: requests.Session, *, insecure: bool) -> None:
        self._who = who
        self._session = session
        self._insecure = insecure
        self.header = f"Bearer {who.registry_token}" if who and who.registry_token else ""

    def answer(self, challenge: str, scope: str, timeout: tuple[float, float]) -> bool:
        """Work out a new header from a WWW-Authenticate; False when we have nothing to answer with."""
        scheme, _, rest = challenge.strip().partition(" ")
        if scheme.lower() == "basic":
            if self._who is None or not self._who.username:
                return False
            self.header = self._who.basic()
            return True
        if scheme.lower() != "bearer":
            return False
        asked = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
        self.header = f"Bearer {self._token(asked, scope, timeout)}"
        return True

    def _token(self, asked: Mapping[str, str], scope: str, timeout: tuple[float, float]) -> str:
        realm = asked.get("realm", "")
        parts = urlsplit(realm)
        if parts.scheme != "https" and not (parts.scheme == "http" and self._insecure):
            raise RegistryError("RemoteSourceError", "the registry names no usable token server")
        query = {"scope": _widest(asked.get("scope", ""), scope)}
        if asked.get("service"):
            query["service"] = asked["service"]
        send = self._request(realm, query, timeout)
        try:
            with send() as response:
                body = response.raw.read(_LARGEST_TOKEN_REPLY, decode_content=True)
                status = response.status_code
        except (requests.RequestException, OSError) as error:
            raise RegistryError("RemoteSourceError", f"no answer from the token server {parts.netloc}") from error
        if status in (401, 403):
            raise RegistryError("UnauthorizedError", "unauthorized: incorrect username or password")
        if status != 200:
            raise RegistryError("RemoteSourceError", f"the token server {parts.netloc} answered {status}")
        return _token_of(body, parts.netloc)

    def _request(
        self, realm: str, query: dict[str, str], timeout: tuple[float, float]
    ) -> Callable[[], requests.Response]:
        who = self._who
        if who is not None and who.identity_token:
            form = {
                **query,
                "grant_type": "refresh_token",
                "refresh_token": who.identity_token,
                "client_id": CLIENT_ID,
            }
            return lambda: self._session.post(realm, data=form, timeout=timeout, stream=True, allow_redirects=False)
        headers = {"Authorization": who.basic()} if who is not None and who.username else {}
        if headers:
            query["account"] = who.username if who is not None else ""
        return lambda: self._session.get(
            realm, params=query, headers=headers, timeout=timeout, stream=True, allow_redirects=False
        )


def _widest(asked: str, needed: str) -> str:
    """Choose the scope to ask for: the registry's, unless a request that only read made it too narrow for us."""
    actions = needed.rpartition(":")[2].split(",")
    return asked if asked and all(action in re.split(r"[:,\s]", asked) for action in actions) else needed


def _token_of(body: bytes, server: str) -> str:
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        decoded = None
    token = (decoded.get("token") or decoded.get("access_token")) if isinstance(decoded, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise RegistryError("RemoteSourceError", f"the token server {server} gave no token")
    return token
