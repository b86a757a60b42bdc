"""Listing rules: the strict filters and the ``fields`` a caller may ask for, parsed ones too."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError, truthy
from grammars.firewall import Ports, Rule

if TYPE_CHECKING:
    from datacenter.services.fwapi.model import Fwapi, RuleDoc

_PLAIN = ("owner_uuid", "created_by", "description", "version", "uuid")
_FLAGS = ("enabled", "global", "log")
_TARGETS = ("tag", "vm", "ip", "subnet", "wildcard")
LIST_PARAMS = frozenset((*_PLAIN, *_FLAGS, *_TARGETS, "protocol", "action", "fields", "limit", "offset"))

_FIELDS = frozenset((*_PLAIN, *_FLAGS, "rule"))
_PARSED = frozenset(("parsed.action", "parsed.ports", "parsed.protocol", "parsed.tags"))


def select(fwapi: Fwapi, params: dict[str, Any], fields: list[str]) -> list[dict[str, Any]]:
    """Rules that pass all filters, with the wanted fields only. Raises 422 InvalidParameters."""
    unknown = [name for name in params if name not in LIST_PARAMS]
    if unknown:
        raise _refusal(unknown, "UnknownParameters", f"Unknown parameters: {', '.join(unknown)}")
    strange = [field for field in fields if field not in _FIELDS | _PARSED]
    if strange:
        raise _refusal("fields", "InvalidParameter", f"unknown fields: {', '.join(strange)}")
    start, count = _number(params, "offset", 0), _number(params, "limit", 1000)
    try:
        found = [rule for rule in _narrowed(fwapi, params) if _passes(rule, fwapi.parsed(rule), params)]
    except ValueError as error:
        raise _refusal("subnet" if "subnet" in params else "ip", "InvalidParameter", str(error)) from error
    return [show(fwapi, rule, fields) for rule in found[start : start + count]]


def _narrowed(fwapi: Fwapi, params: dict[str, Any]) -> list[RuleDoc]:
    """The rules among which those asked for are: the account's, or those that name the VM."""
    if "owner_uuid" in params:
        return fwapi.rules(str(params["owner_uuid"]))
    return fwapi.rules(str(params["vm"]).lower()) if "vm" in params else fwapi.rules()


def show(fwapi: Fwapi, rule: RuleDoc, fields: list[str]) -> dict[str, Any]:
    """A rule, or just the wanted fields of it; ``parsed.*`` ones come under ``parsed``."""
    if not fields:
        return rule
    shown = {name: value for name, value in rule.items() if name in fields}
    wanted = [field.removeprefix("parsed.") for field in fields if field in _PARSED]
    if wanted:
        shown["parsed"] = _parsed(fwapi.parsed(rule), wanted)
    return shown


def _parsed(rule: Rule, wanted: list[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if "action" in wanted:
        shown["action"] = rule.action
    if "ports" in wanted and rule.protocol in ("tcp", "udp"):
        shown["ports"] = [_port(match) for match in rule.matches if isinstance(match, Ports)] or ["all"]
    if "protocol" in wanted:
        shown["protocol"] = rule.protocol
    if "tags" in wanted:
        shown["fromtags"] = _tags(rule.sources)
        shown["totags"] = _tags(rule.destinations)
    return shown


def _port(match: Ports) -> int | dict[str, int]:
    return match.first if match.first == match.last else {"start": match.first, "end": match.last}


def _tags(targets: tuple[Any, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for target in targets:
        if target.kind == "tag":
            tag = found.setdefault(target.name, {})
            if target.value is None:
                tag["all"] = True
            else:
                tag.setdefault("values", {})[target.value] = True
    return found


def _passes(rule: RuleDoc, parsed: Rule, params: dict[str, Any]) -> bool:
    return (
        all(rule.get(name) == params[name] for name in _PLAIN if name in params)
        and all(bool(rule.get(name)) == truthy(params[name]) for name in _FLAGS if name in params)
        and all(_named(parsed, name, str(params[name])) for name in _TARGETS if name in params)
        and parsed.protocol == str(params.get("protocol", parsed.protocol)).lower()
        and parsed.action == str(params.get("action", parsed.action)).lower()
    )


def _named(rule: Rule, kind: str, wanted: str) -> bool:
    """Whether a side names this very target. A tag filter is ``key`` or ``key=value``."""
    if kind == "wildcard":
        return any(target.kind == {"vmall": "all vms"}.get(wanted, wanted) for target in rule.targets)
    targets = [target for target in rule.targets if target.kind == kind]
    if kind == "tag":
        name, given, value = wanted.partition("=")
        return any(target.name == name and (not given or target.value == value) for target in targets)
    plain = str(ip_address(wanted) if kind == "ip" else ip_network(wanted) if kind == "subnet" else wanted.lower())
    return any(target.name == plain for target in targets)


def _number(params: dict[str, Any], name: str, default: int) -> int:
    text = str(params.get(name, default))
    if not text.isdecimal() or (name == "limit" and not 1 <= int(text) <= 1000):
        raise _refusal(name, "InvalidParameter", "invalid value")
    return int(text)


def _refusal(field: Any, code: str, message: str) -> RestError:
    return RestError(
        422, "InvalidParameters", "Invalid parameters", [{"field": field, "code": code, "message": message}]
    )
