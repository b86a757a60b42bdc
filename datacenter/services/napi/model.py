"""The networking side of the data center, as the other services use it."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from flask import Flask

from datacenter.feed_routes import FeedRoutes
from datacenter.feed_socket import FeedSocket
from datacenter.restify import not_found
from datacenter.services.napi import blocks, networks, pools, routes
from datacenter.services.napi.addresses import AddressSpace
from datacenter.services.napi.aggregations import Aggregations
from datacenter.services.napi.changefeed import NETWORK, NapiChangefeed
from datacenter.services.napi.errors import InUse, InvalidParameters, invalid, overlap, used_by
from datacenter.services.napi.fabrics import Fabrics
from datacenter.services.napi.networks import Network
from datacenter.services.napi.nic_tags import NicTags
from datacenter.services.napi.nics import Nic, Nics
from datacenter.services.napi.records import Records

if TYPE_CHECKING:
    from datacenter.center import DataCenter


class Napi:
    """Networks, nics, addresses and fabrics. Calls from other services cost no HTTP."""

    def __init__(self, dc: DataCenter) -> None:
        self.dc = dc
        self._networks = dc.store.bucket("networks")
        self._spaces: dict[str, AddressSpace] = {}
        self._subnets: dict[str, IPv4Network] = {}
        self.changefeed = NapiChangefeed()
        self._networks.watch(self._index)
        self._networks.watch(self.changefeed.watcher(NETWORK))
        self.tags = NicTags(self)
        self.records = Records(self)
        self.pools = pools.Pools(self)
        self.nics = Nics(self)
        self.aggregations = Aggregations(self)
        self.fabrics = Fabrics(self)
        if not len(self._networks):
            self._seed()
        self.app: Flask = routes.make_app(self)
        self.app.register_blueprint(FeedRoutes(self.changefeed).blueprint())

    def upgrade(self, environ: dict[str, Any], sock: socket.socket) -> None:
        """Serve the change feed on a connection that asked for WebSocket."""
        FeedSocket(self.changefeed, environ, sock).run()

    # what VMAPI and CNAPI call

    def network(self, network_uuid: str) -> Network | None:
        """A network by uuid; ``admin`` is an alias of the admin network."""
        if network_uuid == "admin":
            return next(iter(self._networks.find(name="admin")), None)
        return self._networks.get(network_uuid)

    def pool(self, pool_uuid: str) -> Network | None:
        return self.pools.get(pool_uuid)

    def networks(self, **filters: Any) -> list[Network]:
        """Networks by the filters of ``GET /networks``, e.g. ``provisionable_by``, ``name``, ``fabric``."""
        return networks.select(self._networks.all(), filters)

    def provision_nic(
        self,
        network_uuid: str,
        *,
        owner_uuid: str,
        belongs_to_uuid: str,
        cn_uuid: str | None,
        primary: bool = False,
        ip: str | None = None,
        mac: str | None = None,
    ) -> Nic:
        """Give a VM a nic with an address on a network or pool. Raises 422, 507 SubnetFull."""
        return self.nics.create(
            {
                "network_uuid": network_uuid,
                "owner_uuid": owner_uuid,
                "belongs_to_uuid": belongs_to_uuid,
                "belongs_to_type": "zone",
                "cn_uuid": cn_uuid,
                "primary": primary,
                "ip": ip,
                "mac": mac,
            }
        )

    def release_nics(self, belongs_to_uuid: str) -> None:
        """Delete all nics of a VM and free their addresses; harmless when there are none."""
        self.nics.delete_of(belongs_to_uuid)

    def ensure_default_fabric(self, owner_uuid: str) -> Network:
        return self.fabrics.ensure_default(owner_uuid)

    # networks

    def create_network(self, given: dict[str, Any]) -> Network:
        """Make a physical network. Raises 422 InvalidParameters, for overlaps too: all meet in one routing table."""
        network = networks.build(given, [known for known in self._networks.all() if not known.get("fabric")])
        problems = [] if network["nic_tag"] in self.tags else [invalid("nic_tag", "nic tag does not exist")]
        subnet = IPv4Network(network["subnet"])
        problems += [overlap(name) for name, other in sorted(self._subnets.items()) if subnet.overlaps(other)]
        if problems:
            raise InvalidParameters(*problems)
        return self.add_network(network)

    def add_network(self, network: Network) -> Network:
        return self._networks.put(network["uuid"], network)

    def update_network(self, network: Network, changes: dict[str, Any]) -> Network:
        """Change a network in place; its subnet, VLAN and nic tag stay. Raises 422 InvalidParameters."""
        peers = [known for known in self._networks.all() if known.get("owner_uuid") == network.get("owner_uuid")]
        changed = networks.build({**network, **changes}, peers)
        return self._networks.put(network["uuid"], {**network, **changed})

    def delete_network(self, network_uuid: str) -> None:
        """Delete a network without nics. Raises 422 InUse."""
        users = [used_by("nic", nic["mac"]) for nic in self.nics.on(network_uuid)]
        if users:
            raise InUse("network must have no NICs provisioned", users)
        holders = [used_by("network pool", pool["uuid"]) for pool in self.pools.holding(network_uuid)]
        if holders:
            raise InUse("Network is in use", holders)
        with self.dc.store.transaction():
            self._networks.delete(network_uuid)
            self.records.forget(network_uuid)

    # addresses

    def subnet(self, network_uuid: str) -> IPv4Network:
        return self._subnets[network_uuid]

    def subnets(self) -> dict[str, IPv4Network]:
        """Every network's subnet by the network's uuid."""
        return dict(self._subnets)

    def space(self, network_uuid: str) -> AddressSpace:
        """The free and taken addresses of a network."""
        if network_uuid not in self._spaces:
            network = self._networks.get(network_uuid)
            if network is None:
                raise not_found("network not found")
            taken = [record["ip"] for record in self.records.fixed(network)]
            taken += [nic["ip"] for nic in self.nics.on(network_uuid)]
            first, last = (int(IPv4Address(network[f"provision_{end}_ip"])) for end in ("start", "end"))
            self._spaces[network_uuid] = AddressSpace(first, last, (int(IPv4Address(ip)) for ip in taken))
        return self._spaces[network_uuid]

    def claim(self, network_uuid: str, ip: str) -> None:
        """Note that a nic has an address. A space nobody asked for yet learns it when it is made."""
        if network_uuid in self._spaces:
            self._spaces[network_uuid].claim(int(IPv4Address(ip)))

    def give_back(self, network_uuid: str, ip: str) -> None:
        """Note that a nic's address is free again, unless an operator keeps it."""
        if network_uuid in self._spaces and not self.records.keeps(network_uuid, ip):
            self._spaces[network_uuid].give_back(int(IPv4Address(ip)))

    def _index(self, key: str, before: Network | None, after: Network | None) -> None:
        """Follow every change of a network: its subnet, and its addresses when they are asked for again."""
        if before is not None:
            self._spaces.pop(key, None)
        if after is None:
            self._subnets.pop(key, None)
        else:
            self._subnets[key] = IPv4Network(after["subnet"])

    def _seed(self) -> None:
        index, admin = self.dc.settings.index, self.dc.mahi.admin_uuid
        resolvers = blocks.host_resolvers()
        with self.dc.store.transaction():
            self.tags.seed()
            for name, subnet in (("admin", blocks.admin(index)), ("external", blocks.external(index))):
                gateway, first, last = blocks.provision_range(subnet)
                self.create_network(
                    {
                        "name": name,
                        "nic_tag": name,
                        "subnet": str(subnet),
                        "vlan_id": 0,
                        "gateway": gateway,
                        "provision_start_ip": first,
                        "provision_end_ip": last,
                        "resolvers": resolvers,
                        "owner_uuids": [admin] if name == "admin" else None,
                    }
                )
