"""Asking a Docker registry whether credentials are good. Pulls are IMGAPI's; only the login is asked from here.

Facts: distribution's token authentication; sdc-docker made this call from its own zone, too.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence

import requests

from sdc.errors import SdcError, SdcUnavailable

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_TIMEOUT = (5.0, 15.0)
DOCKER_HUB = "registry-1.docker.io"
_HUB_NAMES = {"", "docker.io", "index.docker.io", "registry-1.docker.io"}


def login(
    server: str,
    username: str,
    password: str,
    *,
    insecure: Sequence[str] = (),
    closed: Callable[[str], bool] = lambda _url: False,
) -> None:
    """Return when the registry takes the credentials.

    ``server`` is a host[:port] or a URL; empty means Docker Hub. ``insecure`` names registries (CIDR blocks or
    host[:port]) that may be spoken to in plain http. Nothing is sent to a URL that is ``closed``, be it the
    registry's or its token server's. Raises SdcError Unauthorized, or SdcUnavailable.
    """
    host = re.sub(r"^https?://", "", server).split("/", 1)[0]
    host = DOCKER_HUB if host in _HUB_NAMES else host
    schemes = ["https", "http"] if is_insecure(host, insecure) else ["https"]
    problem: Exception | None = None
    for scheme in schemes:
        try:
            return _try(f"{scheme}://{host}/v2/", username, password, verify=len(schemes) == 1, closed=closed)
        except requests.exceptions.RequestException as error:
            problem = error
    raise SdcUnavailable("registry", 503, "RemoteSourceError", f"{host} could not be reached") from problem


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


def _try(url: str, username: str, password: str, *, verify: bool, closed: Callable[[str], bool]) -> None:
    if closed(url):
        raise requests.exceptions.InvalidURL(f"{url} is no registry")
    with requests.Session() as session:
        session.trust_env = False
        session.verify = verify
        answer = session.get(url, auth=(username, password), timeout=_TIMEOUT, allow_redirects=False)
        challenge = answer.headers.get("WWW-Authenticate", "")
        if answer.status_code == 401 and challenge.lower().startswith("bearer"):
            fields = dict(_CHALLENGE.findall(challenge))
            realm = fields.pop("realm", "")
            if not realm.startswith(("https://", "http://") if url.startswith("http:") else ("https://",)):
                raise SdcError("registry", 502, "BadChallenge", f"registry {url} names no usable token server")
            if closed(realm):
                raise requests.exceptions.InvalidURL(f"{realm} is no token server")
            query = {"account": username, "client_id": "docker", **fields}
            answer = session.get(
                realm, params=query, auth=(username, password), timeout=_TIMEOUT, allow_redirects=False
            )
        if answer.status_code in {401, 403}:
            raise SdcError("registry", 401, "Unauthorized", "incorrect username or password")
        if answer.status_code >= 400:
            raise SdcError("registry", answer.status_code, "RemoteSourceError", f"status {answer.status_code}")
