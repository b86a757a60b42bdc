"""Look everywhere in a running instance: services, the gateway's records, the nodes' folders, mounts, links, processes."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from datacenter.node.home import Home
from datacenter.settings import load
from tests.e2e.conftest import Running
from tests.faults.ledger import GONE, Held, Ledger, ledger
from translators.settling import GRACE_SECONDS

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CGROUPS = Path("/sys/fs/cgroup")
ENDED = ("succeeded", "failed", "canceled")


def take(running: Running) -> Ledger:
    """Take stock. Raises OSError while a process of the instance is away."""
    settings = load(running.instance.folder / "datacenter.json")
    listed = running.http("vmapi", "/vms?limit=1000")
    vms = {vm["uuid"]: vm["state"] for vm in listed}
    held = [*services(running), *buckets(running), *records(running, vms)]
    for number in range(settings.nodes):
        held += node(running, Home(settings, number), vms)
    held += processes(vms)
    held += links(running, [vm for vm in listed if vm["state"] == "running"])
    return ledger(vms, held, due(listed))


def due(listed: list[dict[str, Any]]) -> Iterator[Held]:
    """What every VM has, and every running one."""
    for vm in listed:
        if vm["state"] in GONE:
            continue
        yield Held("zone", "", vm["uuid"])
        if vm["nics"]:
            yield Held("nic", "", vm["uuid"])
        if vm["state"] == "running":
            for kind in ("process", "cgroup", "netns", "mount"):
                yield Held(kind, "", vm["uuid"])


def services(running: Running) -> Iterator[Held]:
    for nic in running.http("napi", "/nics?belongs_to_type=zone&limit=1000"):
        yield Held("nic", f"{nic['mac']} {nic.get('ip')}", nic["belongs_to_uuid"])
    for rule in running.http("fwapi", "/rules"):
        for uuid in UUID.findall(rule["rule"]):
            yield Held("rule", f"{rule['uuid']} {rule['rule']}", uuid)
    for server in running.http("cnapi", "/servers"):
        for ticket in running.http("cnapi", f"/servers/{server['uuid']}/tickets"):
            if ticket["status"] in {"active", "queued"}:
                yield Held("ticket", f"{ticket['uuid']} {ticket.get('action')} {ticket['id']}")
    for state in ("queued", "running"):
        for job in running.http("wfapi", f"/jobs?execution={state}"):
            yield Held("job", f"{job['uuid']} {job['name']} of {job['params'].get('vm_uuid')}")
    for image in running.http("imgapi", "/images?state=all"):
        if image["state"] not in {"active", "disabled"}:
            yield Held("image", f"{image['uuid']} {image['state']}")
    images = running.instance.folder / "images"
    known = {image["uuid"] for image in running.http("imgapi", "/images?state=all")}
    for name in names(images) - known - {"incoming"}:
        yield Held("image file", name)
    for name in names(images / "incoming"):
        yield Held("image file", f"incoming/{name}")


def buckets(running: Running) -> Iterator[Held]:
    """What the services keep to themselves."""
    for table in ("doomed_vms", "doomed_nics"):
        for key, _ in documents(running, table):
            yield Held(table.replace("_", " ").removesuffix("s"), key)
    for key, reservation in documents(running, "volume_reservations"):
        yield Held("volume reservation", f"{key} {reservation['vm_uuid']}")
    for key, volume in documents(running, "volumes"):
        if volume["state"] not in {"ready", "failed"}:
            yield Held("volume", f"{key} {volume['state']}")
        for vm_uuid in volume.get("refs", ()):
            yield Held("volume reference", f"{key} by {vm_uuid}", vm_uuid)


def documents(running: Running, bucket: str) -> list[tuple[str, dict[str, Any]]]:
    found = rows(running.instance.folder / "dc.sqlite", f"SELECT key, doc FROM {bucket}")  # noqa: S608 - constants
    return [(row["key"], json.loads(row["doc"])) for row in found]


def records(running: Running, vms: dict[str, str]) -> Iterator[Held]:
    """The gateway's own rows. Some are only there while a call is under way, so that they have no owner afterwards."""
    base = running.instance.folder / "gateway" / "gateway.sqlite"
    for kind, table, column, condition in (
        ("link", "links", "container_uuid", ""),
        ("exec session", "exec_sessions", "vm_uuid", ""),
        ("open chapter", "container_journal", "vm_uuid", "WHERE gone = 0"),
    ):
        for row in rows(base, f"SELECT {column} AS owner FROM {table} {condition}"):  # noqa: S608 - constants
            yield Held(kind, row["owner"], row["owner"])
    for row in rows(base, "SELECT * FROM exec_sessions WHERE running = 1"):
        yield Held("running exec", row["id"], row["vm_uuid"], while_running=True)
    left = {row["subject"]: row for row in rows(base, "SELECT * FROM undertakings")}
    for row in rows(base, "SELECT * FROM reservations"):
        yield Held("reservation", f"{row['vm_uuid']} {vms.get(row['vm_uuid'])}")
    for row in rows(base, "SELECT * FROM announcements"):
        if row["token"] not in left:
            yield Held("announcement", f"{row['vm_uuid']} {vms.get(row['vm_uuid'])}")
    for row in left.values():
        if row["worker"] or time.time() - row["changed"] > GRACE_SECONDS + 5:
            whose = f"of {row['worker']}" if row["worker"] else f"left {time.time() - row['changed']:.0f} s ago"
            yield Held("undertaking", f"{row['kind']} {row['subject']} {vms.get(row['subject'])} {whose}")
    for table in ("image_tags", "image_digests"):
        query = f"SELECT * FROM {table} WHERE config_digest NOT IN (SELECT config_digest FROM images)"  # noqa: S608
        for row in rows(base, query):
            yield Held("image name", row["repo"])
    for name in names(running.instance.folder / "gateway"):
        if not re.fullmatch(r"gateway\.sqlite(-wal|-shm)?|tls|audit\.log|\w+\.lock|workers|maintenance", name):
            yield Held("gateway file", name)


def node(running: Running, home: Home, vms: dict[str, str]) -> Iterator[Held]:
    """One node's folders, seen as its agent sees them, its mounts and its cgroups."""
    pid = running.pid(f"node-{home.number}")
    inside = Path(f"/proc/{pid}/root{home.root}")
    if not inside.is_dir():
        raise FileNotFoundError(inside)
    for zone in names(inside / "zones"):
        yield Held("zone", zone, zone)
        for life in names(inside / "zones" / zone / "lives"):
            yield Held("life", f"{zone}/{life}", zone, while_running=True)
        for session in names(inside / "zones" / zone / "exec"):
            yield Held("exec folder", f"{zone}/{session}")
    for folder, kind in ((home.netns, "netns"), (home.runtime_state, "runtime state")):
        for name in names(inside / folder.relative_to(home.root)):
            if not name.startswith(f"spare-{pid}-"):
                yield Held(kind, name, name, while_running=True)
    for name in names(inside / "trash"):
        yield Held("trash", name)
    for name in names(inside / "layers"):
        if name.endswith((".partial", ".file", ".new")):
            yield Held("layer", name)
    for line in Path(f"/proc/{pid}/mounts").read_text().splitlines():
        target = line.split()[1]
        for uuid in set(UUID.findall(target)) & vms.keys() if target.startswith(str(home.zones)) else ():
            yield Held("mount", target, uuid, while_running=True)
    for top in CGROUPS.glob(f"*{home.cgroup}"):
        for name in names(top):
            if (top / name).is_dir():
                yield Held(
                    "cgroup", f"{top.parent.name}/{name}", next(iter(UUID.findall(name)), ""), while_running=True
                )


def processes(vms: dict[str, str]) -> Iterator[Held]:
    """Programs that were started for a VM: conmon, the runtime, copies."""
    listing = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        for uuid in set(UUID.findall(line)) & vms.keys():
            yield Held("process", line.strip()[:120], uuid, while_running=True)


def links(running: Running, up: Iterable[dict[str, Any]]) -> Iterator[Held]:
    """The host's ends of the containers' interfaces; each must have its other end in a running VM."""
    wired: dict[int, str] = {}
    for vm in up:
        command = ["nsenter", f"--net=/proc/{vm['pid']}/ns/net", "ip", "-j", "link"]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        wired |= {link["link_index"]: vm["uuid"] for link in json.loads(found or "[]") if "link_index" in link}
    host = subprocess.run(["ip", "-j", "link"], capture_output=True, text=True, check=True).stdout
    for link in json.loads(host):
        if re.fullmatch(rf"tv{running.instance.letter}\d+", link["ifname"]):
            yield Held("interface", link["ifname"], wired.get(link["ifindex"], ""), while_running=True)


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()


def rows(path: Path, query: str) -> list[sqlite3.Row]:
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    base.row_factory = sqlite3.Row
    try:
        return base.execute(query).fetchall()
    finally:
        base.close()
