"""Network documents: validation, filters, and how they are written out."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from datacenter.restify import is_uuid, truthy
from datacenter.services.napi.errors import InvalidParameters, Problem, duplicate, invalid, missing

Network = dict[str, Any]

MTU_RANGE = range(576, 9001)
SMALLEST_PREFIX = 29

_REQUIRED = ("name", "nic_tag", "provision_end_ip", "provision_start_ip", "subnet", "vlan_id")
_TAG = re.compile(r"[A-Za-z0-9_]+(/[0-9]+)?")
_PREFIX = re.compile(r"[0-9a-f-]*[*]")

_ORDER = (
    "family",
    "mtu",
    "nic_tag",
    "name",
    "provision_end_ip",
    "provision_start_ip",
    "subnet",
    "uuid",
    "vlan_id",
    "fabric",
    "vnet_id",
    "internet_nat",
    "gateway_provisioned",
    "resolvers",
    "routes",
    "gateway",
    "owner_uuids",
    "owner_uuid",
    "netmask",
    "description",
)

SETTABLE = frozenset(_ORDER) - {"family", "netmask", "owner_uuid", "fabric", "vnet_id"}
"""What an operator may say of a physical network."""

CHANGEABLE = SETTABLE - {"uuid", "subnet", "vlan_id", "nic_tag"}


def build(given: dict[str, Any], others: Iterable[Network]) -> Network:
    """Check a network's parameters and make its document. Raises 422 InvalidParameters.

    ``others`` are the networks among which the name must be the only one.
    """
    problems = [missing(field) for field in _REQUIRED if given.get(field) in (None, "")]
    problems += _check_plain(given)
    subnet = _subnet(given, problems)
    if subnet is not None:
        problems += _check_addresses(given, subnet)
    if any(other["name"] == given.get("name") and other["uuid"] != given.get("uuid") for other in others):
        problems.append(duplicate("name"))
    if problems or subnet is None:
        raise InvalidParameters(*problems)
    document = {
        "resolvers": [],
        "mtu": 1500,
        "uuid": str(uuid.uuid4()),
        **{name: value for name, value in given.items() if value is not None},
        "family": "ipv4",
        "netmask": str(subnet.netmask),
    }
    document["vlan_id"], document["mtu"] = int(document["vlan_id"]), int(document["mtu"])
    return {field: document[field] for field in _ORDER if field in document}


def _check_plain(given: dict[str, Any]) -> list[Problem]:
    problems = []
    if given.get("uuid") is not None and not is_uuid(given["uuid"]):
        problems.append(invalid("uuid", "invalid UUID"))
    for field in ("name", "description"):
        value = given.get(field)
        if value is not None and (not isinstance(value, str) or len(value) > 64):
            problems.append(invalid(field, "must be a string of at most 64 characters"))
    if given.get("nic_tag") and not _TAG.fullmatch(str(given["nic_tag"])):
        problems.append(invalid("nic_tag", "must only contain numbers, letters and underscores"))
    vlan = given.get("vlan_id")
    if vlan is not None and not (whole(vlan) and 0 <= int(vlan) <= 4095):
        problems.append(invalid("vlan_id", "VLAN ID must be a number between 0 and 4094, and not 1"))
    mtu = given.get("mtu")
    if mtu is not None and not (whole(mtu) and int(mtu) in MTU_RANGE):
        problems.append(invalid("mtu", "mtu must be a number between 576 and 9000"))
    owners = given.get("owner_uuids")
    if owners is not None and not (isinstance(owners, list) and all(map(is_uuid, owners))):
        problems.append(invalid("owner_uuids", "must be an array of UUIDs"))
    return problems


def _subnet(given: dict[str, Any], problems: list[Problem]) -> IPv4Network | None:
    if not given.get("subnet"):
        return None
    try:
        subnet = IPv4Network(given["subnet"])
        if "/" in given["subnet"] and 8 <= subnet.prefixlen <= SMALLEST_PREFIX:
            return subnet
        problems.append(invalid("subnet", "Subnet bits invalid"))
    except (ValueError, TypeError):
        problems.append(invalid("subnet", "Subnet must be in CIDR form"))
    return None


def _check_addresses(given: dict[str, Any], subnet: IPv4Network) -> list[Problem]:
    problems = []
    ends: dict[str, IPv4Address] = {}
    for field in ("provision_start_ip", "provision_end_ip", "gateway"):
        if given.get(field) in (None, ""):
            continue
        address = read_address(given[field])
        if address is None:
            problems.append(invalid(field, "invalid IP address"))
        elif address not in subnet:
            problems.append(invalid(field, f"{field} cannot be outside subnet"))
        elif field != "gateway" and address == subnet.broadcast_address:
            problems.append(invalid(field, f"{field} cannot be the broadcast address"))
        else:
            ends[field] = address
    first, last = ends.get("provision_start_ip"), ends.get("provision_end_ip")
    if first and last and first > last:
        text = "provision_start_ip must be before provision_end_ip"
        problems += [invalid("provision_end_ip", text), invalid("provision_start_ip", text)]
    resolvers = given.get("resolvers")
    if resolvers is not None and not (isinstance(resolvers, list) and all(map(read_address, resolvers))):
        problems.append(invalid("resolvers", "invalid IPs"))
    routes = given.get("routes")
    if routes is not None and not (isinstance(routes, dict) and all(map(_route, routes.items()))):
        problems.append(invalid("routes", "must be an object of addresses or subnets to addresses"))
    return problems


def _route(item: tuple[str, Any]) -> bool:
    try:
        IPv4Network(item[0])
    except ValueError:
        return False
    return read_address(item[1]) is not None


def read_address(value: Any) -> IPv4Address | None:
    try:
        return IPv4Address(value) if isinstance(value, str) else None
    except AddressValueError:
        return None


def whole(value: Any) -> bool:
    """Whether a value that may come by query is a whole number of at least 0."""
    return (isinstance(value, int) and not isinstance(value, bool) and value >= 0) or (
        isinstance(value, str) and value.isdecimal()
    )


_LIMIT = "invalid limit, must be an integer greater than 0 or less than or equal to 1000"
_OFFSET = "invalid value, offset must be an integer greater than or equal to 0"

LIST_PARAMS = frozenset(
    ["name", "uuid", "fabric", "family", "vlan_id", "nic_tag", "owner_uuid", "provisionable_by", "limit", "offset"]
)
POOL_PARAMS = frozenset(["name", "uuid", "family", "networks", "provisionable_by", "limit", "offset"])


def provisionable(document: Network, owner_uuid: str) -> bool:
    """Whether an account may put nics on a network or pool: it has no owners, or the account is one."""
    owners = document.get("owner_uuids")
    return not owners or owner_uuid in owners


def select(documents: list[Network], params: dict[str, Any]) -> list[Network]:
    """Networks or pools that pass all list filters, by name, cut to the page. Raises 422 InvalidParameters."""
    problems = [
        invalid(field, "invalid UUID")
        for field in ("owner_uuid", "provisionable_by")
        if field in params and not is_uuid(params[field])
    ]
    if "vlan_id" in params and not all(map(whole, choices(params["vlan_id"]))):
        problems.append(invalid("vlan_id", "must be a number"))
    if "uuid" in params and (wrong := _wrong_prefix(str(params["uuid"]))):
        problems.append(invalid("uuid", wrong))
    if problems:
        raise InvalidParameters(*problems)
    found = [document for document in documents if _passes(document, params)]
    return sorted(found, key=lambda document: str(document["name"]))[page(params)]


def _wrong_prefix(text: str) -> str | None:
    """What is wrong with a uuid, or the beginning of one before a ``*``."""
    if not text.strip():
        return "must not be empty"
    if "*" not in text:
        return None if is_uuid(text) else "invalid UUID"
    if text.count("*") > 1:
        return "need only 1 wildcard"
    if not text.endswith("*"):
        return "only UUID prefixes are allowed"
    return None if _PREFIX.fullmatch(text) else "UUID prefix has invalid chars"


def page(params: Mapping[str, Any]) -> slice:
    """The stretch of a list that ``limit`` (1 to 1000) and ``offset`` ask for. Raises 422."""
    limit, offset = params.get("limit", 1000), params.get("offset", 0)
    problems = []
    if not whole(limit) or not 1 <= int(limit) <= 1000:
        problems.append(invalid("limit", _LIMIT))
    if not whole(offset):
        problems.append(invalid("offset", _OFFSET))
    if problems:
        raise InvalidParameters(*problems)
    return slice(int(offset), int(offset) + int(limit))


def _passes(document: Network, params: dict[str, Any]) -> bool:
    for field in ("name", "family", "nic_tag", "vlan_id", "networks"):
        if field in params and not _one_of(document.get(field), choices(params[field])):
            return False
    if "uuid" in params and not _uuid_matches(document["uuid"], str(params["uuid"])):
        return False
    if "fabric" in params and truthy(params["fabric"]) != document.get("fabric", False):
        return False
    if "owner_uuid" in params and params["owner_uuid"] not in document.get("owner_uuids", []):
        return False
    return "provisionable_by" not in params or provisionable(document, params["provisionable_by"])


def choices(value: Any) -> list[str]:
    """The alternatives of a filter: an array, or a text with commas."""
    return [str(item) for item in value] if isinstance(value, list) else str(value).split(",")


def _one_of(value: Any, wanted: list[str]) -> bool:
    return any(str(item) in wanted for item in (value if isinstance(value, list) else [value]))


def _uuid_matches(value: str, wanted: str) -> bool:
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted
