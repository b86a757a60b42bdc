"""A container's network: a namespace, one veth per NIC, and one bridge per NAPI network of the instance."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import gevent
from gevent.lock import RLock

from datacenter.node import cgroups, netlink, nft, nics, portmap, sharing, syscalls
from datacenter.node.firewall import Firewall
from datacenter.node.home import Home
from datacenter.node.names.service import Names
from datacenter.node.nics import Nic
from datacenter.node.tasks import TaskError
from datacenter.node.zone import Zone

SPARE = 4
"""Namespaces made ahead of time."""

LINGER = 2.0
"""Seconds that the kernel may take to let a namespace go."""

RULES = """
create table inet {table}
table inet {table} {{
  set same {{ type ifname . ifname; }}
  set subnets {{ type ipv4_addr; flags interval; }}
  chain forward {{
    type filter hook forward priority -10; policy accept;
    ct state established,related accept
    iifname . oifname @same accept
    iifname "{ours}*" oifname "tdg*" drop
    oifname "{ours}*" drop
  }}
  chain input {{
    type filter hook input priority -10; policy accept;
    iifname "{ours}*" ct state established,related accept
    iifname "{ours}*" icmp type echo-request accept
    iifname "{ours}*" drop
  }}
  chain out {{
    type nat hook postrouting priority 100;
    ip saddr @subnets oifname != "tdg*" masquerade
  }}
}}
"""


class Network:
    """The host side of all containers' networks of one node.

    Bridges and rules belong to the instance: nodes on one machine share them. They keep networks apart,
    keep containers away from the host's own services, and let them out to the world.
    """

    def __init__(self, home: Home, zones: Mapping[str, Zone], names: Names, firewall: Firewall) -> None:
        self._home = home
        self._zones = zones
        self._hosts: set[str] | None = None
        self._names = names
        self._firewall = firewall
        self._prefix = f"tdg{home.settings.instance}"
        self._ends = f"tv{home.settings.instance}"
        self._table = f"tdg_{home.settings.instance}"
        self._spare: list[Path] = []
        self._made = 0
        self._making = RLock()
        """Held while a bridge is made, so that no container is put on one without rules."""

    def bridge_name(self, network_uuid: str) -> str:
        return self._prefix + network_uuid.replace("-", "")[:10]

    def connect(self, zone: Zone) -> Path | None:
        """Give a zone its namespace with all NICs set up; None when it wants no network. Raises TaskError."""
        if zone.linux.get("NetworkNone"):
            return None
        if zone.linux.get(sharing.OPTION):
            self.disconnect(zone.uuid)
            self._shared().add(zone.linux[sharing.OPTION])
            return sharing.join(zone, self._zones, self._home.netns / zone.uuid)
        ports = portmap.translations(zone.metadata)
        path = self._home.netns / zone.uuid
        self.disconnect(zone.uuid)
        self._take_spare(path)
        wanted = zone.record.get("nics") or []
        try:
            self._firewall.shield(zone)
            for interface, nic in nics.by_interface(wanted).items():
                self._plug(path, interface, nic)
            self._route(path, wanted)
            self._translate(path, ports, wanted)
            self._names.serve(zone)
        except OSError as error:
            self.disconnect(zone.uuid)
            raise TaskError("InternalError", f"network set-up failed: {error}") from error
        return path

    def change(self, zone: Zone, before: list[Nic], after: list[Nic], *, anew: Collection[str] = ()) -> None:
        """Bring the interfaces of a running zone from one list of nics to another, while its processes go on.

        An interface whose nic stays as it is is left alone, connections and all, unless its MAC is in ``anew``. A
        default route is set when another nic is to have it, or when it went with its interface. Translated ports
        follow the primary nic. Raises OSError, and TaskError before anything has changed.
        """
        ports = portmap.translations(zone.metadata)
        namespace = self._home.netns / zone.uuid
        old, new = nics.by_interface(before), nics.by_interface(after)
        kept = {name for name in old.keys() & new.keys() if _wires(old[name]) == _wires(new[name])}
        kept = {name for name in kept if new[name]["mac"] not in anew}
        for interface in [name for name in (*old, *new) if name not in kept]:
            self._unplug(namespace, interface)
        for interface, nic in new.items():
            if interface not in kept:
                self._plug(namespace, interface, nic)
        default = nics.default_interface(after)
        if default not in kept or default != nics.default_interface(before):
            self._route(namespace, after)
        self._translate(namespace, ports, after)

    def disconnect(self, uuid: str) -> None:
        """Let a zone's namespace go; the kernel takes its interfaces down in its own time.

        The addresses may be somebody else's soon. So interfaces are taken away here when others have the namespace too,
        and a little later when something keeps it: connections of the dead, whose peers do not answer, do for minutes.
        """
        self._names.stop(uuid)
        self._firewall.unshield(uuid)
        path = self._home.netns / uuid
        if not path.exists():
            return
        if uuid in self._shared():
            self._shared().discard(uuid)
            self._empty(path)
        ends = _host_ends(path)
        netlink.drop_namespace(path, self._home.trash)
        if ends:
            gevent.spawn_later(LINGER, self._take_away, ends)

    def _take_away(self, ends: Iterable[int]) -> None:
        """Take away what is still there of these host's ends of interfaces."""
        with netlink.Netlink() as host:
            for index in ends:
                with suppress(OSError):  # it is gone, as it should be
                    if socket.if_indextoname(index).startswith(self._ends):
                        host.delete_link(index)

    def _shared(self) -> set[str]:
        """The zones whose network others were put into; an agent that has just begun reads it from these."""
        if self._hosts is None:
            found = (zone.linux.get(sharing.OPTION) for zone in self._zones.values() if zone.running)
            self._hosts = {str(uuid) for uuid in found if uuid}
        return self._hosts

    def _empty(self, namespace: Path) -> None:
        """Take all interfaces away but lo. A namespace that is none, as after a boot of the host, has none."""
        try:
            with netlink.inside(namespace):
                names = [name for _, name in socket.if_nameindex() if name != "lo"]
        except OSError:
            return
        for name in names:
            self._unplug(namespace, name)

    def remove_strays(self, known: Collection[str]) -> None:
        """Let all namespaces go but those of known zones and our own spare ones; at once, whoever is still in them."""
        spare = {pin.name for pin in self._spare}
        for pin in list(self._home.netns.iterdir()):
            if pin.name not in known and pin.name not in spare:
                self._empty(pin)
                self.disconnect(pin.name)

    def fill_spare(self) -> None:
        """Make namespaces ahead, so that a boot needs not wait for one."""
        while len(self._spare) < SPARE:
            self._made += 1
            pin = self._home.netns / f"spare-{os.getpid()}-{self._made}"
            netlink.make_namespace(pin)
            self._spare.append(pin)

    def _take_spare(self, path: Path) -> None:
        while self._spare and not self._spare[-1].exists():  # cleared away as a stranger, by an adoption just then
            self._spare.pop()
        if not self._spare:
            netlink.make_namespace(path)
            return
        pin = self._spare.pop()
        path.touch()
        syscalls.bind(pin, path)
        syscalls.unmount(pin)
        pin.unlink()

    def _plug(self, namespace: Path, interface: str, nic: Nic) -> None:
        address = IPv4Interface(f"{nic['ip']}/{nic['netmask']}")
        mtu = int(nic.get("mtu") or 1500)
        with self._making:
            bridge = self._bridge(nic, address, mtu)
        host_end = f"{self._ends}%d"  # the kernel numbers it: the last life's may still be going
        with netlink.opened(namespace) as pin, netlink.Netlink() as host:
            host.add_veth(host_end, bridge, interface, netns=pin, mac=nic["mac"], mtu=mtu)
        container, index = _enter(namespace, interface)
        with container:
            container.set_up(index)
            container.add_address(index, address)

    def _unplug(self, namespace: Path, interface: str) -> None:
        """Take an interface away with both its ends; one that isn't there is no error."""
        try:
            container, index = _enter(namespace, interface)
        except OSError:
            return
        with container:
            container.delete_link(index)

    def _route(self, namespace: Path, wanted: list[Nic]) -> None:
        interface = nics.default_interface(wanted)
        if interface is not None:
            container, index = _enter(namespace, interface)
            with container:
                container.set_default_route(IPv4Address(nics.by_interface(wanted)[interface]["gateway"]), index)

    def _translate(self, namespace: Path, ports: list[portmap.Translation], wanted: list[Nic]) -> None:
        if ports:
            nft.run(portmap.ruleset(ports, wanted), netns=namespace)

    def _bridge(self, nic: Nic, address: IPv4Interface, mtu: int) -> int:
        """The index of a network's bridge, made on first use with the gateway's address."""
        name = self.bridge_name(nic["network_uuid"])
        try:
            return socket.if_nametoindex(name)
        except OSError:
            pass  # not made yet
        with netlink.Netlink() as host:
            try:
                host.add_bridge(name, mtu)
            except OSError as error:
                if error.errno != errno.EEXIST:  # another node of the instance was quicker
                    raise
                return socket.if_nametoindex(name)
            index = socket.if_nametoindex(name)
            if nic.get("gateway"):
                host.add_address(index, IPv4Interface(f"{nic['gateway']}/{address.network.prefixlen}"))
        self._allow(name, str(address.network))
        return index

    def _allow(self, bridge: str, subnet: str) -> None:
        """Let a new bridge's traffic pass: within itself, and out to the world."""
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self.prepare()  # another node of the instance may have been cleaned up since we started
        nft.run(
            f"add element inet {self._table} same {{ {bridge} . {bridge} }}\n"
            f"add element inet {self._table} subnets {{ {subnet} }}\n"
        )

    def prepare(self) -> None:
        """Make the instance's rules, unless they are there: ``create`` then refuses the whole script."""
        try:
            nft.run(RULES.format(table=self._table, ours=self._prefix))
        except OSError as error:
            if "File exists" not in str(error):
                raise

    def remove_unused(self) -> None:
        """Remove the instance's bridges without ports, and its rules with the last of them.

        When no node of the instance has containers any more, no port is anybody's.
        """
        if not cgroups.exist(self._home.cgroups):
            self._take_away([index for index, name in socket.if_nameindex() if name.startswith(self._ends)])
        bridges = [link.name for link in Path("/sys/class/net").glob(f"{self._prefix}*")]
        with netlink.Netlink() as host:
            left = [name for name in bridges if not _remove_bridge(host, name)]
        if not left:
            with suppress(OSError):  # another node of the instance was quicker
                nft.run(f"delete table inet {self._table}")


def _wires(nic: Nic) -> tuple[Any, ...]:
    """What of a nic is seen on its interface."""
    return tuple(nic.get(field) for field in ("mac", "ip", "netmask", "network_uuid", "mtu"))


def _host_ends(namespace: Path) -> list[int]:
    """The host's ends of a namespace's interfaces, as they are numbered there. None of what is no namespace."""
    try:
        with netlink.inside(namespace):
            indexes = [index for index, _ in socket.if_nameindex() if index != netlink.LO_INDEX]
            own = netlink.Netlink()
        with own:
            return [own.other_end(index) for index in indexes]
    except OSError:
        return []


def _enter(namespace: Path, interface: str) -> tuple[netlink.Netlink, int]:
    """A netlink socket inside a namespace, and the index of one of its interfaces there. Raises OSError."""
    with netlink.inside(namespace):
        container = netlink.Netlink()
        try:
            return container, socket.if_nametoindex(interface)
        except OSError:
            container.close()
            raise


def _remove_bridge(host: netlink.Netlink, name: str) -> bool:
    """Remove a bridge unless it has ports; True when it is gone, also when another node was quicker."""
    try:
        if any((Path("/sys/class/net") / name / "brif").iterdir()):
            return False
        host.delete_link(socket.if_nametoindex(name))
    except OSError:
        return not (Path("/sys/class/net") / name).exists()
    return True
