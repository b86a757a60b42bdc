"""The ledger finds what is held for nobody, and what is missing; without that the matrix would prove nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest

from datacenter.node.home import Home
from datacenter.settings import load
from tests.faults import inventory
from tests.faults.ledger import Held, ledger
from tests.faults.points import Point, points_in

TRACE = """\
gateway\tvmapi GET /vms >|
gateway\tvmapi POST /vms |>
services\tjob start: first |>
services\tjob start: first >|
gateway\tvmapi POST /vms >|
services\tjob start: second |>
gateway\tvmapi GET /jobs/* >|
gateway\tvmapi GET /jobs/* >|
services\tjob start: second >|
services\tcommit >|
services\tcommit >|
"""
UP, DOWN, GONE = "up", "down", "gone"
VMS = {UP: "running", DOWN: "stopped", GONE: "destroyed"}


@pytest.mark.parametrize(
    ("held", "lost"),
    [
        (Held("nic", "a", DOWN), False),
        (Held("nic", "a", GONE), True),
        (Held("nic", "a", "never heard of"), True),
        (Held("ticket", "a"), True),
        (Held("mount", "a", UP, while_running=True), False),
        (Held("mount", "a", DOWN, while_running=True), True),
    ],
)
def test_what_has_an_owner(held, lost):
    assert ledger(VMS, [held]).without_owner() == ({f"{held.kind}: a"} if lost else set())


def test_what_is_missing():
    due = [Held("nic", "", UP), Held("zone", "", UP)]
    assert ledger(VMS, [Held("nic", "a", UP), Held("zone", "b", DOWN)], due).missing() == {"no zone: up"}


@pytest.mark.parametrize(("state", "settled"), [("provisioning", False), ("unknown", False), ("failed", True)])
def test_what_is_in_between(state, settled):
    assert ledger({"vm": state}, []).wrong() == (set() if settled else {f"vm {state}: vm"})


def test_the_points_of_a_trace():
    assert points_in(TRACE) == [
        Point("gateway", "vmapi POST /vms |>"),
        Point("services", "job start: first |>"),
        Point("services", "job start: first >|"),
        Point("gateway", "vmapi POST /vms >|"),
        Point("gateway", "vmapi GET /jobs/* >|"),
        Point("services", "job start: second >|"),
        Point("services", "commit >|"),
        Point("services", "commit >|", 2),
    ]


class Plants:
    """Leaks made by hand in a running instance; each takes itself away again."""

    def __init__(self, faulty) -> None:
        self.running = faulty.running
        self.vm = str(uuid.uuid4())
        self.home = Home(load(self.running.instance.folder / "datacenter.json"), 0)
        self.inside = Path(f"/proc/{self.running.pid('node-0')}/root{self.home.root}")

    def account(self) -> str:
        return self.running.http("mahi", "/accounts?login=alice")["account"]["uuid"]

    @contextmanager
    def nic(self):
        network = self.running.http("napi", "/networks?name=external")[0]["uuid"]
        asked = {"owner_uuid": self.account(), "belongs_to_uuid": self.vm, "belongs_to_type": "zone"}
        nic = self.running.http("napi", f"/networks/{network}/nics", "POST", asked)
        try:
            yield
        finally:
            self.running.http("napi", f"/nics/{nic['mac'].replace(':', '')}", "DELETE")

    @contextmanager
    def rule(self):
        asked = {"owner_uuid": self.account(), "enabled": True, "rule": f"FROM any TO vm {self.vm} ALLOW tcp PORT 1"}
        rule = self.running.http("fwapi", "/rules", "POST", asked)
        try:
            yield
        finally:
            self.running.http("fwapi", f"/rules/{rule['uuid']}", "DELETE")

    @contextmanager
    def ticket(self):
        server = self.running.http("cnapi", "/servers")[0]["uuid"]
        asked = {"scope": "vm", "id": self.vm, "expires_at": "2999-01-01T00:00:00.000Z"}
        ticket = self.running.http("cnapi", f"/servers/{server}/tickets", "POST", asked)["uuid"]
        try:
            yield
        finally:
            self.running.http("cnapi", f"/tickets/{ticket}/release", "PUT")

    @contextmanager
    def image(self):
        asked = {"name": "half", "version": "1", "type": "docker", "os": "linux", "owner": self.account()}
        image = self.running.http("imgapi", "/images", "POST", asked)["uuid"]
        try:
            yield
        finally:
            self.running.http("imgapi", f"/images/{image}", "DELETE")

    @contextmanager
    def _folder(self, path: Path):
        path.mkdir()
        try:
            yield
        finally:
            path.rmdir()

    def zone(self):
        return self._folder(self.inside / "zones" / self.vm)

    @contextmanager
    def netns(self):
        pin = self.inside / "netns" / self.vm
        pin.touch()
        try:
            yield
        finally:
            pin.unlink()

    def trash(self):
        return self._folder(self.inside / "trash" / f"{self.vm}-1")

    def layer(self):
        return self._folder(self.inside / "layers" / "x.partial")

    @contextmanager
    def cgroup(self):
        groups = [top / self.vm for top in inventory.CGROUPS.glob(f"*{self.home.cgroup}")]
        for group in groups:
            group.mkdir()
        try:
            yield
        finally:
            for group in groups:
                group.rmdir()

    @contextmanager
    def interface(self):
        name = f"tv{self.running.instance.letter}999"
        subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
        try:
            yield
        finally:
            subprocess.run(["ip", "link", "del", name], check=True)

    @contextmanager
    def process(self):
        gone = next(vm["uuid"] for vm in self.running.http("vmapi", "/vms") if vm["state"] == "destroyed")
        with subprocess.Popen([sys.executable, "-c", "input()", gone], stdin=subprocess.PIPE) as process:
            try:
                yield
            finally:
                process.kill()

    @contextmanager
    def _row(self, table: str, **values):
        base = sqlite3.connect(self.running.instance.folder / "gateway" / "gateway.sqlite", timeout=10)
        marks = ", ".join("?" * len(values))
        with base:
            base.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))  # noqa: S608
        try:
            yield
        finally:
            with base:
                base.execute(f"DELETE FROM {table} WHERE {next(iter(values))} = ?", (next(iter(values.values())),))  # noqa: S608
            base.close()

    def link(self):
        return self._row("links", container_uuid=self.vm, container_name="a", target_uuid="b", target_name="b")

    def reservation(self):
        return self._row("reservations", vm_uuid=self.vm, owner_uuid="a", ram=1, disk=1, expires=9e12, attributes="{}")

    def announcement(self):
        return self._row("announcements", vm_uuid=self.vm, token="t", made=1, forced=0, announcement="{}")

    def undertaking(self):
        given = {"owner_uuid": "a", "unwanted": 0, "changed": 1, "kind": "create"}
        return self._row("undertakings", worker=_alive(self.running), subject=self.vm, **given)

    def exec_session(self):
        given = {"owner_uuid": "a", "container_id": "c", "config": "{}", "started": 1, "running": 0}
        return self._row("exec_sessions", id="e", vm_uuid=self.vm, pid=0, changed=1, **given)


def _alive(running) -> str:
    """The name of a worker that lives, so that nobody settles the planted row."""
    return next((running.instance.folder / "gateway" / "workers").iterdir()).name


PLANTS = sorted(name for name in vars(Plants) if not name.startswith("_") and name != "account")


@pytest.mark.docker
@pytest.mark.parametrize("kind", PLANTS)
def test_a_planted_leak_is_found(faulty, kind):
    assert faulty.settle() == set()
    with getattr(Plants(faulty), kind)():
        wrong = inventory.take(faulty.running).wrong()
        assert {one.partition(":")[0] for one in wrong} == {kind.replace("_", " ")}
    assert faulty.settle() == set()


@pytest.mark.docker
def test_a_container_that_lacks_something_is_found(faulty):
    ref = faulty.docker.ok("run", "-d", "busybox", "sleep", "600")
    vm_uuid = str(uuid.UUID(ref[:32]))
    try:
        nic = faulty.running.http("napi", f"/nics?belongs_to_uuid={vm_uuid}&belongs_to_type=zone")[0]
        faulty.running.http("napi", f"/nics/{nic['mac'].replace(':', '')}", "DELETE")
        assert inventory.take(faulty.running).missing() == {f"no nic: {vm_uuid}"}
    finally:
        faulty.docker.ok("rm", "-f", ref)
    assert faulty.settle() == set()
