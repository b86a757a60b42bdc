"""Questions to registries that need no data center: what a name means there, and what can be found there."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.call import Call
from gateway.errors import DockerError, InternalError, InvalidParameter, NotFound, Unauthorized
from grammars.places import leads_to, place_of
from grammars.references import DEFAULT_INDEX, Reference
from sdc import registry
from sdc.errors import SdcError, SdcUnavailable
from translators.filters import Filters, parse_filters, truth
from translators.images.blobs import DOCKER_MANIFEST, OCI_MANIFEST, sha256
from translators.images.credentials import registry_auth
from translators.images.lookup import parse_reference

Json = dict[str, Any]

_INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_ACCEPT = ", ".join((*_INDEXES, DOCKER_MANIFEST, OCI_MANIFEST))
_PLATFORM = {"architecture": "architecture", "os": "os", "variant": "variant", "os.version": "os.version"}
_MOST_RESULTS = 100


def caller_of(call: Call, username: str, password: str) -> registry.Caller:
    """Who asks a registry, kept away from the data center's own services, which trust whoever reaches them."""
    places = frozenset(place_of(url) for url in call.services.urls)
    return registry.Caller(
        username=username,
        password=password,
        insecure=call.config.insecure_registries,
        closed=lambda url: leads_to(url, places),
    )


def _caller(call: Call) -> registry.Caller:
    entry = registry_auth(call)
    name = str(entry.get("username") or ("<token>" if entry.get("identitytoken") else ""))
    return caller_of(call, name, str(entry.get("identitytoken") or entry.get("password") or ""))


def inspect(call: Call, name: str) -> Json:
    """Return the descriptor and the platforms of an image in its registry.

    Docker: GET /distribution/{name}/json   SDC: - (the registry itself)
    """
    reference = parse_reference(name).with_default_tag()
    caller, target = _caller(call), reference.digest or reference.tag
    try:
        found = registry.fetch(reference.index, reference.remote_name, f"manifests/{target}", caller, _ACCEPT)
        body = _document(found.body)
        media_type = str(body.get("mediaType") or found.media_type.partition(";")[0])
        platforms = _listed(body) if "manifests" in body else _configured(reference, body, caller)
    except SdcError as error:
        raise _explained(error, reference.index) from error
    digest = sha256(found.body)
    if reference.digest and reference.digest != digest:
        raise InternalError(f"manifest verification failed for digest {reference.digest}")
    descriptor = {"mediaType": media_type, "digest": digest, "size": len(found.body)}
    return {"Descriptor": descriptor, "Platforms": platforms}


def _document(data: bytes) -> Json:
    try:
        return msgspec.json.decode(data, type=Json)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InternalError("the registry's manifest is not valid") from error


def _platform(given: object) -> Json:
    fields = given if isinstance(given, dict) else {}
    return {name: fields[key] for key, name in _PLATFORM.items() if fields.get(key)}


def _listed(index: Json) -> list[Json]:
    items = index["manifests"] if isinstance(index["manifests"], list) else []
    return [_platform(item.get("platform")) for item in items if isinstance(item, dict)]


def _configured(reference: Reference, manifest: Json, caller: registry.Caller) -> list[Json]:
    """The platform that an image's config tells; none when the registry does not give it, as for dockerd."""
    config = manifest.get("config")
    digest = config.get("digest") if isinstance(config, dict) else None
    if not digest:
        return []
    try:
        found = registry.fetch(reference.index, reference.remote_name, f"blobs/{digest}", caller)
    except SdcError:
        return []
    platform = _platform(_document(found.body))
    return [platform] if platform else []


def search(call: Call, term: str, limit: str) -> list[Json]:
    """Ask an index for repositories: Docker Hub, or that of ``host/term``.

    Docker: GET /images/search   SDC: - (the registry itself)
    """
    filters = parse_filters(call.arg("filters"), {"is-automated", "is-official", "stars"})
    wanted = _limit(limit)
    if truth(filters, "is-automated"):
        return []  # there are none any more, says dockerd too
    index, _, rest = term.partition("/")
    if not rest or not ({".", ":"} & set(index) or index == "localhost"):
        index, rest = DEFAULT_INDEX, term.removeprefix("library/")
    if not rest.strip() or "://" in term:
        raise InvalidParameter(f"invalid search term {term!r}")
    try:
        results = registry.search(index, rest, wanted, _caller(call))
    except SdcError as error:
        if error.status == 404:
            raise NotFound(f"registry {index} cannot be searched: it has no index") from error
        raise _explained(error, index) from error
    kept = [_result(item) for item in results if _is_wanted(item, filters)]
    return kept[:wanted]


def _limit(text: str) -> int:
    if text and not text.isdecimal():
        raise InvalidParameter("invalid limit specified")
    limit = int(text or 0) or 25
    if limit > _MOST_RESULTS:
        raise InvalidParameter(f"limit {limit} is outside the range of [1, {_MOST_RESULTS}]")
    return limit


def _is_wanted(item: Json, filters: Filters) -> bool:
    official = truth(filters, "is-official")
    if official is not None and bool(item.get("is_official")) != official:
        return False
    return all(int(item.get("star_count") or 0) >= _stars(text) for text in filters.get("stars", []))


def _stars(text: str) -> int:
    if not text.isdecimal():
        raise InvalidParameter(f"invalid filter 'stars={text}'")
    return int(text)


def _result(item: Json) -> Json:
    return {
        "star_count": int(item.get("star_count") or 0),
        "is_official": bool(item.get("is_official")),
        "name": str(item.get("name") or ""),
        "is_automated": False,
        "description": str(item.get("description") or ""),
    }


def _explained(error: SdcError, index: str) -> DockerError:
    if isinstance(error, SdcUnavailable):
        return InternalError(f"registry {index} could not be reached")
    if error.status == 401:
        return Unauthorized(error.message)
    if error.status == 404:
        return NotFound(error.message)
    return InternalError(f"registry {index}: {error.message}")
