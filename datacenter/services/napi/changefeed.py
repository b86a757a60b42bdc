"""NAPI's change feed: networks, nics and aggregations that come, go, or change in what others act on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from datacenter.changefeed import Changefeed, Resource

if TYPE_CHECKING:
    from datacenter.store import Watcher

Doc = dict[str, Any]

COMES, GOES = "create", "delete"
AGGREGATION = Resource("aggregation", "/aggregations", (COMES, GOES, "lacp_mode"))
NETWORK = Resource("network", "/networks", (COMES, GOES, "gateway", "resolvers", "routes"))
NIC = Resource(
    "nic",
    "/nics",
    (
        COMES,
        GOES,
        "allow_dhcp_spoofing",
        "allow_ip_spoofing",
        "allow_mac_spoofing",
        "allow_restricted_traffic",
        "allow_unfiltered_promisc",
        "primary",
    ),
)


class NapiChangefeed(Changefeed):
    """The feed of NAPI's tables. What is gone is told as it was."""

    def __init__(self) -> None:
        super().__init__(AGGREGATION, NETWORK, NIC)

    def watcher(self, resource: Resource, shown: Callable[[Doc], Doc] = dict) -> Watcher:
        """A watcher for the table of a resource; ``shown`` makes of a stored document what NAPI answers."""

        def changed(key: str, before: Doc | None, after: Doc | None) -> None:
            thing = after or before
            if not self._listeners or thing is None:
                return
            if before is None or after is None:
                parts = [COMES if before is None else GOES]
            else:
                parts = [field for field in resource.sub_resources[2:] if before.get(field) != after.get(field)]
            if parts:
                self.publish(resource.name, key, parts, shown(thing))

        return changed
