"""How a container's life shows: waiting for its restart, checked for its health."""

from __future__ import annotations

import json

import msgspec
import pytest

from gateway.errors import Conflict, DockerError, InvalidParameter
from gateway.versions import CEILING, ApiVersion
from translators.containers import inspect, listing, states
from translators.containers.health import check_health, merge_health
from translators.containers.model import ContainerCreate, HostConfig, RestartPolicy
from translators.containers.restart import policy_warning, shown_policy, stored_policy
from translators.containers.update import merge_limits
from translators.durations import epoch

MIB = 1 << 20

NOW = epoch("2026-01-01T00:01:00.000Z")
VM = {
    "uuid": "96a6e2b0-6c51-4a7e-9d4f-0a2f5c1b7e11",
    "state": "running",
    "zone_state": "running",
    "boot_timestamp": "2026-01-01T00:00:00.000Z",
    "internal_metadata": {},
}
WAITING = VM | {
    "state": "stopped",
    "zone_state": "ready",
    "exit_status": 3,
    "exit_timestamp": "2026-01-01T00:00:58.000Z",
    "internal_metadata": {"docker:restartcount": 4},
}


def test_a_container_that_waits_for_its_restart_counts_as_running():
    assert listing.status_text(WAITING, NOW) == "Restarting (3) 2 seconds ago"
    shown = inspect.state(WAITING)
    told = {key: shown[key] for key in ("Status", "Running", "Restarting", "Pid", "ExitCode")}
    assert told == {"Status": "restarting", "Running": True, "Restarting": True, "Pid": 0, "ExitCode": 3}
    assert states.is_running(WAITING)


def test_a_running_one_tells_when_it_ended_before():
    kept = {"docker:lastend": json.dumps({"exit_status": 3, "exit_timestamp": "2025-12-31T00:00:00.000Z"})}
    shown = inspect.state(VM | {"internal_metadata": kept})
    assert (shown["FinishedAt"], shown["ExitCode"]) == ("2025-12-31T00:00:00.000Z", 0)
    assert inspect.state(VM)["FinishedAt"] == states.NEVER


def test_a_container_that_has_ended_does_not():
    assert not states.is_running(WAITING | {"zone_state": "installed"})


@pytest.mark.parametrize(
    ("policy", "supported", "stored"),
    [
        (RestartPolicy(Name="no"), True, None),
        (RestartPolicy(Name="on-failure", MaximumRetryCount=3), False, "on-failure:3"),
        (RestartPolicy(Name="unless-stopped"), True, "unless-stopped"),
        (RestartPolicy(Name="unless-stopped"), False, "always"),
    ],
)
def test_policies_are_stored_as_the_node_knows_them(policy, supported, stored):
    assert stored_policy(policy, supported=supported) == stored
    asked = {"Name": policy.Name, "MaximumRetryCount": policy.MaximumRetryCount}
    assert (shown_policy(stored) == asked) is (policy_warning(policy, supported=supported) is None)


def body(**fields):
    return msgspec.convert(fields, ContainerCreate)


def test_the_check_of_a_request_is_filled_up_from_the_image():
    image = {"Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5, "Retries": 1}}
    assert merge_health(body(), image, CEILING) == image["Healthcheck"]
    asked = body(Healthcheck={"Interval": 7, "StartInterval": 8})
    assert merge_health(asked, image, CEILING) == image["Healthcheck"] | {"Interval": 7, "StartInterval": 8}
    assert merge_health(asked, image, ApiVersion(1, 43)) == image["Healthcheck"] | {"Interval": 7}
    assert merge_health(body(Healthcheck={"Test": ["NONE"]}), {}, CEILING) == {"Test": ["NONE"]}
    assert merge_health(asked, {}, CEILING) is None


@pytest.mark.parametrize("check", [{"Interval": 5}, {"Timeout": -1}, {"Retries": -1}, {"Test": ["RUN", "x"]}])
def test_checks_that_make_no_sense(check):
    with pytest.raises(InvalidParameter):
        check_health(body(Healthcheck=check))


@pytest.mark.parametrize(("status", "said"), [("starting", "health: starting"), ("healthy", "healthy")])
def test_health_is_shown(status, said):
    told = {"Status": status, "FailingStreak": 0, "Log": []}
    vm = VM | {"internal_metadata": {"docker:health": json.dumps(told)}}
    assert inspect.state(vm)["Health"] == told
    assert listing.status_text(vm, NOW) == f"Up About a minute ({said})"
    assert "Health" not in inspect.state(VM)


def test_a_paused_container_counts_as_running_and_is_refused_with_advice():
    vm = VM | {"pid": 7, "internal_metadata": {"docker:paused": True}}
    assert listing.status_text(vm, NOW) == "Up About a minute (Paused)"
    shown = inspect.state(vm)
    told = {key: shown[key] for key in ("Status", "Running", "Paused", "Pid")}
    assert told == {"Status": "paused", "Running": True, "Paused": True, "Pid": 7}
    with pytest.raises(Conflict, match="container abc is paused, unpause the container before exec"):
        states.refuse_unless_up(vm, "abc", "exec")
    with pytest.raises(Conflict, match="container abc is restarting, wait until"):
        states.refuse_unless_up(WAITING, "abc")
    with pytest.raises(Conflict, match="container abc is not running"):
        states.refuse_unless_up(VM | {"state": "stopped"}, "abc")
    assert states.status(vm | {"state": "stopped", "exit_status": 0}) == "exited"


def test_new_limits_go_over_old_ones():
    kept = {"Memory": 64 * MIB, "MemorySwap": 64 * MIB, "PidsLimit": 5}
    merged = merge_limits(kept, HostConfig(CpuShares=7, PidsLimit=0))
    assert merged == {"Memory": 64 * MIB, "MemorySwap": 64 * MIB, "CpuShares": 7}
    assert merge_limits({}, HostConfig(Memory=8 * MIB, MemorySwap=-1)) == {"Memory": 8 * MIB, "MemorySwap": -1}
    assert merge_limits({"Memory": 8 * MIB}, HostConfig()) == {"Memory": 8 * MIB}


@pytest.mark.parametrize(
    ("kept", "asked", "words"),
    [
        ({"MemorySwap": 8 * MIB, "Memory": 8 * MIB}, HostConfig(Memory=9 * MIB), "already set memoryswap limit"),
        ({"CpuPeriod": 5000}, HostConfig(NanoCpus=1), "NanoCpus cannot be updated as CpuPeriod"),
        ({}, HostConfig(Memory=1), "Minimum memory limit"),
        ({"Memory": 8 * MIB}, HostConfig(MemorySwap=7 * MIB), "Minimum memoryswap limit"),
    ],
)
def test_limits_that_do_not_fit(kept, asked, words):
    with pytest.raises(DockerError, match=words):
        merge_limits(kept, asked)
