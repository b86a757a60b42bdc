"""From Triton's firewall rules to a table of nftables, for one VM in its own network namespace.

What comes in is dropped unless a rule allows it, what goes out passes unless a rule blocks it; answers, and the
container's talk with itself, are left alone. Of rules that contradict each other the one with the higher priority wins;
among equals the one that departs from the default: ALLOW inwards, BLOCK outwards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from datacenter.node.peers import Group, Peer
from grammars.firewall import IcmpType, Ports, Rule, Target

TABLE = "tdg_firewall"
NONE = f"table inet {TABLE}\ndelete table inet {TABLE}\n"
"""Takes the table away, whether it is there or not."""

_CHAINS = """\
  chain incoming {{
    type filter hook prerouting priority -50; policy drop;
    iif 1 accept
    ct state established,related accept
    icmpv6 type {{ 133, 134, 135, 136 }} accept
{incoming}  }}
  chain outgoing {{
    type filter hook postrouting priority 0; policy accept;
    oif 1 accept
    ct state established,related accept
{outgoing}  }}
"""
"""Interface 1 is lo. Prerouting after translated ports (-100), and so that what is only passed on is held to the rules
as well; ICMPv6 133 to 136 is how neighbours find each other, which ARP does for IPv4."""

_NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58, "ah": 51, "esp": 50}
_TYPE_WORDS = {"icmp": "icmp", "icmp6": "icmpv6"}
_VERDICTS = {"allow": "accept", "block": "drop"}


@dataclass(frozen=True, slots=True)
class OwnedRule:
    """A rule and whose VMs it is about: an account's, or with None everybody's."""

    owner: str | None
    rule: Rule

    def inwards(self, vm: Peer) -> bool:
        return any(Group(self.owner, target).has(vm) for target in self.rule.destinations)

    def outwards(self, vm: Peer) -> bool:
        return any(Group(self.owner, target).has(vm) for target in self.rule.sources)


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The lines of one VM's chains, and the groups whose sets they look into."""

    incoming: tuple[str, ...] = ()
    outgoing: tuple[str, ...] = ()
    groups: frozenset[Group] = frozenset()

    def script(self, members: Callable[[Group], Collection[str]], *, anew: bool) -> str:
        """What makes the table; ``anew`` for one that may be there, whose place it takes in the same moment."""
        sets = "".join(_set(group.name, members(group)) for group in sorted(self.groups, key=lambda group: group.name))
        chains = _CHAINS.format(incoming=_indented(self.incoming), outgoing=_indented(self.outgoing))
        return f"{NONE if anew else ''}table inet {TABLE} {{\n{sets}{chains}}}\n"


def ruleset(vm: Peer, rules: Iterable[OwnedRule]) -> Ruleset:
    """The lines for a VM of all the rules that there are."""
    known = list(rules)
    inwards = _in_order((owned for owned in known if owned.inwards(vm)), default="block")
    outwards = _in_order((owned for owned in known if owned.outwards(vm)), default="allow")
    return Ruleset(
        tuple(line for owned in inwards for line in _lines(owned, owned.rule.sources, "saddr")),
        tuple(line for owned in outwards for line in _lines(owned, owned.rule.destinations, "daddr")),
        frozenset(
            {group for owned in inwards for group in _groups(owned, owned.rule.sources)}
            | {group for owned in outwards for group in _groups(owned, owned.rule.destinations)}
        ),
    )


def _in_order(rules: Iterable[OwnedRule], default: str) -> list[OwnedRule]:
    """The rules as they are to be looked at, without those at the end that only say what is so anyhow."""
    found = sorted(
        rules, key=lambda owned: (-(owned.rule.priority or 0), owned.rule.action == default, str(owned.rule))
    )
    while found and found[-1].rule.action == default:
        found.pop()
    return found


def _lines(owned: OwnedRule, others: Iterable[Target], side: str) -> Iterator[str]:
    """A line for each way to write whom a rule is about, with each way to write what."""
    verdict = _VERDICTS[owned.rule.action]
    for whom in _addresses(owned, list(others), side):
        for what in _matches(owned.rule):
            yield f"{whom}{what} {verdict}"


def _addresses(owned: OwnedRule, others: list[Target], side: str) -> Iterator[str]:
    if any(target.kind == "any" for target in others):
        yield ""
        return
    named = [ip_network(target.name) for target in others if target.kind in ("ip", "subnet")]
    four = collapse_addresses(net for net in named if isinstance(net, IPv4Network))
    six = collapse_addresses(net for net in named if isinstance(net, IPv6Network))
    protocol = owned.rule.protocol
    if protocol != "icmp6" and (text := _braced(four)):
        yield f"ip {side} {text} "
    if protocol != "icmp" and (text := _braced(six)):
        yield f"ip6 {side} {text} "
    yield from (f"ip {side} @{group.name} " for group in _groups(owned, others))


def _groups(owned: OwnedRule, others: Iterable[Target]) -> list[Group]:
    """The groups on a rule's other side. Their addresses are IPv4: for a rule about IPv6 alone there are none."""
    if owned.rule.protocol == "icmp6":
        return []
    return [Group(owned.owner, target) for target in others if target.kind in ("vm", "tag", "all vms")]


def _matches(rule: Rule) -> Iterator[str]:
    ports = [match for match in rule.matches if isinstance(match, Ports)]
    types = [match for match in rule.matches if isinstance(match, IcmpType)]
    if ports:
        yield f"{rule.protocol} dport {_braced(_merged(ports))}"
    elif types:
        word = _TYPE_WORDS[rule.protocol]
        whole = [match.type for match in types if match.code is None]
        if whole:
            yield f"{word} type {_braced(whole)}"
        yield from (f"{word} type {m.type} {word} code {m.code}" for m in types if m.code is not None)
    else:
        yield f"meta l4proto {_NUMBERS[rule.protocol]}"


def _merged(ports: Iterable[Ports]) -> list[Ports]:
    """Ports without overlaps, which no set of nftables takes."""
    found: list[Ports] = []
    for span in sorted(ports):
        if found and span.first <= found[-1].last + 1:
            found[-1] = Ports(found[-1].first, max(found[-1].last, span.last))
        else:
            found.append(span)
    return found


def _braced(things: Iterable[object]) -> str:
    """One thing as it is, several as a set; nothing is an empty text."""
    texts = [str(thing).removesuffix("/32").removesuffix("/128") for thing in things]
    return texts[0] if len(texts) == 1 else f"{{ {', '.join(texts)} }}" if texts else ""


def _set(name: str, addresses: Collection[str]) -> str:
    held = f" elements = {{ {', '.join(sorted(addresses))} }};" if addresses else ""
    return f"  set {name} {{ type ipv4_addr;{held} }}\n"


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)
