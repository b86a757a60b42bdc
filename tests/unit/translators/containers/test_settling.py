"""What dead workers left: brought to nothing where nothing came of it, left alone where it is whole."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest

from gateway.errors import Unavailable
from gateway.state import State
from gateway.state.container_journal import Announcement
from gateway.state.event_log import Happening
from gateway.state.links import Link
from gateway.state.undertakings import CREATE, ENDING, EXEC, LAYER, REMOVE, TURN
from sdc.errors import SdcError, SdcUnavailable
from tests.unit.translators.containers.conftest import ALICE, SERVER
from tests.unit.translators.containers.test_create import create
from translators import settling
from translators.containers import exec_ends
from translators.containers.turns import turn
from translators.settling import Settler


class Dead:
    """The gateway that died, and the one that comes after it."""

    def __init__(self, world, folder) -> None:
        self.world = world
        self.gone = State(folder)
        self._settler = Settler(world.services, world.state, world.config, folder)

    def settle(self) -> list[str]:
        """Look once; the kinds that remain."""
        self._settler.look()
        return [one.kind for one in self.world.state.undertakings.left()]

    def dies_over(self, kind, subject) -> None:
        self.gone.undertakings.begin(kind, subject, ALICE)
        self.gone.presence.close()

    def made_for(self, vm_uuid) -> None:
        """What a create makes before there is a VM."""
        rule = f"FROM any TO vm {vm_uuid} ALLOW tcp PORT 80"
        self.world.fwapi.create_rule({"uuid": str(uuid.uuid4()), "enabled": True, "owner_uuid": ALICE, "rule": rule})
        link = {"owner_uuid": ALICE, "container_uuid": vm_uuid, "container_name": "web"}
        self.gone.links.add([Link(**link, target_uuid="t", target_name="db", alias="db")])
        self.gone.reservations.reserve(ALICE, vm_uuid, ram=1, disk=1, attributes={}, seconds=60)

    def kept_for(self, vm_uuid) -> list[bool]:
        state = self.world.state
        rules = [rule for rule in self.world.fwapi.rules.values() if vm_uuid in rule["rule"]]
        held = state.database.query("SELECT * FROM reservations WHERE vm_uuid = ?", (vm_uuid,))
        return [bool(rules), bool(state.links.of_container(ALICE, vm_uuid)), bool(held)]


@pytest.fixture
def dead(world, tmp_path):
    return Dead(world, tmp_path)


@pytest.fixture
def later(monkeypatch):
    return lambda: monkeypatch.setattr(settling, "GRACE_SECONDS", -1.0)


def test_what_was_made_for_a_vm_that_never_came_goes(dead, later):
    vm_uuid = str(uuid.uuid4())
    dead.made_for(vm_uuid)
    dead.dies_over(CREATE, vm_uuid)
    assert dead.settle() == [CREATE]  # a request that was sent before may still arrive
    assert dead.kept_for(vm_uuid) == [False, False, False]
    dead.made_for(vm_uuid)
    later()
    assert dead.settle() == []
    assert dead.kept_for(vm_uuid) == [False, False, False]


def test_what_cannot_be_settled_holds_up_nothing(dead, later):
    later()
    for subject in ("a", "b"):
        dead.gone.undertakings.begin("of another version", subject, ALICE)
    dead.dies_over(CREATE, str(uuid.uuid4()))
    for _ in range(3):
        with pytest.raises(KeyError):
            dead.settle()
    assert CREATE not in {one.kind for one in dead.world.state.undertakings.left()}


def test_a_vm_that_came_is_a_container(world, dead):
    create(world, "web")
    vm_uuid = world.vm("web")["uuid"]
    dead.made_for(vm_uuid)
    dead.dies_over(CREATE, vm_uuid)
    world.vmapi.vms[vm_uuid]["state"] = "provisioning"
    assert dead.settle() == [CREATE]
    world.vmapi.vms[vm_uuid]["state"] = "stopped"
    assert dead.settle() == []
    assert dead.kept_for(vm_uuid) == [True, True, False]


def test_a_vm_of_which_the_client_was_told_that_it_came_to_nothing_goes(world, dead):
    create(world, "web")
    vm_uuid = world.vm("web")["uuid"]
    dead.made_for(vm_uuid)
    dead.gone.undertakings.leave(CREATE, vm_uuid, ALICE, unwanted=True)
    dead.settle()
    assert world.vmapi.vms[vm_uuid]["state"] == "destroyed"
    assert dead.settle() == []
    assert dead.kept_for(vm_uuid) == [False, False, False]


def test_a_removal_is_finished_when_it_came_to_it_and_forgotten_when_not(world, dead, later):
    for name in ("gone", "kept"):
        create(world, name)
    gone, kept = world.vm("gone")["uuid"], world.vm("kept")["uuid"]
    for vm_uuid in (gone, kept):
        dead.made_for(vm_uuid)
        dead.gone.undertakings.begin(REMOVE, vm_uuid, ALICE)
    dead.gone.presence.close()
    world.vmapi.vms[gone]["state"] = "destroyed"
    world.vmapi.list_vm_jobs = lambda _: [{"execution": "running"}]
    assert dead.settle() == [REMOVE]
    later()
    assert dead.settle() == [REMOVE]
    world.vmapi.list_vm_jobs = lambda _: [{"execution": "failed"}]
    assert dead.settle() == []
    assert dead.kept_for(gone) == [False, False, False]
    assert dead.kept_for(kept) == [True, True, False]


def test_while_a_service_is_away_it_waits(world, dead, later, monkeypatch):
    later()
    dead.dies_over(CREATE, str(uuid.uuid4()))
    away = SdcUnavailable("fwapi", 503, "ServiceUnavailable", "starting")
    with monkeypatch.context() as patch:
        patch.setattr(world.fwapi, "list_rules", lambda *_, **__: (_ for _ in ()).throw(away))
        assert dead.settle() == [CREATE]
    assert dead.settle() == []


def test_an_exec_that_lost_its_worker_is_followed(world, dead, monkeypatch):
    followed = []
    monkeypatch.setattr(exec_ends, "follow", lambda _, session: followed.append(session.id))
    sessions = [dead.gone.exec_sessions.create(ALICE, "vm", "c", {}) for _ in range(2)]
    for session in sessions:
        dead.gone.exec_sessions.claim(session.id)
        dead.gone.undertakings.begin(EXEC, session.id, ALICE)
    dead.gone.exec_sessions.end(sessions[1].id, 0)
    dead.gone.presence.close()
    assert dead.settle() == []
    assert followed == [sessions[0].id]
    assert world.state.undertakings.is_under_way(EXEC, sessions[0].id)


def test_what_was_announced_and_never_came_is_not_told_at_a_later_end(world, dead, later):
    what = Happening(type="container", action="stop", actor_id="c", attributes={})
    token = dead.gone.journal.announce("vm", [Announcement(what=what)])
    dead.dies_over(ENDING, token)
    world.vmapi.list_vm_jobs = lambda _: [{"execution": "running"}]
    assert dead.settle() == [ENDING]
    later()
    assert dead.settle() == [ENDING]
    world.vmapi.list_vm_jobs = lambda _: []
    assert dead.settle() == []
    assert world.state.journal.take("vm") == []


@pytest.mark.parametrize(("state", "dropped"), [("unactivated", True), ("active", False), (None, False)])
def test_a_layer_that_was_not_finished_goes(world, dead, state, dropped):
    gone = []

    def get_image(_):
        if state is None:
            raise SdcError("imgapi", 404, "ResourceNotFound", "no such image")
        return {"state": state}

    world.services.imgapi = SimpleNamespace(get_image=get_image, delete_image=gone.append)
    dead.dies_over(LAYER, "layer")
    assert dead.settle() == []
    assert gone == (["layer"] if dropped else [])


class Waitlist:
    """CNAPI's tickets by uuid; the last answer may be lost, and the service away."""

    def __init__(self) -> None:
        self.open: dict[str, str] = {}
        self.away = self.losing = False

    def queue_up(self, _server, _vm, _action, holder, _seconds):
        self.open["ticket"] = holder
        if self.losing:
            raise SdcUnavailable("cnapi", 503, "ServiceUnavailable", "lost")
        return "ticket"

    def await_turn(self, ticket, seconds):
        assert ticket in self.open

    def release_ticket(self, ticket):
        if self.away:
            raise SdcUnavailable("cnapi", 503, "ServiceUnavailable", "away")
        del self.open[ticket]

    def tickets_of(self, server, holder):
        assert server == SERVER
        return [ticket for ticket, held_by in self.open.items() if held_by == holder]


@pytest.fixture
def waitlist(world):
    world.services.cnapi = Waitlist()
    return world.services.cnapi


VM = {"uuid": "vm", "server_uuid": SERVER, "owner_uuid": ALICE}


def test_a_place_in_the_waitlist_is_given_back_by_who_held_it(world, dead, waitlist, later):
    with turn(world.call(), VM, "docker_copy"):
        assert waitlist.open
    assert waitlist.open == {}
    later()
    assert dead.settle() == []
    assert world.state.database.query("SELECT * FROM undertakings") == []


def test_a_place_that_could_not_be_given_back_is_given_back_later(world, dead, waitlist, later):
    with turn(world.call(), VM, "docker_copy"):
        waitlist.away = True
    assert dead.settle() == [TURN]
    waitlist.away = False
    later()
    assert dead.settle() == []
    assert waitlist.open == {}


def test_a_place_whose_holder_never_heard_of_it_is_given_back(world, dead, waitlist):
    waitlist.losing = True
    with pytest.raises(Unavailable), turn(world.call(), VM, "docker_copy"):
        pass
    assert dead.settle() == [TURN]  # it is looked for once more: the request may still be on its way
    assert waitlist.open == {}


def test_a_place_that_a_dead_worker_held_is_given_back(world, dead, waitlist):
    waitlist.open = {"mine": "dead", "other": "alive"}
    dead.dies_over(TURN, f"{SERVER}/dead")
    dead.settle()
    assert waitlist.open == {"other": "alive"}


def test_a_layer_that_somebody_else_is_at_stays(world, dead):
    world.services.imgapi = None
    world.state.undertakings.begin(LAYER, "layer", ALICE)
    dead.dies_over(LAYER, "layer")
    assert dead.settle() == []
