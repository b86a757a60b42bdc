"""Ports: exposed, published, and the firewall rules that publishing means on a network where all have addresses.

A published port is reachable at the container's own address. SDC translates no numbers, so its number is its own,
save where compute nodes advertise ``port-remapping``: those answer on other numbers, too. Rules are about the
container's own numbers either way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.errors import InvalidParameter, NotImplementedHere
from grammars import firewall
from grammars.firewall import Target
from translators.containers.model import ContainerCreate, PortBinding

Port = tuple[str, int]
"""Protocol and number."""

PROTOCOLS = ("tcp", "udp")
PORT_REMAPPING = "port-remapping"
"""Capability of nodes that translate port numbers as ``docker:port_map`` says."""
MOST = 128
PER_RULE = 8
MOST_NAMED = 3 * 65535
"""Ports that one request may name, each counted as often as it is named: there are no more."""
_SPEC = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/([a-zA-Z]+))?")
_ANY_ADDRESS = {"", "0.0.0.0", "::", "*"}


@dataclass(slots=True)
class PortPlan:
    """What a container shows and what it opens."""

    published: set[Port] = field(default_factory=set)
    unpublished: set[Port] = field(default_factory=set)
    host_ports: dict[Port, list[int]] = field(default_factory=dict)
    """The numbers outside of those published ports that have others than their own alone."""
    taken: dict[str, set[int]] = field(default_factory=dict)
    """The numbers outside that are given away, by protocol."""
    warnings: list[str] = field(default_factory=list)

    def unpublished_numbers(self, protocol: str) -> list[int]:
        return sorted(number for kind, number in self.unpublished if kind == protocol)


def parse_port(text: str) -> list[tuple[str, int]]:
    """Read ``80``, ``80/udp`` or ``8000-8010/tcp``. Raises InvalidParameter, as dockerd."""
    match = _SPEC.fullmatch(text)
    first = int(match[1]) if match else 0
    last = int(match[2] or first) if match else 0
    protocol = (match[3] or "tcp").lower() if match else ""
    if not 0 < first <= last < 65536 or protocol not in {*PROTOCOLS, "sctp"}:
        raise InvalidParameter(f'invalid port specification: "{text}"')
    return [(protocol, number) for number in range(first, last + 1)]


def parse_ports(texts: Iterable[str]) -> set[Port]:
    """Read several. Raises InvalidParameter, also when they name more ports than there are."""
    found: set[Port] = set()
    named = 0
    for text in texts:
        ports = parse_port(text)
        named = _counted(named + len(ports))
        found.update(ports)
    return found


def _counted(named: int) -> int:
    """Raise InvalidParameter for ranges that would only be gone through again and again."""
    if named > MOST_NAMED:
        raise InvalidParameter(f"too many ports: a request may name {MOST_NAMED}, ranges and repetitions counted out")
    return named


def plan_ports(body: ContainerCreate, image_ports: Iterable[str], *, remaps: bool = False) -> PortPlan:
    """Sort ports into published and merely exposed ones; with ``remaps`` nodes translate port numbers.

    Raises InvalidParameter, also for a number outside that two ports are to have, and NotImplementedHere.
    """
    plan = PortPlan()
    exposed = _supported(image_ports, plan, warn=False) | _supported(body.ExposedPorts, plan, warn=True)
    named = 0
    for spec, bindings in body.HostConfig.PortBindings.items():
        bound = parse_port(spec)
        named = _counted(named + len(bound) * max(1, len(bindings or ())))
        if bound[0][0] not in PROTOCOLS:
            raise NotImplementedHere("publish port: unknown protocol: must be tcp or udp")
        for binding in bindings or []:
            _bind(plan, bound, binding or PortBinding(), remaps=remaps)
        plan.published.update(bound)
    if body.HostConfig.PublishAllPorts:
        plan.published |= exposed
    plan.unpublished = exposed - plan.published
    plan.host_ports = {port: numbers for port, numbers in plan.host_ports.items() if numbers != [port[1]]}
    _check_apart(plan)
    return plan


def _supported(specs: Iterable[str], plan: PortPlan, *, warn: bool) -> set[Port]:
    found = parse_ports(specs)
    supported = {port for port in found if port[0] in PROTOCOLS}
    if warn and found - supported:
        plan.warnings.append("Exposed ports other than tcp and udp are not recorded.")
    return supported


def _check_address(binding: PortBinding) -> None:
    """Addresses are never translated: whatever would need it is refused, not bent."""
    if binding.HostIp not in _ANY_ADDRESS:
        raise NotImplementedHere(
            f"publish port: binding to the address {binding.HostIp} is not possible: "
            "a published port is reachable at the container's own address"
        )


def _bind(plan: PortPlan, bound: list[Port], binding: PortBinding, *, remaps: bool) -> None:
    """Give ports numbers outside: their own where that will do, else the first of the range that are free."""
    _check_address(binding)
    own = binding.HostPort in {"", "0"}
    wanted = bound if own else parse_port(binding.HostPort)
    numbers = range(wanted[0][1], wanted[-1][1] + 1)
    taken = plan.taken.setdefault(bound[0][0], set())
    free = (number for number in numbers if number not in taken)
    for port in bound:
        number = port[1] if port[1] in numbers else next(free, numbers[0])
        if number != port[1] and not remaps:
            raise NotImplementedHere(
                "publish port: remapping of port numbers not allowed: this data center translates no ports, "
                f"publish {port[1]}:{port[1]}/{port[0]} instead"
            )
        known = plan.host_ports.setdefault(port, [])
        if number not in known:
            known.append(number)
            taken.add(number)


def _check_apart(plan: PortPlan) -> None:
    """Raise InvalidParameter when two ports of the container would answer on one number."""
    holders: dict[Port, Port] = {}
    for port in sorted(plan.published):
        for number in plan.host_ports.get(port, [port[1]]):
            other = holders.setdefault((port[0], number), port)
            if other != port:
                raise InvalidParameter(
                    f"publish port: host port {number}/{port[0]} is already allocated: "
                    f"the container's ports {other[1]} and {port[1]} cannot share it"
                )


def port_name(port: Port) -> str:
    """Write a port as Docker does: ``80/tcp``."""
    return f"{port[1]}/{port[0]}"


def compress(numbers: Iterable[int]) -> list[str]:
    """Join runs of ports: ``80``, ``8000-8010``."""
    runs: list[tuple[int, int]] = []
    for number in sorted({n for n in numbers if n > 0}):
        if runs and runs[-1][1] + 1 == number:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return [str(a) if a == b else f"{a}-{b}" for a, b in runs]


def publish_rules(vm_uuid: str, published: Iterable[Port], version: int) -> list[str]:
    """Write the firewall rules that let anybody reach these ports. Raises InvalidParameter for too many."""
    rules = []
    ports = set(published)
    for protocol in PROTOCOLS:
        numbers = [number for kind, number in ports if kind == protocol]
        pieces = compress(numbers) if version > 1 else sorted(str(number) for number in numbers)
        if len(pieces) > MOST:
            kind = "port ranges" if version > 1 else "ports"
            raise InvalidParameter(f"publish port: only support exposing {MOST} {protocol.upper()} {kind}")
        for at in range(0, len(pieces), PER_RULE):
            part = _port_list(pieces[at : at + PER_RULE], version)
            rules.append(f"FROM any TO vm {vm_uuid} ALLOW {protocol} {part}")
    return rules


def _port_list(pieces: list[str], version: int) -> str:
    if version > 1:
        return f"PORTS {', '.join(pieces)}"
    if len(pieces) == 1:
        return f"PORT {pieces[0]}"
    return f"({' AND '.join(f'PORT {piece}' for piece in pieces)})"


def published_by(rules: Iterable[Mapping[str, object]]) -> dict[str, set[Port]]:
    """Return, by VM, the ports that firewall rules open to everybody; other rules open none."""
    open_ports: dict[str, set[Port]] = {}
    for rule in rules:
        parsed = _parsed(rule)
        if parsed is None or rule.get("enabled") is False or Target("any") not in parsed.sources:
            continue
        if parsed.action != "allow" or parsed.protocol not in PROTOCOLS:
            continue
        numbers = {
            (parsed.protocol, number)
            for ports in parsed.matches
            if isinstance(ports, firewall.Ports)
            for number in range(ports.first, ports.last + 1)
        }
        for target in parsed.destinations:
            if target.kind == "vm":
                open_ports.setdefault(target.name, set()).update(numbers)
    return open_ports


def only_about(rule: Mapping[str, object], vm_uuid: str) -> bool:
    """Whether a rule names this VM and no other, nor a tag, so that it means nothing once the VM is gone."""
    parsed = _parsed(rule)
    if parsed is None or rule.get("global"):
        return False
    selecting = {target for target in parsed.targets if target.kind in {"vm", "tag", "all vms"}}
    return selecting == {Target("vm", vm_uuid)}


def _parsed(rule: Mapping[str, object]) -> firewall.Rule | None:
    """Parse a rule; one in a newer grammar counts as none of ours."""
    try:
        return firewall.parse(str(rule.get("rule", "")))
    except firewall.RuleError:
        return None
