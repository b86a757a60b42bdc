"""Stats of containers that run, don't, start and end."""

from __future__ import annotations

import pytest

from gateway.errors import InvalidParameter
from gateway.versions import CEILING
from sdc.errors import SdcError
from translators.containers import stats

ID = "ab" * 32
MORE = {"read": "2026-01-01T00:00:00Z", "pids_stats": {"current": 1}}


class World:
    """VMAPI and CNAPI: the states a VM goes through, one a look, and what the node samples."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.payloads: list[dict] = []
        self.failure: SdcError | None = None
        self.able: frozenset[str] = frozenset({"stats"})

    def vm(self) -> dict:
        state = self.states.pop(0)
        if state == "gone":
            raise SdcError("vmapi", 404, "ResourceNotFound", "no")
        return {"uuid": "u", "server_uuid": "s", "alias": "web", "state": state, "internal_metadata": {"docker:id": ID}}

    def get_vm(self, uuid, owner_uuid):
        return self.vm()

    def docker_stats(self, server_uuid, vm_uuid, payload):
        self.payloads.append(payload)
        if self.failure:
            raise self.failure
        return {}


@pytest.fixture
def look(monkeypatch):
    def run(world: World, **query):
        monkeypatch.setattr(stats, "find_container", lambda call, ref: world.vm())
        monkeypatch.setattr(stats, "capabilities", lambda call, server: world.able)
        monkeypatch.setattr(stats, "documents", lambda answer: iter([MORE]))
        monkeypatch.setattr(stats.time, "sleep", lambda seconds: None)
        return list(stats.stats(Call(world, query), "web").items)

    return run


class Call:
    version = CEILING

    def __init__(self, world: World, query: dict) -> None:
        self.services = type("Services", (), {"vmapi": world, "cnapi": world})()
        self.owner = type("Account", (), {"uuid": "o"})()
        self._query = query

    def flag(self, name, *, default=False):
        return self._query.get(name.replace("-", "_"), default)


def test_one_of_a_running_container(look):
    world = World("running")
    assert look(world, stream=False) == [{**MORE, "name": "/web", "id": ID}]
    assert world.payloads == [{"doStream": False, "clientApiVersion": 1.51}]


def test_one_at_once_where_the_node_can(look):
    world = World("running")
    look(world, stream=False, one_shot=True)
    assert world.payloads[0]["oneShot"] is True
    plain = World("running")
    plain.able = frozenset()
    look(plain, stream=False, one_shot=True)
    assert "oneShot" not in plain.payloads[0]


def test_a_stream_outlives_stops_and_ends_with_the_container(look):
    found = look(World("stopped", "running", "stopped", "running", "destroyed"))
    assert [document["read"][:4] for document in found] == ["0001", "2026", "0001", "2026"]
    assert len(look(World("stopped", "gone"))) == 1


def test_a_container_that_ends_while_it_is_asked_has_zeros(look):
    world = World("running")
    world.failure = SdcError("cnapi", 500, "InternalError", "VM is not running")
    (found,) = look(world, stream=False)
    assert found["read"] == stats.NEVER
    assert found["cpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert found["id"] == ID


def test_a_stream_cannot_be_one_shot(look):
    with pytest.raises(InvalidParameter, match="cannot have stream=true and one-shot=true"):
        look(World("running"), stream=True, one_shot=True)
