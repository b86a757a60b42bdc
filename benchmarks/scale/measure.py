"""Measure a full data center: one caller at a time, so that a number is how long somebody waits."""

from __future__ import annotations

import json
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

from fill import Template
from site_under_test import Site

from sdc.changefeed import Changefeed
from sdc.errors import SdcError

LISTENERS = 20
PAGE = 1000


class Bench:
    """The measurements. Each is repeated; what is made is destroyed again."""

    def __init__(self, site: Site, owners: list[str], rounds: int) -> None:
        self._site = site
        self._owners = owners
        self._rounds = rounds
        self._chance = random.Random(1)  # noqa: S311 - which VMs are asked about, the same in every run
        self._template = Template(site)
        self._vms = [vm for page, _ in self._pages() for vm in page]
        self.results: dict[str, list[float]] = {}

    def run(self) -> None:
        """Measure everything, and print as it goes."""
        self._time("list an account's VMs", lambda: self._get("vmapi", f"/vms?{self._owner()}&state=active"))
        self._time("list by uuid prefix (predicate)", self._by_prefix)
        self._time("list by name (predicate)", self._by_name)
        self._time("count an account's VMs (HEAD)", lambda: self._head(f"/vms?{self._owner()}&state=active"))
        self._time("count all VMs (HEAD)", lambda: self._head("/vms?state=active"))
        self._time("get a VM", lambda: self._get("vmapi", f"/vms/{self._vm()['uuid']}"))
        self._spend("a page of 1000 VMs, by marker", lambda: [seconds for _, seconds in self._pages()])
        self._time("nics of a VM", lambda: self._get("napi", f"/nics?belongs_to_uuid={self._vm()['uuid']}"))
        self._time("servers with capacity", lambda: self._get("cnapi", "/servers?extras=sysinfo,memory,capacity"))
        self._time("servers with everything", lambda: self._get("cnapi", "/servers?extras=all"), self._rounds // 5)
        self._time("allocate (dry run)", self._allocate)
        self._lives()
        self._spend(f"change until {LISTENERS} listeners know", lambda: list(self._fan_out()))
        self._time("docker ps", lambda: self._get("docker", "/v1.41/containers/json"))
        self._time("docker ps -a", lambda: self._get("docker", "/v1.41/containers/json?all=1"))
        mine = [vm for vm in self._vms if vm["owner_uuid"] == self._owners[0]]
        self._time("docker inspect", lambda: self._inspect(self._chance.choice(mine)))

    def _time(self, name: str, act: Callable[[], object], rounds: int | None = None) -> None:
        act()
        self._spend(name, lambda: [_seconds(act) for _ in range(max(rounds or self._rounds, 1))])

    def _spend(self, name: str, act: Callable[[], list[float]]) -> None:
        """Record how long each round took, and what all of them cost the instance's processes."""
        began = self._site.cpu_seconds()
        seconds = act()
        self._record(name, seconds, (self._site.cpu_seconds() - began) / len(seconds))

    def _record(self, name: str, seconds: list[float], cpu: float | None = None) -> None:
        self.results[name] = seconds
        cost = "" if cpu is None else f"   cpu {cpu * 1000:7.1f} ms"
        print(f"{name:34} {row(seconds)}{cost}", flush=True)

    def _get(self, service: str, path: str) -> bytes:
        return self._site.exchange(service, "GET", path)[0]

    def _head(self, path: str) -> int:
        return int(self._site.exchange("vmapi", "HEAD", path)[1]["x-joyent-resource-count"])

    def _owner(self) -> str:
        return f"owner_uuid={self._chance.choice(self._owners)}"

    def _vm(self) -> dict[str, str]:
        return self._chance.choice(self._vms)

    def _by_prefix(self) -> None:
        vm = self._vm()
        self._find(vm, {"or": [{"eq": ["uuid", f"{vm['uuid'][:13]}*"]}, {"eq": ["alias", "none"]}]})

    def _by_name(self) -> None:
        vm = self._vm()
        self._find(vm, {"eq": ["alias", vm["alias"]]})

    def _find(self, vm: dict[str, str], named: dict[str, object]) -> None:
        """As the gateway looks for a container."""
        gone = [{"ne": ["state", "failed"]}, {"ne": ["state", "destroyed"]}]
        terms = [{"eq": ["docker", True]}, {"eq": ["owner_uuid", vm["owner_uuid"]]}, *gone, named]
        found = json.loads(self._get("vmapi", f"/vms?predicate={quote(json.dumps({'and': terms}))}"))
        assert [one["uuid"] for one in found] == [vm["uuid"]]

    def _pages(self) -> Iterator[tuple[list[dict[str, str]], float]]:
        """All active VMs of the data center, page by page, with the seconds each took."""
        marker = ""
        while True:
            path = f"/vms?state=active&sort=create_timestamp.desc&limit={PAGE}{marker}"
            began = time.perf_counter()
            text = self._get("vmapi", path)
            seconds = time.perf_counter() - began
            page = json.loads(text)
            if page:
                yield page, seconds
            if len(page) < PAGE:
                return
            last = {key: page[-1][key] for key in ("uuid", "create_timestamp")}
            marker = f"&marker={quote(json.dumps(last))}"

    def _allocate(self) -> None:
        payload = self._template.payload(self._chance.choice(self._owners), "dry-run")
        body = {
            "vm": payload,
            "image": {"uuid": payload["image_uuid"]},
            "package": self._template.package,
            "nic_tags": [],
        }
        self._site.ask("cnapi", "POST", "/allocate", body)

    def _lives(self) -> None:
        """Create, start and destroy one VM after another, each waited for."""
        times: dict[str, list[float]] = {"create a VM": [], "start a VM": [], "destroy a VM": []}
        began = self._site.cpu_seconds()
        for number in range(self._rounds):
            owner, marks = self._chance.choice(self._owners), [time.perf_counter()]
            vm_uuid = self._template.create(owner, f"life-{number}-{unique()}", autoboot=False)
            marks.append(time.perf_counter())
            self._site.ask("vmapi", "POST", f"/vms/{vm_uuid}?action=start&sync=true", {})
            marks.append(time.perf_counter())
            self._site.ask("vmapi", "DELETE", f"/vms/{vm_uuid}?sync=true")
            marks.append(time.perf_counter())
            for name, begin, end in zip(times, marks, marks[1:], strict=False):
                times[name].append(end - begin)
        cpu = (self._site.cpu_seconds() - began) / self._rounds
        for name, seconds in times.items():
            self._record(name, seconds)
        self._record("create, start and destroy a VM", [sum(each) for each in zip(*times.values(), strict=True)], cpu)

    def _fan_out(self) -> Iterator[float]:
        """Seconds from a change of a VM until the last listener of the feed has heard of it."""
        heard: list[tuple[str, float]] = []
        ready = threading.Barrier(LISTENERS + 1)
        feeds = [Changefeed(self._site.instance.url("vmapi"), service="bench") for _ in range(LISTENERS)]
        for feed in feeds:
            threading.Thread(target=_listen, args=(feed, ready, heard), daemon=True).start()
        ready.wait(30)
        for _ in range(self._rounds):
            vm = self._vm()
            heard.clear()
            began = time.perf_counter()
            tags = {**dict(vm["tags"]), "round": unique()}  # type: ignore[call-overload]
            self._site.ask("vmapi", "PUT", f"/vms/{vm['uuid']}", {"tags": tags})
            while sum(1 for uuid, _ in heard if uuid == vm["uuid"]) < LISTENERS:
                if time.perf_counter() - began > 30:
                    raise SystemExit("a listener did not hear of a change")
                time.sleep(0.0005)
            yield max(moment for uuid, moment in heard if uuid == vm["uuid"]) - began
        for feed in feeds:
            feed.close()

    def _inspect(self, vm: dict[str, str]) -> None:
        metadata: dict[str, str] = vm["internal_metadata"]  # type: ignore[assignment]
        self._get("docker", f"/v1.41/containers/{metadata['docker:id']}/json")


def _listen(feed: Changefeed, ready: threading.Barrier, heard: list[tuple[str, float]]) -> None:
    with feed:
        ready.wait(30)
        try:
            heard.extend((str(item["changedResourceId"]), time.perf_counter()) for item in feed.items())
        except SdcError:
            pass  # the feed was closed: the measurement is over


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def unique() -> str:
    return f"{time.time_ns():x}"


def row(seconds: list[float]) -> str:
    """p50, p99 and the number of samples, in milliseconds."""
    ordered = sorted(seconds)
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"p50 {statistics.median(ordered) * 1000:8.1f} ms   p99 {last * 1000:8.1f} ms   n {len(ordered)}"
