"""Many containers of all kinds, while every process is killed in turn: what is told of them afterwards is the truth.

``SIEGE_CONTAINERS`` says how many, ordinary test runs take one of each kind; ``make siege`` takes 200.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.conftest import wait_for
from tests.e2e.siege.client import Client, Refused
from tests.e2e.siege.lives import GONE, LIVES, Life, story
from tests.e2e.test_atomicity import settled

pytestmark = pytest.mark.docker

COUNT = int(os.environ.get("SIEGE_CONTAINERS") or len(LIVES))
ROUNDS = 2
"""Of kills of each process, at least; there are more while containers are still being made."""
HANDS = 6
COUNTED_AS = {"running": "Running", "restarting": "Running", "paused": "Paused"}
ZERO = "0001-01-01T00:00:00Z"


@dataclass
class One:
    """A container of the siege."""

    name: str
    life: Life
    id: str = ""
    told: list[dict] = field(default_factory=list)

    @property
    def final_name(self) -> str:
        return self.life.name_after(self.name)


@pytest.fixture
def client(running, docker):
    limits = [{"datacenter": "emb", "limit": ['{"value": 1000}']}]
    running.http("mahi", "/embedded/accounts/alice", "PUT", {"limits": limits})
    yield Client(running, docker)
    left = docker.ok("ps", "-aq", "-f", "name=siege-").split()
    if left:
        docker("rm", "-f", *left, timeout=300)
    running.http("mahi", "/embedded/accounts/alice", "PUT", {"limits": None})


def arbiter_and_workers(running) -> list[int]:
    gateway = running.pid("gateway")
    return [int(pid) for pid in Path(f"/proc/{gateway}/task/{gateway}/children").read_text().split()]


def kill_worker(running) -> None:
    """kill -9 the gateway's worker and wait until its arbiter has another that answers."""
    before = set(arbiter_and_workers(running))
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: set(arbiter_and_workers(running)) - before)


KILLS = {
    "worker": kill_worker,
    **{
        name: lambda running, name=name: running.kill(name)
        for name in ("services", "node-0", "gateway", "node-1", "node-2")
    },
}


def besiege(running, over: threading.Event, killed: Counter) -> None:
    """Kill one process after the other, round after round."""
    while not over.is_set() or min(killed[name] for name in KILLS) < ROUNDS:
        for name, kill in KILLS.items():
            kill(running)
            killed[name] += 1
            time.sleep(random.uniform(0.2, 1.5))  # the next one falls at any moment of what is under way


def live(client: Client, one: One) -> None:
    """Make a container, start it, and do to it what its life asks for."""
    one.id = client.create(one.name, one.life.body())
    path = f"/containers/{one.id}"

    def seen():
        try:
            return client.look(f"{path}/json")
        except Refused as no:
            if no.status != 404:
                raise
            return None

    if one.life.started:
        client.change(
            one.name, "POST", f"{path}/start", lambda: (at := seen()) is None or at["State"]["StartedAt"] != ZERO
        )
    if one.life.deed:
        before = seen()
        time.sleep(1)  # its traps are set
        method, rest = one.life.deed.format(name=one.name).split(" ")
        client.change(one.name, method, path + rest, lambda: is_done(before, seen(), rest))


def is_done(before, after, deed: str) -> bool:
    """Whether a deed has come about: what it changes is not as before."""
    if after is None:
        return True
    if "restart" in deed:
        return after["State"]["StartedAt"] != before["State"]["StartedAt"] and after["State"]["Running"]
    changed = ("Status",) if "rename" not in deed else ()
    return after["Name"] != before["Name"] or any(after["State"][key] != before["State"][key] for key in changed)


def told_since(docker, since: str) -> list[dict]:
    now = docker.ok("info", "-f", "{{.SystemTime}}")
    lines = docker.ok("events", "--since", since, "--until", now, "-f", "type=container", "--format", "{{json .}}")
    return [json.loads(line) for line in lines.splitlines()]


def come_true(docker, ones: list[One], since: str, lost: dict[str, int]) -> list[str]:
    """Say what is not as it must be, in the words of the docker CLI."""
    there = [one for one in ones if one.life.status != GONE]
    listed = {row["ID"]: row for row in map(json.loads, listing(docker))}
    asked = json.loads(docker.ok("inspect", *(one.id for one in there), timeout=120))
    inspected = {found["Id"]: found for found in asked}
    for one in ones:
        one.told = []
    by_id = {one.id: one for one in ones}
    for event in told_since(docker, since):
        if event["Actor"]["ID"] in by_id:
            by_id[event["Actor"]["ID"]].told.append(event)
    wrong = [f"{one.name}: {fault}" for one in ones for fault in faults(one, listed, inspected, lost.get(one.name))]
    return wrong + miscounted(docker, listed.values())


def listing(docker) -> list[str]:
    return docker.ok("ps", "-a", "--no-trunc", "--format", "{{json .}}", timeout=120).splitlines()


def faults(one: One, listed, inspected, lost):
    """What is untrue of one container."""
    wanted = one.life.story.replace("{code}", str(one.life.code))
    if lost:  # what nobody but the call itself can tell goes with its gateway; what was asked twice may be told twice
        wanted = wanted.replace("kill:9 die", "kill:9( kill:9)? die")
        wanted = re.sub(r" (restart|pause|rename)$", r"( \1)?", wanted)
    if not re.fullmatch(wanted, story(one.told)):
        yield f"was told: {story(one.told)}"
    row, found = listed.get(one.id), inspected.get(one.id)
    if one.life.status == GONE:
        if row:
            yield f"is listed: {row['Status']}"
        return
    if not row or not found:
        yield "is lost"
        return
    state = found["State"]
    if (row["Names"], found["Name"]) != (one.final_name, f"/{one.final_name}"):
        yield f"is named {row['Names']} and {found['Name']}"
    if state["Status"] not in one.life.status.split() or row["State"] not in one.life.status.split():
        yield f"is {state['Status']} in inspect, {row['State']} in the list"
    if not state["Running"] and state["ExitCode"] != one.life.code:
        yield f"has ended with {state['ExitCode']}"
    if state["Status"] == "exited" and not row["Status"].startswith(f"Exited ({one.life.code})"):
        yield f"is listed as {row['Status']}"
    if state["OOMKilled"] != one.life.oom:
        yield f"OOMKilled is {state['OOMKilled']}"
    if one.life.restarts is not None and found["RestartCount"] != one.life.restarts:
        yield f"RestartCount is {found['RestartCount']}"
    health = state.get("Health", {}).get("Status", "")
    if health not in one.life.health.split() and health != one.life.health:
        yield f"is {health}"


def miscounted(docker, rows):
    """What ``docker info`` counts that is not in the list."""
    counts = json.loads(docker.ok("info", "--format", "{{json .}}"))
    now = Counter(COUNTED_AS.get(row["State"], "Stopped") for row in rows)
    said = {key: counts[f"Containers{key}"] for key in ("Running", "Paused", "Stopped")}
    fine = said == {key: now[key] for key in said} and counts["Containers"] == now.total()
    return [] if fine else [f"info counts {said} of {counts['Containers']}, the list {dict(now)}"]


def test_whatever_is_killed_every_container_lives_its_life(running, docker, client, capsys):
    since = docker.ok("info", "-f", "{{.SystemTime}}")
    ones = [One(f"siege-{n}-{LIVES[n % len(LIVES)].name}", LIVES[n % len(LIVES)]) for n in range(COUNT)]
    over, killed, began = threading.Event(), Counter(), time.monotonic()
    with ThreadPoolExecutor(HANDS + 1) as pool:
        siege = pool.submit(besiege, running, over, killed)
        try:
            for life in [pool.submit(live, client, one) for one in ones]:
                life.result()
        finally:
            over.set()
        siege.result()
    lived = time.monotonic() - began
    wrong, end = come_true(docker, ones, since, client.lost), time.monotonic() + 60
    while wrong and time.monotonic() < end:
        time.sleep(1)
        wrong = come_true(docker, ones, since, client.lost)
    with capsys.disabled():
        print(
            f"\n{COUNT} containers, {sum(killed.values())} kills {dict(killed)}, {lived:.0f} s, {sum(client.lost.values())} answers lost,"
            f" true after {time.monotonic() - began:.0f} s"
        )
        print("\n".join(wrong))
    assert wrong == []
    docker.ok("rm", "-f", *(one.id for one in ones if one.life.status != GONE), timeout=300)
    settled(running)
