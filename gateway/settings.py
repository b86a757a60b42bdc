"""Typed, frozen settings: conf/gateway.toml, then environment variables, then nothing else.

An environment variable ``GATEWAY_<SECTION>__<FIELD>`` (``GATEWAY_TRITON__DATACENTER_NAME``, or
``GATEWAY_WORKERS`` for a top-level one) wins over the file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1)]
CleanPath = Annotated[str, Meta(pattern=r"^(/(?!\.{1,2}(/|$))[^/]+)+$")]
"""An absolute path that is not / and has no . or .. in it."""


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS of the tcp listeners."""

    enabled: Annotated[bool, Meta(description="Speak TLS on tcp listeners")] = True
    certificate: Annotated[str, Meta(description="PEM file; made self-signed at the first start when missing")] = (
        "var/gateway/tls/cert.pem"
    )
    key: Annotated[str, Meta(description="PEM file of the certificate's private key")] = "var/gateway/tls/key.pem"
    names: Annotated[tuple[str, ...], Meta(description="More host names or addresses for a self-made certificate")] = ()


class ServiceUrls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the data center's services are."""

    vmapi: Text = "http://127.0.0.1:18001"
    wfapi: Text = "http://127.0.0.1:18002"
    cnapi: Text = "http://127.0.0.1:18003"
    imgapi: Text = "http://127.0.0.1:18004"
    napi: Text = "http://127.0.0.1:18005"
    papi: Text = "http://127.0.0.1:18006"
    fwapi: Text = "http://127.0.0.1:18007"
    volapi: Text = "http://127.0.0.1:18008"
    mahi: Text = "http://127.0.0.1:18009"
    cns: Annotated[str, Meta(description="Empty: the data center has no CNS")] = ""


class TritonSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Docker maps onto this data center."""

    datacenter_name: Annotated[str, Meta(description="Shown as Name in docker info; matched in allowed_dcs")] = "emb"
    fabrics: Annotated[bool, Meta(description="Containers get a nic on the account's default fabric network")] = True
    default_fabric: Annotated[str, Meta(description="Name of an account's default fabric network")] = (
        "My-Fabric-Network"
    )
    external_network: Annotated[str, Meta(description="Network or pool that carries published ports")] = "external"
    external_pool: Annotated[
        str, Meta(description="UUID of the network or pool for published ports; wins over the name")
    ] = ""
    fwrule_version: Annotated[int, Meta(ge=1, description="Above 1: port ranges in firewall rules")] = 2
    log_drivers: Annotated[tuple[str, ...], Meta(description="Log drivers containers may ask for")] = (
        "json-file",
        "none",
    )
    max_log_size: Annotated[
        int, Meta(ge=1, description="Bytes of a container's log when json-file has no max-size")
    ] = 50_000_000
    trusted_accounts: Annotated[
        tuple[str, ...],
        Meta(
            description="Logins that may have --privileged, --device, seccomp=unconfined and their like on nodes that "
            "advertise `privileged`; * is everybody. Such a container can take over its node and all that is on it"
        ),
    ] = ()
    host_binds: Annotated[
        tuple[CleanPath, ...],
        Meta(
            description="Folders and files of compute nodes that containers may bind, and what is below them, on nodes "
            "that advertise `host-binds`. Who may bind a folder is root in it: for machines of one's own"
        ),
    ] = ()
    host_bind_accounts: Annotated[
        tuple[str, ...], Meta(description="Logins that may bind what host_binds names; * is everybody")
    ] = ()
    insecure_registries: Annotated[
        tuple[str, ...],
        Meta(
            description="Registries spoken to in plain http: CIDR blocks or host[:port]; "
            "the data center's own services are never taken for one"
        ),
    ] = ("127.0.0.0/8", "localhost")
    job_timeout: Annotated[float, Meta(gt=0, description="Seconds a job is waited for")] = 3600.0


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. ``docs/settings.md`` is generated from these types."""

    listen: Annotated[tuple[str, ...], Meta(description="tcp://host:port (TLS when enabled) and unix:///path")] = (
        "tcp://127.0.0.1:2376",
    )
    socket_account: Annotated[
        str, Meta(description="Login of the account that unix sockets are bound to; empty: refused")
    ] = ""
    workers: Annotated[int, Meta(ge=1, description="Gateway worker processes; one for each processor")] = 2
    state_dir: Annotated[str, Meta(description="Folder of the gateway's own durable records")] = "var/gateway"
    log_level: Annotated[str, Meta(description="debug, info, warning or error")] = "info"
    tls: TlsSettings = TlsSettings()
    services: ServiceUrls = ServiceUrls()
    triton: TritonSettings = TritonSettings()
    chain: Annotated[tuple[str, ...], Meta(description="Members of the middleware chain, first to last")] = (
        "request_id",
        "audit",
        "maintenance",
        "authentication",
        "packages",
        "quota",
        "placement",
    )
    middleware: Annotated[
        dict[str, dict[str, Any]],
        Meta(description="Options of a member, and runs_on, on_error, observe, by its name"),
    ] = msgspec.field(default_factory=dict)


def load(path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read settings from ``path`` (default: $GATEWAY_CONFIG, else conf/gateway.toml when there is one).

    Raises ValueError that names the setting and what is wrong with it.
    """
    environ = os.environ if environ is None else environ
    chosen = path or environ.get("GATEWAY_CONFIG")
    file = Path(chosen or "conf/gateway.toml")
    if chosen and not file.exists():
        raise ValueError(f"no settings file at {file}")
    try:
        raw: dict[str, Any] = tomllib.loads(file.read_text()) if file.exists() else {}
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file}: {error}") from error
    given = {name: _keys(name) for name in sorted(environ) if name.startswith("GATEWAY_") and name != "GATEWAY_CONFIG"}
    for name, keys in given.items():
        _overlay(raw, name, keys, environ[name])
    try:
        return msgspec.convert(raw, Settings, strict=False)
    except msgspec.ValidationError as error:
        blamed = [name for name, keys in given.items() if _is_about(str(error), keys)]
        raise ValueError(f"{', '.join(blamed) or file}: {error}") from error


def _keys(name: str) -> list[str]:
    return name.removeprefix("GATEWAY_").lower().split("__")


def _is_about(error: str, keys: list[str]) -> bool:
    """Whether a message of msgspec is about the setting of these keys: by its path, or as a field that there is not."""
    return f"`$.{'.'.join(keys)}" in error or ("unknown field" in error and f"`{keys[-1]}`" in error)


def _overlay(raw: dict[str, Any], name: str, keys: list[str], value: str) -> None:
    for key in keys[:-1]:
        raw = raw.setdefault(key, {})
        if not isinstance(raw, dict):
            raise ValueError(f"{name}: {key} is no section")  # noqa: TRY004 - a setting
    try:
        raw[keys[-1]] = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        raw[keys[-1]] = value
