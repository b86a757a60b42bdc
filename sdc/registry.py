"""Asking Docker registries: are credentials good, what does a name mean, which repositories are there?

Pulls and pushes are IMGAPI's; only what is small is asked from here, as sdc-docker did from its own zone.
Facts: distribution's HTTP API V2 and token authentication; Docker's search protocol (v1).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
import requests

from sdc.errors import SdcError, SdcUnavailable

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_TIMEOUT = (5.0, 15.0)
_MOST = 4 * 1024 * 1024
_REDIRECTS = 3
DOCKER_HUB = "registry-1.docker.io"
_HUB_SEARCH = "index.docker.io"
_HUB_NAMES = {"", "docker.io", "index.docker.io", "registry-1.docker.io"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and where they may go.

    ``insecure`` names registries (CIDR blocks or host[:port]) that may be spoken to in plain http. Nothing is sent
    to a URL that is ``closed``, be it a registry's, its token server's or a redirect's.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    insecure: Sequence[str] = ()
    closed: Callable[[str], bool] = lambda _url: False

    @property
    def auth(self) -> tuple[str, str] | None:
        return (self.username, self.password) if self.username else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry sent; ``body`` is whole."""

    media_type: str
    body: bytes


def login(server: str, caller: Caller) -> None:
    """Return when the registry takes the credentials.

    ``server`` is a host[:port] or a URL; empty means Docker Hub. Raises SdcError Unauthorized, or SdcUnavailable.
    """
    _ask(_host(server), "/v2/", caller, first_auth=caller.auth)


def fetch(server: str, repository: str, what: str, caller: Caller, accept: str = "*/*") -> Answer:
    """Get ``manifests/<reference>`` or ``blobs/<digest>`` of a repository, at most 4 MiB.

    Raises SdcError with the registry's status and sentence (``manifest unknown: ...``), or SdcUnavailable.
    """
    scope = f"repository:{repository}:pull"
    return _ask(_host(server), f"/v2/{repository}/{what}", caller, scope=scope, accept=accept)


def search(server: str, term: str, limit: int, caller: Caller) -> list[dict[str, Any]]:
    """Ask a registry's index for repositories; most registries but Docker Hub have none. Raises as ``fetch``."""
    host = _host(server)
    query = requests.models.PreparedRequest()
    query.prepare_url("http://x/v1/search", {"q": term, "n": limit})
    path = urlsplit(str(query.url))
    target = f"{path.path}?{path.query}"
    answer = _ask(_HUB_SEARCH if host == DOCKER_HUB else host, target, caller, first_auth=caller.auth)
    try:
        body = msgspec.json.decode(answer.body, type=dict[str, Any])
        results: list[dict[str, Any]] = msgspec.convert(body.get("results") or [], list[dict[str, Any]])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise SdcError("registry", 502, "RemoteSourceError", f"{host} sent no search results") from error
    return results


def _host(server: str) -> str:
    host = re.sub(r"^https?://", "", server).split("/", 1)[0]
    return DOCKER_HUB if host in _HUB_NAMES else host


def is_insecure(host: str, insecure: Sequence[str]) -> bool:
    """Whether a registry's host[:port] is named in, or its address lies in, the insecure ones."""
    name = host.rsplit(":", 1)[0].strip("[]") if not host.endswith("]") else host.strip("[]")
    for entry in insecure:
        if entry in (host, name):
            return True
        try:
            if ipaddress.ip_address(name) in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


def _ask(
    host: str,
    path: str,
    caller: Caller,
    *,
    scope: str = "",
    accept: str = "*/*",
    first_auth: tuple[str, str] | None = None,
) -> Answer:
    """GET over TLS, or in plain where that is allowed, answering one challenge."""
    schemes = ["https", "http"] if is_insecure(host, caller.insecure) else ["https"]
    problem: Exception | None = None
    for scheme in schemes:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = len(schemes) == 1
            asking = _Asking(session, f"{scheme}://{host}", caller, {"Accept": accept})
            try:
                return asking.answered(path, scope, first_auth)
            except requests.exceptions.RequestException as error:
                problem = error
    raise SdcUnavailable("registry", 503, "RemoteSourceError", f"{host} could not be reached") from problem


class _Asking:
    """One question to one endpoint."""

    def __init__(self, session: requests.Session, base: str, caller: Caller, headers: Mapping[str, str]) -> None:
        self._session = session
        self._base = base
        self._caller = caller
        self._headers = dict(headers)

    def answered(self, path: str, scope: str, first_auth: tuple[str, str] | None) -> Answer:
        response = self._get(self._base + path, auth=first_auth)
        challenge = response.headers.get("WWW-Authenticate", "")
        if response.status_code == 401 and challenge.lower().startswith("bearer"):
            token = self._token(challenge, scope)
            if path == "/v2/":
                return Answer("", b"")  # a login: that there is a token is all there is to know
            self._headers["Authorization"] = f"Bearer {token}"
            response = self._get(self._base + path)
        elif response.status_code == 401 and self._caller.auth and first_auth is None:
            response = self._get(self._base + path, auth=self._caller.auth)
        _raise_for_status(response)
        return Answer(response.headers.get("Content-Type", ""), _body(response))

    def _get(self, url: str, auth: tuple[str, str] | None = None) -> requests.Response:
        """Follow redirects, with our name for the endpoint's own host alone."""
        for _ in range(_REDIRECTS):
            self._check_open(url)
            home = url.startswith(self._base + "/")
            headers = self._headers if home else {}
            response = self._session.get(
                url, auth=auth if home else None, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True
            )
            if not response.is_redirect:
                return response
            url = urljoin(url, response.headers["Location"])
            if self._base.startswith("https:") and not url.startswith("https:"):
                break
        raise SdcError("registry", 502, "RemoteSourceError", "the registry redirects too often, or away from TLS")

    def _check_open(self, url: str) -> None:
        if self._caller.closed(url):
            raise requests.exceptions.InvalidURL(f"{url} is no registry")

    def _token(self, challenge: str, scope: str) -> str:
        fields = dict(_CHALLENGE.findall(challenge))
        realm = fields.pop("realm", "")
        if not realm.startswith(("https://", "http://") if self._base.startswith("http:") else ("https://",)):
            raise SdcError("registry", 502, "BadChallenge", f"registry {self._base} names no usable token server")
        self._check_open(realm)
        query = {"client_id": "docker", **({"scope": scope} if scope else {}), **fields}
        if self._caller.auth:
            query["account"] = self._caller.username
        response = self._session.get(
            realm, params=query, auth=self._caller.auth, timeout=_TIMEOUT, allow_redirects=False, stream=True
        )
        _raise_for_status(response)
        try:
            body = msgspec.json.decode(_body(response), type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError):
            body = {}
        return str(body.get("token") or body.get("access_token") or "")


def _body(response: requests.Response) -> bytes:
    data = bytearray()
    for chunk in response.iter_content(1 << 16):
        data += chunk
        if len(data) > _MOST:
            raise SdcError("registry", 502, "RemoteSourceError", "the registry's answer is too large")
    return bytes(data)


def _raise_for_status(response: requests.Response) -> None:
    status = response.status_code
    if status < 300:
        return
    sentence = _sentence(response)
    if status in {401, 403}:
        raise SdcError("registry", 401, "Unauthorized", sentence or "unauthorized: incorrect username or password")
    code = "ResourceNotFound" if status == 404 else "RemoteSourceError"
    raise SdcError("registry", status, code, sentence or f"received unexpected HTTP status: {status}")


def _sentence(response: requests.Response) -> str:
    """The registry's first error in Docker's form: ``manifest unknown: manifest unknown``."""
    try:
        first = msgspec.json.decode(_body(response))["errors"][0]
        return f"{str(first['code']).lower().replace('_', ' ')}: {first['message']}"
    except (msgspec.DecodeError, SdcError, KeyError, IndexError, TypeError):
        return ""
