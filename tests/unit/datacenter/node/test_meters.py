"""Both versions of cgroups, in Docker's words."""

from __future__ import annotations

import os

import pytest

from datacenter.node import cgroups, meters

GROUP = "/tdg/vm"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)

    def write(files: dict[str, str]) -> None:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def v1(tree):
    tree(
        {
            "cpuacct/tdg/vm/cpuacct.usage": "5000\n",
            "cpuacct/tdg/vm/cpuacct.usage_percpu": "2000 3000\n",
            "cpuacct/tdg/vm/cpuacct.stat": "user 3\nsystem 1\n",
            "cpu/tdg/vm/cpu.stat": "nr_periods 7\nnr_throttled 2\nthrottled_time 99\n",
            "memory/tdg/vm/memory.usage_in_bytes": "1024\n",
            "memory/tdg/vm/memory.max_usage_in_bytes": "2048\n",
            "memory/tdg/vm/memory.limit_in_bytes": "4096\n",
            "memory/tdg/vm/memory.failcnt": "0\n",
            "memory/tdg/vm/memory.stat": "cache 10\nrss 20\n",
            "pids/tdg/vm/pids.current": "3\n",
            "pids/tdg/vm/pids.max": "200\n",
            "blkio/tdg/vm/blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Write 20\nTotal 30\n",
        }
    )


def v2(tree):
    tree(
        {
            "cgroup.controllers": "cpu io memory pids\n",
            "tdg/vm/cpu.stat": "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 7\nnr_throttled 2\nthrottled_usec 1\n",
            "tdg/vm/memory.current": "1024\n",
            "tdg/vm/memory.max": "4096\n",
            "tdg/vm/memory.stat": "anon 20\nfile 10\n",
            "tdg/vm/memory.events": "low 0\noom 1\n",
            "tdg/vm/pids.current": "3\n",
            "tdg/vm/pids.max": "max\n",
            "tdg/vm/io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n",
        }
    )


IO = [{"major": 8, "minor": 0, "op": "read", "value": 10}, {"major": 8, "minor": 0, "op": "write", "value": 20}]


def test_version_1(tree):
    v1(tree)
    cpu = meters.cpu(GROUP)
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    assert cpu["cpu_usage"] == {
        "total_usage": 5000,
        "percpu_usage": [2000, 3000],
        "usage_in_kernelmode": tick,
        "usage_in_usermode": 3 * tick,
    }
    assert cpu["throttling_data"] == {"periods": 7, "throttled_periods": 2, "throttled_time": 99}
    assert meters.memory(GROUP) == {"usage": 1024, "max_usage": 2048, "limit": 4096, "stats": {"cache": 10, "rss": 20}}
    assert meters.pids(GROUP) == {"current": 3, "limit": 200}
    assert meters.blkio(GROUP)["io_service_bytes_recursive"] == IO
    assert meters.blkio(GROUP)["io_serviced_recursive"] == []


def test_version_2(tree):
    v2(tree)
    cpu = meters.cpu(GROUP)
    assert cpu["cpu_usage"] == {"total_usage": 5000, "usage_in_kernelmode": 2000, "usage_in_usermode": 3000}
    assert cpu["throttling_data"] == {"periods": 7, "throttled_periods": 2, "throttled_time": 1000}
    assert meters.memory(GROUP) == {"usage": 1024, "limit": 4096, "failcnt": 1, "stats": {"anon": 20, "file": 10}}
    assert meters.pids(GROUP) == {"current": 3}
    assert meters.blkio(GROUP)["io_service_bytes_recursive"] == IO


def test_without_a_limit_it_is_the_machines_memory(tree):
    v2(tree)
    tree({"tdg/vm/memory.max": "max\n"})
    assert meters.memory(GROUP)["limit"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_a_container_that_has_just_gone_is_zeros(tree):
    assert meters.cpu(GROUP)["cpu_usage"]["total_usage"] == 0
    assert meters.memory(GROUP)["usage"] == 0
    assert meters.pids(GROUP) == {"current": 0}


def test_system_time_goes_on_while_idle(tree):
    before = meters.cpu(GROUP)["system_cpu_usage"]
    assert before > 0
    assert meters.cpu(GROUP)["online_cpus"] >= 1


def test_networks_are_counted_without_lo():
    found = meters.networks(os.getpid())
    assert "lo" not in found
    for counters in found.values():
        assert set(counters) == {
            f"{way}_{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")
        }
