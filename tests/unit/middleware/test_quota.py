"""Provision limits: the reference's own table, other sorts of limits, and creates that race."""

from __future__ import annotations

import json
import threading

import pytest

from gateway.call import Account, Reply
from gateway.errors import Conflict, InternalError, QuotaExceeded, ServiceError, ServiceUnavailable, Unavailable
from middleware.limits import Limit, account_limits
from middleware.quota import Quota
from middleware.testing import pipeline

SENTENCE = "Quota exceeded; to have your limits raised please contact Support"
PACKAGE = {"uuid": "p1", "name": "sample-256M", "max_physical_memory": 256, "quota": 10}
LX, KVM, UBUNTU, NGINX, WINDOWS = "i-layer", "i-kvm", "i-ubuntu", "i-nginx", "i-windows"
IMAGES = [
    {"uuid": LX, "name": "docker-layer", "os": "linux", "type": "docker"},
    {"uuid": UBUNTU, "name": "ubuntu-24.04", "os": "linux", "type": "lx-dataset"},
    {"uuid": WINDOWS, "name": "windows-2025", "os": "windows", "type": "zvol"},
]


def vm(uuid, ram=256, quota=10, **more):
    fields = {"brand": "lx", "image_uuid": LX, "state": "running"}
    return {"uuid": uuid, "ram": ram, "quota": quota, **fields, **more}


def count(value, **more):
    return {"value": value, **more}


def ram(value, **more):
    return {"value": value, "by": "ram", **more}


def disk(value, **more):
    return {"value": value, "by": "quota", **more}


def chain_of(defaults=(), tenants=None, *, vms=(), tenant=None, operator=False, own=(), own_dc="test-1"):
    """A chain with an account that already has some VMs; ``own`` are its limits, as UFDS keeps them."""
    chain = pipeline(Quota, defaults=list(defaults), tenants=tenants or {})
    limits = ({"datacenter": own_dc, "limit": [json.dumps(limit) for limit in own]},) if own else ()
    chain.account = Account(uuid="jill-uuid", login="jill", tenant=tenant, operator=operator, limits=limits)
    chain.center.images += IMAGES
    chain.center.vms += [{**each, "owner_uuid": "jill-uuid"} for each in vms]
    return chain


def payload(uuid="new", **more):
    fields = {"billing_id": "p1", "brand": "lx", "image_uuid": LX, "owner_uuid": "jill-uuid"}
    return {"uuid": uuid, **fields, "internal_metadata": {"docker:imagename": "nginx:latest"}, **more}


def create(chain, answer=None, **more):
    return chain.run("container.create", {}, payload=payload(**more), answer=answer, hints={"package": dict(PACKAGE)})


def refusal(chain, **more):
    with pytest.raises(QuotaExceeded) as raised:
        create(chain, **more)
    assert raised.value.status == 403
    return raised.value.message


SMALL = {"small": [count(3)]}
TWO = [count(2)]

ALLOWED = {
    "no limits at all": ([], {}, {"vms": [vm("1")] * 9}),
    "below the default": (TWO, SMALL, {"vms": [vm("1")]}),
    "unknown tenant has the defaults": (TWO, SMALL, {"vms": [vm("1")], "tenant": "huge"}),
    "below the tenant's": (TWO, SMALL, {"vms": [vm("1"), vm("2")], "tenant": "small"}),
    "no ram used yet": ([ram(1024)], {}, {}),
    "exactly all of it": ([ram(1024)], {}, {"vms": [vm("1", ram=768)]}),
    "a tenant without the limit": ([ram(1024)], SMALL, {"vms": [vm("1", ram=976)], "tenant": "small"}),
    "a list without limits is one": (TWO, {"free": []}, {"vms": [vm("1")] * 3, "tenant": "free"}),
    "own limit above the default": (TWO, {}, {"vms": [vm(n) for n in "123"], "own": [count(4)]}),
    "own limit as text": (TWO, {}, {"vms": [vm(n) for n in "123"], "own": [count("4")]}),
    "own and tenant's": (TWO, SMALL, {"vms": [vm(n) for n in "123"], "own": [count(4)], "tenant": "small"}),
    "two own limits": (TWO, {}, {"vms": [vm("1", ram=976)], "own": [count(4), ram(2000)]}),
    "disk": ([disk(60)], {}, {"vms": [vm("1", quota=50)]}),
    "zero is no limit": ([count(0)], {}, {"vms": [vm("1")]}),
    "no number is no limit": ([count("xxxx")], {}, {"vms": [vm("1")]}),
    "an incomplete check": ([count(1, check="brand")], {}, {"vms": [vm("1"), vm("2")]}),
    "another brand": ([count(1, check="brand", brand="kvm")], {}, {"vms": [vm("1"), vm("2")]}),
    "other brands' VMs": ([count(2, check="brand", brand="lx")], {}, {"vms": [vm("1"), vm("2", brand="kvm")]}),
    "another os": ([count(1, check="os", os="windows")], {}, {"vms": [vm("1"), vm("2")]}),
    "other os' VMs": ([ram(700, check="os", os="linux")], {}, {"vms": [vm("1", ram=999, image_uuid=WINDOWS), vm("2")]}),
    "another image": ([count(1, check="image", image="ubuntu-24.04")], {}, {"vms": [vm("1", image_uuid=UBUNTU)]}),
    "an operator": (TWO, {}, {"vms": [vm("1"), vm("2")], "operator": True}),
    "an operator where nobody may": ([count(-1)], {}, {"operator": True}),
    "gone VMs": (TWO, {}, {"vms": [vm("1"), vm("2", state="destroyed"), vm("3", state="failed")]}),
}  # fmt: skip

REFUSED = {
    "at the default": (TWO, SMALL, {"vms": [vm("1"), vm("2")]}, "containers: 2 used, limit 2, asked 1"),
    "unknown tenant": (TWO, SMALL, {"vms": [vm("1"), vm("2")], "tenant": "x"}, "containers: 2 used, limit 2, asked 1"),
    "at the tenant's": (TWO, SMALL, {"vms": [vm(n) for n in "123"], "tenant": "small"}, "containers: 3 used, limit 3, asked 1"),
    "ram": ([ram(1024)], {}, {"vms": [vm("1", ram=976)]}, "memory: 976 MiB used, limit 1024 MiB, asked 256 MiB"),
    "own limit reached": (TWO, {}, {"vms": [vm(n) for n in "1234"], "own": [count(4)]}, "containers: 4 used, limit 4, asked 1"),
    "own limit for another place": (TWO, {}, {"vms": [vm("1"), vm("2")], "own": [count(9)], "own_dc": "else-1"}, "containers: 2 used, limit 2, asked 1"),
    "two own limits": (TWO, {}, {"vms": [vm(n, ram=976) for n in "12"], "own": [count(4), ram(2000)]}, "memory: 1952 MiB used, limit 2000 MiB, asked 256 MiB"),
    "disk": ([disk(60)], {}, {"vms": [vm("1", quota=60)]}, "disk: 60 GiB used, limit 60 GiB, asked 0.01 GiB"),
    "negative": ([count(-1)], {}, {}, "provisioning is not allowed"),
    "negative for the brand": ([count(-1, check="brand", brand="lx")], {}, {}, "provisioning is not allowed"),
    "brand": ([count(1, check="brand", brand="lx")], {}, {"vms": [vm("1"), vm("2", brand="kvm")]}, "containers of brand lx: 1 used, limit 1, asked 1"),
    "os": ([ram(500, check="os", os="linux")], {}, {"vms": [vm("1", ram=300), vm("2", ram=999, image_uuid=WINDOWS)]}, "memory of os linux: 300 MiB used, limit 500 MiB, asked 256 MiB"),
    "image of IMGAPI": ([count(1, check="image", image="docker-layer")], {}, {"vms": [vm("1")]}, "containers of image docker-layer: 1 used, limit 1, asked 1"),
    "image by uuid": ([count(1, check="image", image=LX)], {}, {"vms": [vm("1")]}, f"containers of image {LX}: 1 used, limit 1, asked 1"),
    "image of Docker": ([count(1, check="image", image="nginx")], {}, {"vms": [vm("1", internal_metadata={"docker:imagename": "nginx:1.27@sha256:00"}), vm("2", internal_metadata={"docker:imagename": "redis"})]}, "containers of image nginx: 1 used, limit 1, asked 1"),
    "own brand limit and the default": (TWO, {}, {"vms": [vm("1"), vm("2")], "own": [count(9, check="brand", brand="lx")]}, "containers: 2 used, limit 2, asked 1"),
    "own brand limit in the default's place": ([count(1, check="brand", brand="lx")], {}, {"vms": [vm("1"), vm("2")], "own": [count(2, check="brand", brand="lx")]}, "containers of brand lx: 2 used, limit 2, asked 1"),
    "all that are passed": ([count(1), ram(256)], {}, {"vms": [vm("1")]}, "containers: 1 used, limit 1, asked 1; memory: 256 MiB used, limit 256 MiB, asked 256 MiB"),
    "VMs being provisioned": (TWO, {}, {"vms": [vm("1"), vm("2", state="provisioning")]}, "containers: 2 used, limit 2, asked 1"),
}  # fmt: skip


@pytest.mark.parametrize(("defaults", "tenants", "account"), ALLOWED.values(), ids=ALLOWED)
def test_allowed(defaults, tenants, account):
    assert create(chain_of(defaults, tenants, **account)).status == 200


@pytest.mark.parametrize(("defaults", "tenants", "account", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(defaults, tenants, account, reason):
    chain = chain_of(defaults, tenants, **account)
    assert refusal(chain) == f"{SENTENCE} ({reason})"
    assert chain.reservations.reserve("jill-uuid", "next", ram=0, disk=0, attributes={}, seconds=1) == []


@pytest.mark.parametrize("check", ["brand", "image", "os"])
def test_any_is_no_check(check):
    limit = disk(60, check=check, **{check: "any"})
    assert create(chain_of([limit], vms=[vm("1", quota=50)])).status == 200
    assert refusal(chain_of([limit], vms=[vm("1", quota=60)])).endswith(
        "(disk: 60 GiB used, limit 60 GiB, asked 0.01 GiB)"
    )


def test_other_accounts_do_not_count():
    chain = chain_of(TWO)
    chain.center.vms += [{**vm(n), "owner_uuid": "tom-uuid"} for n in "123"]
    assert create(chain).status == 200


@pytest.mark.parametrize(
    ("limits", "fields", "images"),
    [
        ([ram(9999)], "brand,quota,ram,uuid", []),
        ([count(9, check="os", os="linux")], None, [{"state": "all", "os": "linux"}]),
        (
            [count(9, check="image", image="docker-layer")],
            None,
            [{"state": "all", "name": "docker-layer"}],
        ),
    ],
)
def test_what_the_services_are_asked(limits, fields, images):
    chain = chain_of(limits)
    create(chain)
    asked = {name: named for name, _, named in chain.center.asked}
    assert asked["vmapi.list_vms"] == {"owner_uuid": "jill-uuid", "state": "active", "fields": fields}
    assert [named for name, _, named in chain.center.asked if name == "imgapi.list_images"] == images


def test_without_limits_nothing_is_asked():
    chain = chain_of([count(1, check="brand", brand="kvm")])
    create(chain)
    assert chain.center.asked == []


def test_the_package_may_come_from_the_payload():
    chain = chain_of([ram(100)])
    chain.center.packages.append(PACKAGE)
    with pytest.raises(QuotaExceeded, match="asked 256 MiB"):
        chain.run("container.create", {}, payload=payload())


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([], []),
        ([{"datacenter": "dc", "limit": '{"value": 2}'}], [Limit(value=2)]),
        ([{"datacenter": "dc", "limit": ['{"value": "2", "by": "ram"}', "no json", "[]", '{"by": "ram"}']}], [Limit(value="2", by="ram")]),
        ([{"datacenter": "dc", "limit": ['{"value": 2, "by": "machines", "note": "x"}']}], [Limit(value=2)]),
        ([{"datacenter": "dc", "limit": ['{"value": 2, "check": "moon", "brand": "lx"}']}], [Limit(value=2, brand="lx")]),
        ([{"datacenter": "dc", "limit": [{"value": -1}]}], [Limit(value=-1)]),
        ([{"datacenter": "dc"}, {"limit": ['{"value": 2}']}], []),
    ],
)  # fmt: skip
def test_limits_as_ufds_keeps_them(entries, found):
    assert account_limits(entries, "dc") == found


@pytest.mark.parametrize("wrong", [count(2, by="moons"), count(2, check="moon"), {"by": "ram"}, count(2, brnad="lx")])
def test_wrong_limits_in_the_settings_stop_the_start_up(wrong):
    with pytest.raises(ValueError, match=r"\[middleware.quota\].*\$.defaults\[0\]"):
        pipeline(Quota, defaults=[wrong])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ServiceUnavailable("vmapi", 503, "ServiceUnavailable", "down"), Unavailable),
        (ServiceError("vmapi", 500, "InternalError", "x"), InternalError),
    ],
)
def test_nothing_is_made_and_nothing_stays_held_when_vmapi_does_not_answer(error, kind):
    chain = chain_of(TWO)
    chain.center.broken["vmapi"] = error
    with pytest.raises(kind):
        create(chain)
    assert chain.reservations.reserve("jill-uuid", "next", ram=0, disk=0, attributes={}, seconds=1) == []


def test_what_is_held_counts_until_vmapi_lists_it():
    chain = chain_of([count(2)])

    def while_both_are_being_made():
        assert refusal(chain, uuid="third").endswith("(containers: 2 used, limit 2, asked 1)")
        return Reply()

    def while_the_first_is_being_made():
        return create(chain, uuid="second", answer=while_both_are_being_made)

    assert create(chain, uuid="first", answer=while_the_first_is_being_made).status == 200


def test_a_vm_that_is_listed_and_held_counts_once():
    chain = chain_of([count(2)])

    def listed_already():
        chain.center.vms.append({**vm("first", state="provisioning"), "owner_uuid": "jill-uuid"})
        return create(chain, uuid="second")

    assert create(chain, uuid="first", answer=listed_already).status == 200


def test_a_failed_create_gives_back_what_it_held():
    chain = chain_of([count(1)])
    with pytest.raises(Conflict):
        create(chain, answer=Conflict("name taken"))
    assert create(chain, uuid="again").status == 200


def test_an_observed_quota_lets_all_through_and_holds_nothing():
    chain = pipeline((Quota, {"defaults": [count(-1)], "observe": True}))
    assert create(chain).status == 200
    assert chain.reservations.reserve("jill-uuid", "next", ram=0, disk=0, attributes={}, seconds=1) == []


@pytest.mark.parametrize("workers", [3])
def test_racing_creates_of_several_workers_never_pass_the_limit(tmp_path, workers):
    """Every create lists the VMs before any of the racing ones is listed: the worst moment there can be."""
    from gateway.state.database import Database
    from gateway.state.reservations import Reservations

    limit, creates = 5, 4
    shared: list[dict] = []
    everyone_listed = threading.Barrier(workers, timeout=10)
    made, refused = [], []

    def worker(number):
        chain = chain_of([count(limit)])
        chain.center.vms = shared
        chain.reservations = Reservations(Database(tmp_path / "gateway.sqlite"))
        for turn in range(creates):
            uuid = f"{number}-{turn}"

            def job(uuid=uuid):
                shared.append({**vm(uuid, state="provisioning"), "owner_uuid": "jill-uuid"})
                return Reply()

            everyone_listed.wait()
            try:
                create(chain, uuid=uuid, answer=job)
                made.append(uuid)
            except QuotaExceeded:
                refused.append(uuid)

    Reservations(Database(tmp_path / "gateway.sqlite"))
    threads = [threading.Thread(target=worker, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) + len(refused) == workers * creates
    assert len(made) == limit == len(shared)
