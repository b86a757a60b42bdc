"""Everything that a request may leave behind: in the data center, on its node, and in the gateway's own records."""

from __future__ import annotations

from typing import Any

from tests.contract.house import House

Stock = dict[str, frozenset[Any]]

GONE = frozenset({"destroyed", "failed"})
PASSING = frozenset({"tickets", "servers", "role_tags", "vm_role_tags"})
"""Buckets that tell of what was, or of what is always there."""
RECORDS = {
    "reservations": "vm_uuid",
    "undertakings": "subject",
    "announcements": "vm_uuid",
    "exec_sessions": "vm_uuid || id",
    "links": "container_uuid",
    "builds": "rowid",
    "networks": "network_uuid",
    "images": "config_digest",
    "image_tags": "repo || tag",
    "image_digests": "repo || config_digest",
}
"""Tables of the gateway, and what tells their rows apart."""


def take(house: House) -> Stock:
    """Take stock."""
    stock = {f"dc {name}": frozenset(bucket._docs) for name, bucket in house.dc.store._buckets.items()}
    live = frozenset(vm["uuid"] for vm in house.dc.vmapi.vms() if vm["state"] not in GONE)
    found = {name: keys for name, keys in stock.items() if name.removeprefix("dc ") not in PASSING}
    found |= {"dc vms": live, "dc jobs under way": frozenset(house.dc.wfapi.engine._running)}
    found["dc nics"] = frozenset(
        nic["mac"] for nic in house.dc.store.bucket("nics").all() if nic["belongs_to_type"] == "zone"
    )
    found["dc queued tickets"] = frozenset(
        ticket["uuid"] for ticket in house.dc.store.bucket("tickets").all() if ticket["status"] in {"active", "queued"}
    )
    found["node zones"] = frozenset(uuid for uuid, zone in house.node.zones.items() if uuid and zone)
    found["image files"] = frozenset(path.name for path in house.dc.settings.state.rglob("incoming/*"))
    for table, key in RECORDS.items():
        rows = house.state.database.query(f"SELECT {key} AS thing FROM {table}")  # noqa: S608 - constants
        found[f"gateway {table}"] = frozenset(row["thing"] for row in rows)
    found["gateway uploads"] = frozenset(
        path.name for path in house.state.folder.iterdir() if not path.name.startswith(("gateway.sqlite", "workers"))
    )
    return found


def added(before: Stock, after: Stock) -> dict[str, list[Any]]:
    """What is there now and was not before."""
    more = {name: sorted(things - before.get(name, frozenset())) for name, things in after.items()}
    return {name: things for name, things in more.items() if things}
