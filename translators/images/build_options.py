"""The options of a classic build, as its query tells them. Pure. Facts: Engine API ImageBuild, moby."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.errors import InvalidParameter, NotImplementedHere
from gateway.operations import NO_BUILDKIT
from grammars.references import Reference
from translators.containers.model import ContainerCreate, HostConfig, Ulimit
from translators.images.lookup import parse_reference
from translators.platforms import check_platform

Query = Mapping[str, Sequence[str]]
_FALSE = {"", "0", "no", "none", "false"}
_NUMBERS = {
    "memory": "Memory", "memswap": "MemorySwap", "cpushares": "CpuShares", "cpuperiod": "CpuPeriod",
    "cpuquota": "CpuQuota", "shmsize": "ShmSize",
}  # fmt: skip
_TEXTS = {"cpusetcpus": "CpusetCpus", "cpusetmems": "CpusetMems", "cgroupparent": "CgroupParent"}
SETUP = "# nop (build setup)"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What a build is to do; where it runs is said by ``container``."""

    tags: tuple[Reference, ...]
    dockerfile: str
    target: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]
    use_cache: bool
    always_pull: bool
    quiet: bool
    build_id: str
    warnings: tuple[str, ...]


def build_options(query: Query) -> BuildOptions:
    """Read the options. Raises InvalidParameter, and NotImplementedHere for what a data center does not do."""
    _refuse(query)
    dockerfile = _text(query, "dockerfile")
    if dockerfile and posixpath.normpath(dockerfile.lstrip("/")).startswith(".."):
        raise InvalidParameter(f"Forbidden path outside the build context: {dockerfile}")
    warnings = []
    if any(_json(query, "cachefrom", list) or ()):
        warnings.append("--cache-from is not used: the cache is made of the images that you have")
    if "rm" in query and not _flag(query, "rm"):
        warnings.append("--rm=false is not used: the container of a build is always removed")
    return BuildOptions(
        tags=tuple(_tag(text) for text in query.get("t", ()) if text),
        dockerfile=dockerfile,
        target=_text(query, "target"),
        arguments={key: value for key, value in _map(query, "buildargs").items() if value is not None},
        labels={key: value or "" for key, value in _map(query, "labels").items()},
        use_cache=not _flag(query, "nocache"),
        always_pull=_flag(query, "pull"),
        quiet=_flag(query, "q"),
        build_id=_text(query, "buildid"),
        warnings=tuple(warnings),
    )


def build_container(query: Query) -> ContainerCreate:
    """Describe the container that a build runs in, as if it was asked for. Raises InvalidParameter."""
    host = HostConfig()
    for name, field in _NUMBERS.items():
        setattr(host, field, _number(query, name))
    for name, field in _TEXTS.items():
        setattr(host, field, _text(query, name))
    host.NetworkMode = _text(query, "networkmode")
    host.ExtraHosts = [entry for text in query.get("extrahosts", ()) for entry in text.split(",") if entry]
    try:
        host.Ulimits = msgspec.convert(_json(query, "ulimits", list) or [], list[Ulimit])
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"error reading ulimits: {error}") from error
    labels = {key: value or "" for key, value in _map(query, "labels").items()}
    return ContainerCreate(Image="scratch", Cmd=[SETUP], Labels=labels, HostConfig=host)


def _refuse(query: Query) -> None:
    if _text(query, "version") == "2":
        raise NotImplementedHere(NO_BUILDKIT)
    if _text(query, "version") not in ("", "1"):
        raise InvalidParameter(f"invalid version {_text(query, 'version')}")
    if _text(query, "remote") not in ("", "client-session"):
        raise NotImplementedHere(
            "building from a URL is not supported: the data center fetches nothing; send the context yourself"
        )
    if _flag(query, "squash"):
        raise NotImplementedHere("squash is not supported: every step of a build is a layer")
    if any(_json(query, "outputs", list) or ()):
        raise NotImplementedHere(f"outputs are not supported. {NO_BUILDKIT}")
    if _text(query, "securityopt") and _json(query, "securityopt", list):
        raise InvalidParameter("The daemon on this platform does not support setting security options on build")
    if _text(query, "isolation") not in ("", "default"):
        raise InvalidParameter(f"Unsupported isolation: {_text(query, 'isolation')!r}")
    check_platform(_text(query, "platform"))


def _tag(text: str) -> Reference:
    reference = parse_reference(text)
    if reference.digest:
        raise InvalidParameter("build tag cannot contain a digest")
    return reference.with_default_tag()


def _text(query: Query, name: str) -> str:
    values = query.get(name)
    return values[0] if values else ""


def _flag(query: Query, name: str) -> bool:
    return _text(query, name).strip().lower() not in _FALSE


def _number(query: Query, name: str) -> int:
    text = _text(query, name)
    try:
        return int(text) if text else 0
    except ValueError as error:
        raise InvalidParameter(f"invalid {name}: {text}") from error


def _json(query: Query, name: str, kind: Any) -> Any:
    text = _text(query, name)
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=kind | None)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidParameter(f"error reading {name}: {error}") from error


def _map(query: Query, name: str) -> dict[str, str | None]:
    found: dict[str, str | None] | None = _json(query, name, dict[str, str | None])
    return found or {}
