"""Aggregations: nics of a server that carry its traffic as one, for the nic tags that the bundle provides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from datacenter.restify import is_uuid, not_found
from datacenter.services.napi import macs
from datacenter.services.napi.changefeed import AGGREGATION
from datacenter.services.napi.errors import InvalidParameters, Problem, invalid, missing, strict
from datacenter.services.napi.networks import choices, page

if TYPE_CHECKING:
    from datacenter.services.napi.model import Napi

Aggregation = dict[str, Any]

MOST_NICS = 16
LACP_MODES = ("off", "active", "passive")

_FILTERS = frozenset(("belongs_to_uuid", "macs", "nic_tags_provided"))
_NAME = re.compile(r"[a-zA-Z0-9_]*")
_LONGEST_NAME = 31


class Aggregations:
    """The bundles that operators describe. Nodes here have one nic, or share the machine's: nothing is switched."""

    def __init__(self, napi: Napi) -> None:
        self._napi = napi
        self._bundles = napi.dc.store.bucket("aggregations")
        self._bundles.watch(napi.changefeed.watcher(AGGREGATION))

    def get(self, aggregation_id: str) -> Aggregation:
        """One by its id, ``<server uuid>-<name>``. Raises 404."""
        found = self._bundles.get(aggregation_id)
        if found is None:
            raise not_found("aggregation not found")
        return found

    def select(self, params: dict[str, Any]) -> list[Aggregation]:
        """Those that pass all filters, each a value or alternatives with commas. Raises 422."""
        strict(params, _FILTERS | {"limit", "offset"})
        problems = []
        server = params.get("belongs_to_uuid")
        if server is not None and not is_uuid(server):
            problems.append(invalid("belongs_to_uuid", "invalid UUID"))
        texts = choices(params["macs"]) if "macs" in params else []
        wrong = [text for text in texts if macs.read(text) is None]
        if wrong:
            text = "invalid MAC address" if len(wrong) == 1 else "invalid MAC addresses"
            problems.append({**invalid("macs", text), "invalid": wrong})
        problems += self._unknown_tags(params)
        if problems:
            raise InvalidParameters(*problems)
        members, tags = {macs.read(text) for text in texts}, set(choices(params.get("nic_tags_provided") or []))
        return [
            bundle
            for bundle in self._bundles.all()
            if server in (None, bundle["belongs_to_uuid"])
            and (not members or members & set(bundle["macs"]))
            and (not tags or tags & set(bundle.get("nic_tags_provided", ())))
        ][page(params)]

    def create(self, given: dict[str, Any]) -> Aggregation:
        """Bundle nics of one server. Raises 422 InvalidParameters."""
        problems = [missing(field) for field in ("macs", "name") if field not in given]
        if "name" in given:
            problems += _wrong_name(given["name"])
        members, nics = self._checked(given, problems)
        bundle = {"belongs_to_uuid": nics[0]["belongs_to_uuid"], "lacp_mode": "off", "name": given["name"]}
        bundle["id"] = f"{bundle['belongs_to_uuid']}-{bundle['name']}"
        if bundle["id"] in self._bundles:
            text = "aggregation with same belongs_to_uuid and name already exists"
            raise InvalidParameters({"field": "name", "code": "Duplicate", "message": text})
        return self._put({**bundle, "macs": members}, given)

    def update(self, bundle: Aggregation, changes: dict[str, Any]) -> Aggregation:
        """Change nics, mode or tags; name and server stay. Raises 422 InvalidParameters."""
        members, nics = self._checked(changes, [])
        if nics and nics[0]["belongs_to_uuid"] != bundle["belongs_to_uuid"]:
            raise InvalidParameters(invalid("macs", _OTHER_SERVER))
        return self._put({**bundle, "macs": members or bundle["macs"]}, changes)

    def delete(self, aggregation_id: str) -> None:
        """Forget one; its nics stay. Raises 404."""
        self.get(aggregation_id)
        self._bundles.delete(aggregation_id)

    def _put(self, bundle: Aggregation, given: dict[str, Any]) -> Aggregation:
        tags = bundle.pop("nic_tags_provided", [])
        if "nic_tags_provided" in given:
            tags = [tag for tag in choices(given["nic_tags_provided"]) if tag]
        whole = {**bundle, "lacp_mode": given.get("lacp_mode", bundle["lacp_mode"])}
        return self._bundles.put(whole["id"], {**whole, **({"nic_tags_provided": tags} if tags else {})})

    def _checked(self, given: dict[str, Any], problems: list[Problem]) -> tuple[list[str], list[dict[str, Any]]]:
        """The nics that are meant, by MAC and whole, when all parameters are right. Raises 422 with what is not."""
        problems = [*problems, *_wrong_mode(given), *self._unknown_tags(given)]
        members: list[str] = []
        nics: list[dict[str, Any]] = []
        try:
            if "macs" in given:
                members, nics = self._members(given["macs"])
        except InvalidParameters as refused:
            problems += refused.errors or []
        if problems:
            raise InvalidParameters(*problems)
        return members, nics

    def _members(self, given: Any) -> tuple[list[str], list[dict[str, Any]]]:
        if not isinstance(given, (str, list)):
            raise InvalidParameters(invalid("macs", "must be an array of MAC addresses"))
        listed = [text for text in given.split(",") if text] if isinstance(given, str) else given
        wrong = {_named(item) for item in listed if macs.read(item) is None}
        members = list(dict.fromkeys(mac for mac in map(macs.read, listed) if mac is not None))
        problem = None
        if wrong:
            problem = {**invalid("macs", "invalid MAC addresses"), "invalid": sorted(wrong)}
        elif len(members) > MOST_NICS:
            problem = invalid("macs", f"maximum of {MOST_NICS} MAC addresses supported")
        elif not members:
            problem = invalid("macs", "must specify at least one MAC address")
        if problem:
            raise InvalidParameters(problem)
        return members, self._nics(members)

    def _nics(self, members: list[str]) -> list[dict[str, Any]]:
        found = [self._napi.nics.get(mac) for mac in members]
        nics = [nic for nic in found if nic is not None]
        unknown = sorted(set(members) - {nic["mac"] for nic in nics})
        if unknown:
            raise InvalidParameters({**invalid("macs", "unknown MAC addresses"), "invalid": unknown})
        if len({nic["belongs_to_uuid"] for nic in nics}) > 1:
            raise InvalidParameters(invalid("macs", _OTHER_SERVER))
        others = sorted(nic["mac"] for nic in nics if nic["belongs_to_type"] != "server")
        if others:
            text = "all nics must have belongs_to_uuid of type server"
            raise InvalidParameters({**invalid("macs", text), "invalid": others})
        return nics

    def _unknown_tags(self, given: dict[str, Any]) -> list[Problem]:
        field = "nic_tags_provided"
        if field not in given:
            return []
        if not isinstance(given[field], (str, list)):
            return [invalid(field, "must be an array")]
        tags = given[field] if isinstance(given[field], list) else [tag for tag in given[field].split(",") if tag]
        wrong = [tag for tag in tags if not isinstance(tag, str)]
        if wrong:
            return [{**invalid(field, "must be a string"), "invalid": wrong}]
        unknown = [tag for tag in tags if tag not in self._napi.tags]
        text = "nic tag does not exist" if len(unknown) == 1 else "nic tags do not exist"
        return [{**invalid(field, text), "invalid": unknown}] if unknown else []


_OTHER_SERVER = "belongs_to_uuid must match for all nics in the aggregation"


def _named(item: Any) -> str:
    """What is told of something that is no MAC."""
    return "object" if isinstance(item, (dict, list)) or item is None else str(item)


def _wrong_text(field: str, value: Any) -> list[Problem]:
    if not isinstance(value, str):
        return [invalid(field, "must be a string")]
    return [] if value.strip() else [invalid(field, "must not be empty")]


def _wrong_name(name: Any) -> list[Problem]:
    """What is wrong with the name of a link, as illumos names them: it ends in a number."""
    if wrong := _wrong_text("name", name):
        return wrong
    if len(name) > _LONGEST_NAME:
        return [invalid("name", f"must not be longer than {_LONGEST_NAME} characters")]
    if not _NAME.fullmatch(name):
        return [invalid("name", "must only contain numbers, letters and underscores")]
    return [] if name[-1].isdecimal() else [invalid("name", "must end in a number")]


def _wrong_mode(given: dict[str, Any]) -> list[Problem]:
    if "lacp_mode" not in given:
        return []
    if wrong := _wrong_text("lacp_mode", given["lacp_mode"]):
        return wrong
    modes = ", ".join(LACP_MODES)
    return (
        []
        if given["lacp_mode"] in LACP_MODES
        else [invalid("lacp_mode", f"Invalid LACP mode. Supported modes: {modes}")]
    )
