"""The body of ``POST /networks/create`` as the Engine API documents it."""

from __future__ import annotations

import msgspec
from msgspec import field


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
