"""Network pools: networks that a nic may get its address from, the first with room wins."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from datacenter.restify import is_uuid
from datacenter.services.napi import networks
from datacenter.services.napi.errors import InvalidParameters, duplicate, invalid, missing
from datacenter.services.napi.networks import Network

if TYPE_CHECKING:
    from datacenter.services.napi.model import Napi

MOST_NETWORKS = 64
SETTABLE = frozenset(("uuid", "name", "description", "networks", "owner_uuids"))


class Pools:
    """A data center starts without pools; an operator makes them."""

    def __init__(self, napi: Napi) -> None:
        self._napi = napi
        self._pools = napi.dc.store.bucket("network_pools")

    def get(self, pool_uuid: str) -> Network | None:
        return self._pools.get(pool_uuid)

    def select(self, params: dict[str, Any]) -> list[Network]:
        return networks.select(self._pools.all(), params)

    def holding(self, network_uuid: str) -> list[Network]:
        """The pools that a network is in."""
        return [pool for pool in self._pools.all() if network_uuid in pool["networks"]]

    def put(self, given: dict[str, Any]) -> Network:
        """Make or replace a pool. Raises 422 InvalidParameters."""
        problems = [missing(field) for field in ("name", "networks") if not given.get(field)]
        owners = given.get("owner_uuids")
        if owners is not None and not (isinstance(owners, list) and all(map(is_uuid, owners))):
            problems.append(invalid("owner_uuids", "must be an array of UUIDs"))
        if any(pool["name"] == given.get("name") and pool["uuid"] != given.get("uuid") for pool in self._pools.all()):
            problems.append(duplicate("name"))
        names = given.get("networks") or []
        found = [self._napi.network(name) if isinstance(name, str) else None for name in names]
        members = [member for member in found if member is not None]
        if len(members) != len(names):
            problems.append(
                invalid("networks", "unknown network" if len(names) - len(members) == 1 else "unknown networks")
            )
        if len(names) > MOST_NETWORKS:
            problems.append(invalid("networks", f"maximum {MOST_NETWORKS} networks per network pool"))
        if owners and not all(_shares_owner(member, [*owners, self._napi.dc.mahi.admin_uuid]) for member in members):
            problems.append(invalid("networks", "network owner_uuids must match the pool's"))
        if problems:
            raise InvalidParameters(*problems)
        tags = list(dict.fromkeys(member["nic_tag"] for member in members))
        pool = {"uuid": str(uuid.uuid4()), **{name: value for name, value in given.items() if value is not None}}
        pool.update(family="ipv4", nic_tag=tags[0], nic_tags_present=tags)
        return self._pools.put(pool["uuid"], pool)

    def delete(self, pool_uuid: str) -> None:
        self._pools.delete(pool_uuid)


def _shares_owner(network: Network, owners: list[str]) -> bool:
    """Whether a network is everybody's, or one of the owners'."""
    own = network.get("owner_uuids")
    return not own or any(owner in owners for owner in own)
