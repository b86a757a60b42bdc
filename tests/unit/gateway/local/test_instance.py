from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from gateway.local import bringup
from gateway.local.bringup import BringUpError, processes, up
from gateway.local.instance import Instance


def test_two_instances_share_nothing(tmp_path):
    one, other = (Instance.of({"INSTANCE": letter}, tmp_path) for letter in "ab")
    assert one.folder == tmp_path / "var"
    assert other.folder == tmp_path / "var-b"
    for thing in ("folder", "port_base", "docker_url"):
        assert getattr(one, thing) != getattr(other, thing)
    assert one.url("vmapi") != other.url("vmapi")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"INSTANCE": "two"}, "one letter"),
        ({"INSTANCE": "B"}, "one letter"),
        ({"COMPUTE_NODES": "many"}, "number"),
        ({"COMPUTE_NODES_SIMULATED": "-1"}, "number"),
        ({"COMPUTE_NODES_SIMULATED": "2", "COMPUTE_NODES": "1"}, "leave COMPUTE_NODES out"),
        ({"HOST_BINDS": "/srv/ci:/"}, "HOST_BINDS is a list of absolute paths"),
        ({"HOST_BINDS": "srv"}, "HOST_BINDS is a list of absolute paths"),
        ({"HOST_BINDS": "/srv/../etc"}, "HOST_BINDS is a list of absolute paths"),
    ],
)
def test_wrong_words_are_refused_with_advice(environ, words):
    with pytest.raises(ValueError, match=words):
        Instance.of(environ)


def test_the_data_center_is_told_its_facts(tmp_path):
    instance = Instance.of({"INSTANCE": "c", "COMPUTE_NODES": "3"}, tmp_path)
    instance.write_datacenter_file()
    told = json.loads(instance.datacenter_file.read_text())
    assert (told["instance"], told["nodes"], told["docker_url"]) == ("c", 3, instance.docker_url)
    assert Path(told["state"]) == instance.folder


def test_simulated_nodes_are_asked_for_in_so_many_words(tmp_path):
    plain = Instance.of({}, tmp_path)
    assert (plain.nodes, plain.simulated) == (1, 0)
    simulated = Instance.of({"COMPUTE_NODES_SIMULATED": "20"}, tmp_path)
    assert (simulated.nodes, simulated.simulated) == (0, 20)
    assert [process.name for process in processes(simulated)] == ["services", "simulated-nodes", "gateway"]
    assert "simulated-nodes" not in [process.name for process in processes(plain)]
    simulated.write_datacenter_file()
    with pytest.raises(BringUpError, match="are simulated: take it down first"):
        up(plain, print)


def test_the_settings_of_an_instance_are_readable_settings(tmp_path):
    from gateway.settings import load

    instance = Instance.of({}, tmp_path)
    environ = instance.gateway_environment()
    settings = load(environ=environ)
    assert settings.listen[0] == instance.docker_url
    assert settings.services.vmapi == instance.url("vmapi")
    assert settings.socket_account == "demo"


def test_folders_of_the_machine_are_for_the_instances_own_account(tmp_path):
    from gateway.settings import load

    plain = load(environ=Instance.of({}, tmp_path).gateway_environment()).triton
    assert (plain.host_binds, plain.host_bind_accounts) == ((), ())
    instance = Instance.of({"HOST_BINDS": "/srv/ci/:/tmp/ci", "ACCOUNT": "ci"}, tmp_path)
    open_ = load(environ=instance.gateway_environment()).triton
    assert (open_.host_binds, open_.host_bind_accounts) == (("/srv/ci", "/tmp/ci"), ("ci",))
    instance.write_datacenter_file()
    assert json.loads(instance.datacenter_file.read_text())["host_binds"] == ["/srv/ci", "/tmp/ci"]


def test_what_running_processes_were_not_told_is_said(tmp_path, monkeypatch):
    """A second ``up`` with other settings starts nothing: it does not let it look as if they held."""

    class Ready(Exception):
        pass

    def ready(*_):
        raise Ready

    said, running = [], [True]
    monkeypatch.setattr(bringup.Process, "start", lambda _: not running[0])
    monkeypatch.setattr(bringup, "_await", ready)
    for environ, begun in (({}, True), ({}, False), ({"HOST_BINDS": "/srv", "PRIVILEGED_CONTAINERS": "1"}, False)):
        said.clear()
        running[0] = not begun
        with pytest.raises(Ready):
            up(Instance.of(environ, tmp_path), said.append)
    assert said == [
        "host_binds, privileged: what runs already goes on as it was told before, until it is taken down and up again"
    ]


def test_the_folder_is_its_owners_alone(tmp_path):
    instance = Instance.of({}, tmp_path)
    instance.folder.mkdir(mode=0o755)
    instance.write_datacenter_file()
    assert stat.S_IMODE(instance.folder.stat().st_mode) == 0o700
