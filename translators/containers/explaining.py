"""A dry run of create: everything that would be decided, told instead of done.

The request passes the same chain and the same planning as a create. Members add what they decided to
``call.explanation``; CNAPI is asked where the VM would go, which reserves nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.call import Call
from sdc.errors import SdcError
from translators.containers.create import DOING, holder, plan
from translators.containers.linking import plan_links
from translators.containers.model import ContainerCreate
from translators.containers.networks import network_book
from translators.containers.states import json_metadata
from translators.errors import explain as explained_error
from translators.errors import speaking_docker
from translators.names import name_conflict

Json = dict[str, Any]

_ENVIRONMENTS = ("docker:env", "docker:linkEnv")
_MIB = 1 << 20
_GIB = 1 << 30


def explain(call: Call, body: ContainerCreate, name: str = "") -> Json:
    """Return what a create would do: package, placement, quota, networks, rules, warnings and the VMAPI payload.

    What would refuse the create refuses this, in the same words; only a data center without room is told in
    ``Placement``. Nothing is made, and what a member reserved is given back. ``Payload`` holds secrets still.

    Docker: POST /gateway/explain   SDC: CNAPI POST /allocate, IMGAPI GET /images/:uuid
    """
    payload, warnings, alias = plan(call, body, name)
    if alias and (taken := holder(call, alias)):
        raise name_conflict(alias, taken)
    plan_links(call, body.HostConfig)
    payload = call.provision(payload)
    networks = list(_networks(call, payload))
    return {
        "Name": alias,
        "Package": call.explanation.get("Package", {"Uuid": payload["billing_id"]}),
        **{key: told for key, told in call.explanation.items() if key != "Package"},
        "Placement": _placement(call, payload),
        "Networks": networks,
        "FirewallRules": [{"Rule": rule["rule"], "New": "version" not in rule} for rule in payload["firewall_rules"]],
        "Warnings": warnings,
        "Payload": payload,
    }


def _networks(call: Call, payload: Json) -> Iterator[Json]:
    for network in payload["networks"]:
        uuid = str(network.get("uuid") or network.get("ipv4_uuid"))
        addresses = {"Addresses": network["ipv4_ips"]} if network.get("ipv4_ips") else {}
        yield {
            "Name": network_book(call).name(call.owner.uuid, uuid),
            "Uuid": uuid,
            "Primary": bool(network.get("primary")),
            **addresses,
        }


def _placement(call: Call, payload: Json) -> Json:
    """Ask CNAPI for a server. How much room a server has is for operators alone."""
    package = call.hints["package"]
    vm = {
        **{key: payload[key] for key in ("owner_uuid", "brand", "docker", "affinity", "internal_metadata")},
        "vm_uuid": payload["uuid"],
        "ram": package["max_physical_memory"],
        "quota": int(package.get("quota") or 0) // 1024,
        **({"locality": payload["locality"]} if payload.get("locality") else {}),
    }
    with speaking_docker(DOING):
        image = call.services.imgapi.get_image(payload["image_uuid"])
        tags = _nic_tags(call, payload)
        try:
            answer = call.services.cnapi.allocate(vm, package, image, tags)
        except SdcError as error:
            if error.status != 409:
                raise
            return {"Server": None, "Refusal": explained_error(error, DOING).message, "Steps": []}
    steps = [_step(step, operator=call.owner.operator) for step in answer.get("steps") or ()]
    return {"Server": answer["server"]["uuid"], "Steps": steps}


def _nic_tags(call: Call, payload: Json) -> list[list[str]]:
    """The tags of each network, of which a server must carry one."""
    known = {network["uuid"]: network for network in network_book(call).networks(call.owner.uuid)}
    found = [known.get(str(network.get("uuid") or network.get("ipv4_uuid")), {}) for network in payload["networks"]]
    tags = [list(network.get("nic_tags_present") or [network.get("nic_tag")]) for network in found if network]
    return [kept for each in tags if (kept := [tag for tag in each if tag])]


def _step(step: Json, *, operator: bool) -> Json:
    reasons = {uuid: text if operator else _without_numbers(text) for uuid, text in (step.get("reasons") or {}).items()}
    return {"Step": step.get("step", ""), "Remaining": step.get("remaining") or [], "Reasons": reasons}


def _without_numbers(reason: str) -> str:
    """Say why a server was passed over without how full it is."""
    if re.search(r"\bspare\b|\bcapacity\b", reason):
        return "not enough room"
    return reason


def opened(payload: Json) -> Json:
    """Return a payload with the environments in it as lists of ``NAME=value``, for those who censor it."""
    vm: Json = {"internal_metadata": payload["internal_metadata"]}
    environments = {key: {"Env": json_metadata(vm, key, [])} for key in _ENVIRONMENTS}
    return {**payload, "internal_metadata": {**payload["internal_metadata"], **environments}}


def summary(told: Json) -> str:
    """Write an explanation for people: what ``docker create`` shows of the label ``gateway.explain``."""
    lines = ["nothing was created, as the label gateway.explain asks; it would be made so:"]
    rows = [*_package(told["Package"]), *_place(told["Placement"]), *_quota(told.get("Quota", ()))]
    rows += [("network", ", ".join(_network(network) for network in told["Networks"]))]
    rows += [("rule", f"{rule['Rule']} ({'new' if rule['New'] else 'there'})") for rule in told["FirewallRules"]]
    rows += [("warning", text) for text in told["Warnings"]]
    lines += [f"  {title:9} {text}" for title, text in rows if text]
    lines.append("POST /gateway/explain with the same body tells all of it, and the VMAPI payload, as JSON")
    return "\n".join(lines)


def _package(package: Json) -> Iterator[tuple[str, str]]:
    if "Name" not in package:
        yield "package", str(package["Uuid"])
        return
    yield "package", f"{_size(package)}: {package['Why']}"
    if package["Alternatives"]:
        yield "others", "; ".join(_size(other) for other in package["Alternatives"])


def _size(package: Json) -> str:
    disk = f", {package['Disk'] / _GIB:g} GiB disk" if package["Disk"] else ""
    return f"{package['Name']} ({package['Memory'] // _MIB} MiB memory{disk})"


def _place(placement: Json) -> Iterator[tuple[str, str]]:
    if placement["Server"] is None:
        yield "node", f"none: {placement['Refusal']}"
        return
    candidates = [step["Remaining"] for step in placement["Steps"]]
    first, before = (candidates[0], candidates[-2]) if len(candidates) > 1 else ([], [])
    yield "node", f"{placement['Server']}, of {len(before)} with room among {len(first)}"
    reasons: Iterable[str] = (reason for step in placement["Steps"] for reason in step["Reasons"].values())
    for reason, count in Counter(reasons).items():
        yield "passed", f"{count} of them: {reason}"


def _quota(limits: Iterable[Json]) -> Iterator[tuple[str, str]]:
    for limit in limits:
        yield "quota", f"{limit['What']}: {limit['Used']:g} now, {limit['After']:g} with it, limit {limit['Limit']:g}"


def _network(network: Json) -> str:
    address = f" {', '.join(network['Addresses'])}" if network.get("Addresses") else ""
    return f"{network['Name']}{address}{' (primary)' if network['Primary'] else ''}"
