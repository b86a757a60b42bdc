"""The bodies of ``POST /networks/create``, ``connect`` and ``disconnect`` as the Engine API documents them."""

from __future__ import annotations

import msgspec
from msgspec import field

from translators.containers.model import EndpointSettings


class IpamConfig(msgspec.Struct, kw_only=True, omit_defaults=True):
    Subnet: str = ""
    IPRange: str = ""
    Gateway: str = ""
    AuxiliaryAddresses: dict[str, str] | None = None


class Ipam(msgspec.Struct, kw_only=True, omit_defaults=True):
    Driver: str = ""
    Config: list[IpamConfig] | None = None
    Options: dict[str, str] | None = None


class ConfigReference(msgspec.Struct, kw_only=True, omit_defaults=True):
    Network: str = ""


class NetworkCreate(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Without ``IPAM.Config`` the data center finds a subnet."""

    Name: str = ""
    CheckDuplicate: bool = False
    Driver: str = ""
    Scope: str = ""
    Internal: bool = False
    Attachable: bool = False
    Ingress: bool = False
    ConfigOnly: bool = False
    ConfigFrom: ConfigReference | None = None
    IPAM: Ipam | None = None
    EnableIPv4: bool | None = None
    EnableIPv6: bool | None = None
    Options: dict[str, str] | None = field(default=None)
    Labels: dict[str, str] | None = field(default=None)


class NetworkConnect(msgspec.Struct, kw_only=True, omit_defaults=True):
    Container: str = ""
    EndpointConfig: EndpointSettings | None = None


class NetworkDisconnect(msgspec.Struct, kw_only=True, omit_defaults=True):
    Container: str = ""
    Force: bool = False
