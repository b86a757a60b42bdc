"""Choose a server for a new VM: filters one after another, each with its reasons, then spread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from datacenter.restify import RestError, is_uuid
from datacenter.services.cnapi import affinity, parameters
from datacenter.services.cnapi.servers import Servers

Doc = dict[str, Any]


@dataclass
class Request:
    """What is to be placed: the VM's payload, the sizes it needs (MiB, percent of a core), the traits it demands.

    ``neighbours`` gives the account's other VMs, which only rules about them ask for: there may be thousands.
    """

    vm: Doc
    neighbours: Callable[[], list[Doc]]
    nic_tags: list[list[str]]
    ram: int
    disk: int
    cpu: int = 0
    traits: Doc = field(default_factory=dict)

    @cached_property
    def others(self) -> list[Doc]:
        return self.neighbours()


@dataclass
class Search:
    """The servers still in the race, and what threw the others out."""

    remaining: dict[str, Doc]
    steps: list[Doc] = field(default_factory=list)

    def keep(self, step: str, refusal: Callable[[Doc], str | None], failure: str) -> None:
        """Drop the servers that ``refusal`` has a reason against; fail when none is left."""
        reasons = {uuid: reason for uuid, server in self.remaining.items() if (reason := refusal(server))}
        self.remaining = {uuid: server for uuid, server in self.remaining.items() if uuid not in reasons}
        self.steps.append({"step": step, "remaining": list(self.remaining), "reasons": reasons})
        if not self.remaining:
            raise no_resources(failure)


def no_resources(reason: str, code: str = "NoAllocatableServersError") -> RestError:
    return RestError(409, code, f"No compute resources available: {reason}")


def choose(servers: Servers, request: Request) -> tuple[Doc, list[Doc]]:
    """Return the server for a VM and the steps that led to it.

    Raises RestError 409 NoAllocatableServersError, or VolumeServerNoResourcesError when the VM shares the
    volumes of another one and that one's server has no room.
    """
    search = Search({server["uuid"]: server for server in servers.all()})
    search.keep("Servers that are set up", lambda s: None if s["setup"] else "not set up", "no servers are set up")
    search.keep("Unreserved servers", lambda s: "reserved" if s["reserved"] else None, "all servers are reserved")
    search.keep(
        "Running servers",
        lambda s: None if servers.is_running(s["uuid"]) else "no heartbeat",
        "no servers are running",
    )
    search.keep(
        "Servers with the required traits",
        lambda s: unlike(request.traits, s["traits"]),
        "no servers with the required traits",
    )
    search.keep(
        "Servers with the networks' nic tags",
        lambda s: lacks_tags(s, request.nic_tags),
        "no servers with the requested nic tags",
    )
    forced = _volumes_from(search, request)
    rules = _by_affinity(search, request)
    rules_preference = affinity.preference(rules, request.others if rules else [])
    _by_locality(search, request)
    room = {uuid: servers.capacity(server) for uuid, server in search.remaining.items()}
    _by_room(search, request, room, forced=forced)
    near, far = _locality(request)

    def rank(uuid: str) -> tuple[bool, int, int, str]:
        wishes = rules_preference(uuid) + (uuid in near) - (uuid in far)
        return not search.remaining[uuid]["reservoir"], wishes, room[uuid]["ram"], uuid

    chosen = max(search.remaining, key=rank)
    search.steps.append({"step": "Server with the most unreserved RAM", "remaining": [chosen], "reasons": {}})
    return search.remaining[chosen], search.steps


def _by_room(search: Search, request: Request, room: dict[str, Doc], *, forced: bool) -> None:
    """Drop servers without enough unreserved RAM, disk and CPU."""
    needs = (("ram", "RAM", request.ram), ("disk", "disk", request.disk), ("cpu", "CPU", request.cpu))
    for key, word, need in needs:

        def short(server: Doc, key: str = key, word: str = word, need: int = need) -> str | None:
            free = room[server["uuid"]][key]
            return f"VM's calculated {word} is {need} but server has {free} spare" if free < need else None

        try:
            search.keep(f"Servers with enough unreserved {word}", short, f"no servers with enough unreserved {word}")
        except RestError as error:
            if forced:
                reason = f"the server that holds the volumes has not enough {word}"
                raise no_resources(reason, "VolumeServerNoResourcesError") from error
            raise


def unlike(wanted: Doc, offered: Doc) -> str | None:
    """Why a server's traits don't fit; it must have all that are wanted, and none besides: it is kept for others."""
    for name in sorted(wanted.keys() | offered.keys()):
        one, other = wanted.get(name) or False, offered.get(name) or False
        if isinstance(one, list) or isinstance(other, list):
            fits = bool({*_listed(one)} & {*_listed(other)})
        else:
            fits = one == other
        if not fits:
            return f'trait "{name}" is {other} on the server, {one} is wanted'
    return None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def lacks_tags(server: Doc, requirements: list[list[str]]) -> str | None:
    """Why a server cannot carry the VM's nics; one tag of each requirement is enough. Fabrics are everywhere."""
    nics = server["sysinfo"].get("Network Interfaces", {})
    offered = {tag for nic in nics.values() for tag in nic.get("NIC Names", ())}
    for tags in requirements:
        if not any(tag.partition("/")[0] == "sdc_overlay" or tag in offered for tag in tags):
            return f"lacks nic tag {' or '.join(tags)}"
    return None


def _volumes_from(search: Search, request: Request) -> bool:
    """Keep only the server of the VMs whose volumes are shared; says whether there are any."""
    text = (request.vm.get("internal_metadata") or {}).get("docker:volumesfrom")
    if not text:
        return False
    try:
        wanted = set(msgspec.json.decode(text, type=list[str]))
    except msgspec.DecodeError as error:
        raise parameters.invalid([("vm.internal_metadata", "docker:volumesfrom is no list")]) from error
    if not wanted:
        return False
    homes = {vm["server_uuid"] for vm in request.others if vm["uuid"] in wanted}
    search.keep(
        "Servers with the shared volumes",
        lambda s: None if homes == {s["uuid"]} else "does not hold all shared volumes",
        "no single server holds all the containers of volumes-from",
    )
    return True


def _by_affinity(search: Search, request: Request) -> list[affinity.Rule]:
    """Keep the servers that the hard affinity rules allow, and return all rules."""
    try:
        rules = [affinity.Rule.read(payload) for payload in request.vm.get("affinity") or ()]
    except ValueError as error:
        raise parameters.invalid([("vm.affinity", str(error))]) from error
    hard = [rule for rule in rules if not rule.soft]
    if hard:
        try:
            allowed = affinity.hard(hard, request.others, set(search.remaining))
        except affinity.AffinityError as error:
            raise no_resources(str(error)) from error
        expressions = ", ".join(f'"{rule}"' for rule in hard)
        search.keep(
            "Servers that the affinity rules allow",
            lambda s: None if s["uuid"] in allowed else f"ruled out by affinity {expressions}",
            f"no servers satisfy affinity {expressions}",
        )
    return rules


def _locality(request: Request) -> tuple[set[str], set[str]]:
    """The servers of the VMs that the legacy ``locality`` names: to be near to, to be far from.

    Raises RestError InvalidParameters.
    """
    locality = _checked_locality(request.vm.get("locality") or {})
    sides = []
    for side in ("near", "far"):
        named = locality.get(side) or []
        wanted = {named} if isinstance(named, str) else set(named)
        sides.append({vm["server_uuid"] for vm in request.others if vm["uuid"] in wanted} if wanted else set())
    return sides[0], sides[1]


def _by_locality(search: Search, request: Request) -> None:
    locality = _checked_locality(request.vm.get("locality") or {})
    if locality.get("strict") is not True:
        return
    near, far = _locality(request)
    search.keep(
        "Servers that the locality allows",
        lambda s: "locality" if s["uuid"] in far or (locality.get("near") and s["uuid"] not in near) else None,
        "no servers satisfy the locality asked for",
    )


def _checked_locality(locality: Any) -> Doc:
    """A locality of the right form: ``near`` and ``far`` a uuid or a list of them, ``strict`` a boolean."""
    wrong = parameters.mapping(locality)
    if wrong is None and not isinstance(locality.get("strict", False), bool):
        wrong = "strict was not true or false"
    for side in ("near", "far"):
        if wrong is None and not all(is_uuid(uuid) for uuid in _listed(locality.get(side) or [])):
            wrong = f"{side} was not a UUID or an array of UUIDs"
    if wrong is not None:
        raise parameters.invalid([("vm.locality", wrong)])
    return dict(locality)
