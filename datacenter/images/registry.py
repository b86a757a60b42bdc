"""Docker registries (HTTP API V2): reach them, and pull, trusting nothing that a digest doesn't prove."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

import gevent
import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter

from datacenter.images.endpoints import Endpoint, endpoints
from datacenter.images.errors import RegistryError, Unreachable
from datacenter.images.manifests import ACCEPT, Descriptor, Index, Manifest, choose, digest_of, machine, read
from datacenter.images.pace import CHUNK, breathe
from datacenter.images.registry_auth import CLIENT_ID, Authorization, Credentials
from grammars.places import Place, leads_to
from grammars.references import DEFAULT_TAG, Reference

TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and of silence while reading."""
RETRY_DELAYS = (0.2, 1.0, 2.0, 4.0, 8.0)
_MOST_REDIRECTS = 5
_LARGEST_MANIFEST = 4 * 1024 * 1024
_LARGEST_CONFIG = 16 * 1024 * 1024

Payload = bytes | Iterable[bytes] | None
RepositoryKind = TypeVar("RepositoryKind", bound="Repository")

# Certificates go unchecked only for registries that the operator's settings call insecure.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


class Sink(Protocol):
    """Where a blob's bytes go as they come in, to be counted and hashed there."""

    @property
    def size(self) -> int: ...

    @property
    def digest(self) -> str: ...

    def write(self, data: bytes) -> object: ...

    def restart(self) -> None:
        """Forget all that was written: the registry begins anew."""


class _Guarded(HTTPAdapter):
    """Sends nothing to places that trust whoever reaches them."""

    def __init__(self, closed: Collection[Place]) -> None:
        super().__init__(pool_connections=16, pool_maxsize=16)
        self._closed = closed

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises ConnectionError for a closed place, as if nobody were there."""
        if leads_to(request.url or "", self._closed):
            raise requests.ConnectionError(f"{request.url} is no registry", request=request)
        return super().send(request, *args, **kwargs)


class Registry:
    """The registries of the world, by the operator's settings."""

    def __init__(
        self,
        insecure: Sequence[str] = (),
        mirrors: Sequence[str] = (),
        retry_delays: Sequence[float] = RETRY_DELAYS,
        closed: Collection[Place] = (),
    ) -> None:
        """Take the operator's settings; ``retry_delays`` are the seconds before each retry of a blob.

        ``closed`` are places that are no registries, whoever says so: an image's name, a redirect, or a
        registry that sends us there for a token.
        """
        self._retry_delays = retry_delays
        self._insecure = insecure
        self._mirrors = mirrors
        self._session = requests.Session()
        self._session.trust_env = False
        adapter = _Guarded(closed)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers.update({"User-Agent": CLIENT_ID, "Accept-Encoding": "identity"})

    def open(self, reference: Reference, who: Credentials | None) -> tuple[Repository, Resolved]:
        """Find a reference's manifest for this machine, and the repository on the endpoint that has it.

        Raises RegistryError, that of the last endpoint tried.
        """
        failure = RegistryError("RemoteSourceError", "no endpoint")
        for endpoint in endpoints(reference.index, self._insecure, self._mirrors):
            known = None if endpoint.mirror else who
            repository = Repository(self._session, endpoint, reference.remote_name, known, self._retry_delays)
            try:
                return repository, repository.resolve(reference)
            except Unreachable as error:
                failure = error
            except RegistryError as error:
                if not endpoint.mirror:
                    raise
                failure = error
        raise failure

    def target(self, kind: type[RepositoryKind], reference: Reference, who: Credentials | None) -> RepositoryKind:
        """Find the endpoint that a reference's registry answers on, for writing: no mirror takes its place.

        Raises RegistryError, that of the last endpoint tried.
        """
        failure = RegistryError("RemoteSourceError", "no endpoint")
        for endpoint in endpoints(reference.index, self._insecure, ()):
            repository = kind(self._session, endpoint, reference.remote_name, who, self._retry_delays)
            try:
                repository.greet()
            except Unreachable as error:
                failure = error
            else:
                return repository
        raise failure


@dataclass(frozen=True)
class Resolved:
    """What a reference means: the digest it names (an index', where there is one), and the manifest chosen."""

    digest: str
    manifest: Manifest


class Repository:
    """One repository on one endpoint, with the authorization won there."""

    actions = "pull"
    """What its tokens must allow."""

    def __init__(
        self,
        session: requests.Session,
        endpoint: Endpoint,
        name: str,
        who: Credentials | None,
        retry_delays: Sequence[float],
    ) -> None:
        self.retry_delays = retry_delays
        self._session = session
        self._endpoint = endpoint
        self._name = name
        self._auth = Authorization(who, session, insecure=endpoint.insecure)

    def greet(self) -> None:
        """Ask whether a registry is there at all; being asked who we are is an answer, too."""
        with self._follow("GET", f"{self._endpoint.base}/v2/", {}) as response:
            if response.status_code >= 500:
                raise_for_status(response, 200)

    def resolve(self, reference: Reference) -> Resolved:
        """Fetch the manifest of a tag or digest, through an index where there is one."""
        found = self._manifest(reference.digest or reference.tag or DEFAULT_TAG)
        if isinstance(found, Manifest):
            return Resolved(found.digest, found)
        chosen = self._manifest(choose(found, machine()).digest)
        if isinstance(chosen, Index):
            raise RegistryError("NotImplemented", "an index within an index is not supported")
        return Resolved(found.digest, chosen)

    def config(self, descriptor: Descriptor) -> bytes:
        """Fetch the image's configuration, the exact bytes."""
        path = f"blobs/{descriptor.digest}"
        data, _ = self._small(path, _LARGEST_CONFIG)
        if digest_of(data) != descriptor.digest:
            raise RegistryError("Download", f"image config verification failed for digest {descriptor.digest}")
        return data

    def download(self, descriptor: Descriptor, sink: Sink) -> None:
        """Copy a blob into ``sink``, going on where a broken transfer stopped.

        Raises RegistryError: Download when size or digest are not those of ``descriptor``.
        """
        for delay in (*self.retry_delays, None):
            if sink.size >= descriptor.size > 0:
                break
            try:
                with self._blob(descriptor.digest, sink.size) as response:
                    _copy(response, descriptor, sink)
                break
            except Unreachable:
                if delay is None:
                    raise
                gevent.sleep(delay)
        if (sink.size, sink.digest) != (descriptor.size, descriptor.digest):
            raise RegistryError("Download", f"filesystem layer verification failed for digest {descriptor.digest}")

    def _manifest(self, target: str) -> Manifest | Index:
        data, kind = self._small(f"manifests/{target}", _LARGEST_MANIFEST)
        if target.startswith("sha256:") and digest_of(data) != target:
            raise RegistryError("Download", f"manifest verification failed for digest {target}")
        return read(data, kind)

    def _small(self, path: str, most: int) -> tuple[bytes, str]:
        with self.ask("GET", path, {"Accept": ACCEPT}) as response:
            raise_for_status(response, 200, unsaid="NotFoundError")
            data = b"".join(_chunks(response, most + 1))
            if len(data) > most:
                raise RegistryError("Download", f"the registry's answer is larger than {most} bytes")
            return data, response.headers.get("Content-Type", "")

    @contextmanager
    def _blob(self, digest: str, offset: int) -> Iterator[requests.Response]:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with self.ask("GET", f"blobs/{digest}", headers) as response:
            raise_for_status(response, 200, 206)
            yield response

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, data: Payload = None
    ) -> requests.Response:
        """Send a request below the repository, or to a whole URL, answering one challenge.

        A token may also run out midway. ``data`` must give its bytes anew each time it is iterated.
        """
        url = path if "://" in path else f"{self._endpoint.base}/v2/{self._name}/{path}"
        response = self._follow(method, url, headers or {}, data)
        if response.status_code == 401:
            challenge = response.headers.get("WWW-Authenticate", "")
            scope = f"repository:{self._name}:{self.actions}"
            if self._auth.answer(challenge, scope, TIMEOUT):
                response.close()
                response = self._follow(method, url, headers or {}, data)
        return response

    def _follow(self, method: str, url: str, headers: Mapping[str, str], data: Payload = None) -> requests.Response:
        """Send through redirects of what only reads; the Authorization stays with the origin it is meant for."""
        home = _origin(self._endpoint.base)
        for _ in range(_MOST_REDIRECTS):
            at_home = _origin(url) == home
            own = {"Authorization": self._auth.header} if at_home and self._auth.header else {}
            with _transport(url):
                response = self._session.request(
                    method,
                    url,
                    headers={**headers, **own},
                    data=data,
                    stream=True,
                    allow_redirects=False,
                    timeout=TIMEOUT,
                    verify=not (at_home and self._endpoint.insecure),
                )
            if not response.is_redirect or method not in ("GET", "HEAD"):
                return response
            response.close()
            url = self.beside(url, response.headers["Location"])
        raise RegistryError("RemoteSourceError", "too many redirects")

    def beside(self, url: str, location: str) -> str:
        """Return where a Location leads from a URL. Raises RegistryError when it leads out of TLS."""
        url = urljoin(url, location)
        if urlsplit(url).scheme != "https" and not self._endpoint.insecure:
            raise RegistryError("RemoteSourceError", "the registry redirects away from TLS")
        return url


def _copy(response: requests.Response, descriptor: Descriptor, sink: Sink) -> None:
    """Go on filling the sink, or begin anew when the registry does; one byte too many is enough to know."""
    resumed = response.headers.get("Content-Range", "").startswith(f"bytes {sink.size}-")
    if sink.size and not (response.status_code == 206 and resumed):
        sink.restart()
    for data in _chunks(response, descriptor.size - sink.size + 1):
        sink.write(data)
        breathe()
    if sink.size < descriptor.size and "Content-Length" not in response.headers:
        raise Unreachable("Download", "the registry closed the connection too early")


def _chunks(response: requests.Response, most: int) -> Iterator[bytes]:
    """Read at most ``most`` bytes of a body, as they are on the wire."""
    with _transport(response.url):
        while most > 0:
            data = response.raw.read(min(CHUNK, most), decode_content=False)
            if not data:
                return
            most -= len(data)
            yield data


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


@contextmanager
def _transport(url: str) -> Iterator[None]:
    """Turn what sockets and libraries raise into Unreachable, in Docker's form of words."""
    host = urlsplit(url).netloc
    try:
        yield
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise Unreachable("ConnectTimeoutError", f"timeout connecting to host {host}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable("RemoteSourceError", f"{_reason(error, host)}") from error


def _reason(error: BaseException, host: str) -> str:
    name = host.rpartition("@")[2]
    text = repr(error)
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return f"lookup {name.partition(':')[0]}: no such host"
    if "Connection refused" in text:
        return f"dial tcp {name}: connect: connection refused"
    if isinstance(error, requests.exceptions.SSLError):
        return f"{name}: the TLS handshake or the certificate's check failed"
    return f"connection to {name} failed"


def raise_for_status(response: requests.Response, *good: int, unsaid: str = "not found") -> None:
    """Raise RegistryError for any other status; ``unsaid`` is what is told of a 404 that brings no sentence."""
    status = response.status_code
    if status in good:
        return
    sentence = _sentence(response)
    if status == 404:
        raise RegistryError("ResourceNotFound", sentence or unsaid)
    if status in (401, 403):
        raise RegistryError("UnauthorizedError", sentence or "unauthorized: authentication required")
    if status >= 500:
        raise Unreachable("RemoteSourceError", sentence or f"received unexpected HTTP status: {status}")
    raise RegistryError("RemoteSourceError", sentence or f"received unexpected HTTP status: {status}")


def _sentence(response: requests.Response) -> str:
    """Say the registry's first error as Docker does: ``manifest unknown: manifest unknown``."""
    try:
        body = msgspec.json.decode(b"".join(_chunks(response, 64 * 1024)))
        first = body["errors"][0]
        return f"{str(first['code']).lower().replace('_', ' ')}: {first['message']}"
    except (RegistryError, msgspec.DecodeError, KeyError, IndexError, TypeError):
        return ""
