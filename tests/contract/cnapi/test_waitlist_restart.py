"""What becomes of queues when the services are killed: another process opens the same store."""

from __future__ import annotations

import gevent
import pytest

from datacenter.services.cnapi.tickets import Tickets
from datacenter.store import Store
from tests.contract.conftest import make_world

LATER = "2099-01-01T00:00:00.000Z"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dc.sqlite"


@pytest.fixture
def reopen(path):
    """Each call is another process over the same file; the earlier ones are dead, not closed."""
    stores = []

    def opened():
        stores.append(Store(path))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def test_client_queues_survive(reopen):
    before = Tickets(reopen())
    first = before.create("s", "vm", "v", LATER, action="copy")
    second = before.create("s", "vm", "v", LATER)
    done = before.create("s", "vm", "other", LATER)
    before.release(done["uuid"])
    after = Tickets(reopen())
    assert after.get(first["uuid"]) == before.get(first["uuid"])
    assert [ticket["status"] for ticket in after.queue(first)] == ["active", "queued"]
    assert after.get(done["uuid"])["status"] == "finished"
    waiting = gevent.spawn(after.wait, second["uuid"])
    gevent.sleep(0)
    assert not waiting.ready()
    after.release(first["uuid"])
    waiting.get(timeout=5)


def test_what_expired_meanwhile_blocks_nobody(reopen):
    Tickets(reopen()).create("s", "vm", "v", LATER)
    store = reopen()
    (ticket,) = store.bucket("tickets").all()
    store.bucket("tickets").update(ticket["uuid"], expires_at="2001-01-01T00:00:00.000Z")
    after = Tickets(store)
    assert after.create("s", "vm", "v", LATER)["status"] == "active"
    assert after.get(ticket["uuid"])["status"] == "expired"


def test_tickets_of_dead_jobs_end_and_living_jobs_keep_their_place(reopen):
    before = Tickets(reopen())
    dead = before.hold("s", "v", "stop", 60, "dead job")
    living = before.hold("s", "v", "start", 60, "living job")
    client = before.create("s", "vm", "v", LATER)
    assert "holder" not in dead
    after = Tickets(reopen())
    after.end_of_others({"living job"})
    assert after.get(dead["uuid"])["status"] == "finished"
    assert after.hold("s", "v", "start", 60, "living job")["uuid"] == living["uuid"]
    assert [ticket["status"] for ticket in after.queue(client)] == ["active", "queued"]
    after.let_go("living job")
    assert after.get(client["uuid"])["status"] == "active"


def test_a_killed_data_center_ends_its_jobs_in_the_order_of_their_queue(reopen, empty_world):
    """A stop is under way and a start waits for it when the services die: both end, in that order."""
    world = make_world(reopen(), empty_world.settings)
    world.nodes = empty_world.nodes
    node = world.add_node()
    vm = world.create()
    world.act(vm, "start")
    node.delays["machine_shutdown"] = 3600
    stop = world.http.post(f"/vms/{vm['uuid']}?action=stop").json["job_uuid"]
    gevent.sleep(0.05)
    start = world.http.post(f"/vms/{vm['uuid']}?action=start&idempotent=true").json["job_uuid"]
    gevent.sleep(0.05)
    assert world.wfapi.engine.get(stop)["execution"] == "running"
    node.delays.clear()
    node.tasks.clear()
    again = make_world(reopen(), empty_world.settings)
    jobs = again.wfapi.engine.resume()
    again.cnapi.tickets.end_of_others({job.uuid for job in jobs})
    assert [again.job(uuid)["execution"] for uuid in (stop, start)] == ["succeeded", "succeeded"]
    assert [task for task, _ in node.tasks] == ["machine_shutdown", "machine_boot"]
    assert not again.cnapi.tickets.busy(node.uuid, vm["uuid"])
