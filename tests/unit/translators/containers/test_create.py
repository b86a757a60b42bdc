"""Create: the payload is what sdc-docker was seen to send; refusals; nothing stays behind."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.body import decode
from gateway.errors import Conflict, DockerError, InternalError, InvalidParameter, NotFound, NotImplementedHere
from gateway.settings import TritonSettings
from gateway.versions import ApiVersion
from tests.unit.translators.containers.conftest import ALICE, BOB, EXTERNAL, FABRIC, LINUX, PACKAGE
from translators.containers import create as creating
from translators.containers.inspect import inspect
from translators.containers.listing import list_containers
from translators.containers.model import ContainerCreate
from translators.networks.predefined import predefined_id


def body(**fields) -> ContainerCreate:
    return decode(json.dumps({"Image": "busybox", **fields}).encode(), ContainerCreate)


def create(world, name="web1", call=None, **fields):
    return creating.create(call or world.call("container.create"), body(**fields), name)


def test_payload_is_the_one_sdc_docker_sends(world):
    world.add_image(
        "localhost:5443/test/hello", {"Cmd": ["/hello"], "Env": ["PATH=/usr/bin", "FOO=bar"], "Labels": {"a": "b"}}, "2"
    )
    call = world.call("container.create", config=TritonSettings(fabrics=False, fwrule_version=1, job_timeout=5.0))
    world.capabilities = ()
    made = create(
        world,
        call=call,
        Image="localhost:5443/test/hello:latest",
        Cmd=["/bin/sh", "-c", "sleep 100"],
        Env=["A=1"],
        Labels={"x": "y"},
        ExposedPorts={"80/tcp": {}},
        AttachStdout=True,
        AttachStderr=True,
        WorkingDir="/tmp",
        HostConfig={
            "PublishAllPorts": True,
            "Memory": 134217728,
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        },
    )
    vm = world.vm("web1")
    uuid = vm["uuid"]
    assert made == {"Id": vm["internal_metadata"]["docker:id"], "Warnings": []}
    assert made["Id"].startswith(uuid.replace("-", ""))
    assert len(made["Id"]) == 64
    assert vm["internal_metadata"] == {
        "docker:id": made["Id"],
        "docker:cmd": '["/bin/sh","-c","sleep 100"]',
        "docker:attach_stdout": True,
        "docker:attach_stderr": True,
        "docker:env": '["PATH=/usr/bin","FOO=bar","A=1"]',
        "docker:workdir": "/tmp",
        "docker:restartpolicy": "on-failure:3",
        "docker:noipmgmtd": True,
        "docker:imageid": "sha256:" + "2" * 64,
        "docker:imagename": "localhost:5443/test/hello:latest",
        "docker:publish_all_ports": True,
        "docker:entrypoint": "[]",
        "docker:linkHosts": "",
        "docker:linkEnv": "[]",
    }
    assert {key: vm[key] for key in (
        "alias", "hostname", "tags", "zlog_max_size", "autoboot", "docker", "restart_init", "tmpfs", "filesystems",
        "affinity", "billing_id", "brand", "init_name", "kernel_version", "firewall_enabled", "owner_uuid",
    )} == {
        "alias": "web1", "hostname": uuid[:8] + uuid[9:13],
        "tags": {"sdc_docker": True, "docker:label:a": "b", "docker:label:x": "y"}, "zlog_max_size": 50000000,
        "autoboot": False, "docker": True, "restart_init": False, "tmpfs": 0, "filesystems": [], "affinity": [],
        "billing_id": PACKAGE["uuid"], "brand": "lx", "init_name": "/native/usr/vm/sbin/dockerinit",
        "kernel_version": "3.13.0", "firewall_enabled": True, "owner_uuid": ALICE,
    }  # fmt: skip
    assert [rule["rule"] for rule in vm["firewall_rules"]] == [
        'FROM tag "sdc_docker" TO tag "sdc_docker" ALLOW tcp PORT all',
        'FROM tag "sdc_docker" TO tag "sdc_docker" ALLOW udp PORT all',
        f"FROM any TO vm {uuid} ALLOW tcp PORT 80",
    ]


def test_networks_are_the_fabric_and_for_published_ports_the_outside_as_primary(world):
    plain, published = world.call("container.create"), world.call("container.create")
    create(world, "plain", plain)
    create(world, "open", published, HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "80"}]}})
    nics = {name: [(n["network_uuid"], n.get("primary")) for n in world.vm(name)["nics"]] for name in ("plain", "open")}
    assert nics == {"plain": [(FABRIC, True)], "open": [(FABRIC, None), (EXTERNAL, True)]}


def test_ports_with_other_numbers_outside_are_told_to_the_node_and_shown_again(world):
    world.capabilities = LINUX | {"port-remapping"}
    asked = {"80/tcp": [{"HostPort": "8080"}], "99/udp": [{"HostPort": "18765"}], "22/tcp": [{"HostPort": "22"}]}
    made = create(world, HostConfig={"PortBindings": asked})
    vm = world.vm("web1")
    assert json.loads(vm["internal_metadata"]["docker:port_map"]) == {"80/tcp": [8080], "99/udp": [18765]}
    opened = [rule["rule"].partition(" ALLOW ")[2] for rule in vm["firewall_rules"] if vm["uuid"] in rule["rule"]]
    assert opened == ["tcp PORTS 22, 80", "udp PORTS 99"]
    shown = inspect(world.call("container.inspect"), made["Id"])
    assert shown["HostConfig"]["PortBindings"] == {
        name: [{"HostIp": "", **binding} for binding in bindings] for name, bindings in asked.items()
    }
    assert shown["NetworkSettings"]["Ports"] == {}  # it does not run
    vm |= {"state": "running"}
    address = next(nic["ip"] for nic in vm["nics"] if nic.get("primary"))
    assert inspect(world.call("container.inspect"), made["Id"])["NetworkSettings"]["Ports"] == {
        name: [{"HostIp": address, **binding} for binding in bindings] for name, bindings in asked.items()
    }
    [listed] = list_containers(world.call("container.list"))
    assert [(port["PrivatePort"], port["PublicPort"], port["Type"]) for port in listed["Ports"]] == [
        (22, 22, "tcp"), (80, 8080, "tcp"), (99, 18765, "udp"),
    ]  # fmt: skip


def test_account_rules_are_made_once_and_not_again_when_disabled(world):
    create(world, "one")
    for rule in world.fwapi.rules.values():
        rule["enabled"] = False
    create(world, "two")
    assert len(world.fwapi.rules) == 2


@pytest.mark.parametrize(("fields", "kind", "words"), [
    ({"Image": "nope"}, NotFound, "No such image: nope:latest"),
    ({"Image": ""}, InvalidParameter, "Image must not be empty"),
    ({"HostConfig": {"Privileged": True}}, NotImplementedHere, "privileged"),
    ({"HostConfig": {"NetworkMode": "host"}}, NotImplementedHere, "network mode host"),
    ({"HostConfig": {"NetworkMode": "container:x"}}, NotImplementedHere, "network mode container"),
    ({"HostConfig": {"NetworkMode": "nowhere"}}, InvalidParameter, "network nowhere not found"),
    ({"HostConfig": {"PidMode": "host"}}, NotImplementedHere, "PidMode host"),
    ({"HostConfig": {"IpcMode": "container:x"}}, NotImplementedHere, "IpcMode container:x"),
    ({"HostConfig": {"Devices": [{"PathOnHost": "/dev/sda"}]}}, NotImplementedHere, "Devices"),
    ({"HostConfig": {"Binds": ["/etc:/etc"]}}, NotImplementedHere, "host volumes are not supported"),
    ({"HostConfig": {"Binds": ["data:/data:rx"]}}, InvalidParameter, "invalid mode: rx"),
    ({"HostConfig": {"Binds": ["data:/data:ro,rw"]}}, InvalidParameter, "invalid mode: ro,rw"),
    ({"HostConfig": {"Binds": ["d:/data"]}}, InvalidParameter, "create d: volume name is too short"),
    ({"HostConfig": {"Binds": ["a:b:c:d"]}}, InvalidParameter, "invalid volume specification: 'a:b:c:d'"),
    ({"HostConfig": {"Binds": ["one:/data", "two:/data/"]}}, InvalidParameter, "Duplicate mount point: /data"),
    ({"HostConfig": {"Binds": ["../up:/data"]}}, NotImplementedHere, "host volumes"),
    ({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}}, NotImplementedHere, "remapping of port numbers not allowed"),
    ({"HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1"}]}}}, NotImplementedHere, "127.0.0.1"),
    ({"HostConfig": {"PortBindings": {"x/tcp": None}}}, InvalidParameter, 'invalid port specification: "x/tcp"'),
    ({"HostConfig": {"CapAdd": ["SYS_ADMIN"]}}, NotImplementedHere, "SYS_ADMIN"),
    ({"HostConfig": {"CapAdd": ["ALL"]}}, NotImplementedHere, "ALL"),
    ({"HostConfig": {"CapDrop": ["BOGUS"]}}, InvalidParameter, 'invalid CapDrop: unknown capability: "BOGUS"'),
    ({"HostConfig": {"Sysctls": {"kernel.panic": "1"}}}, InvalidParameter, "not in a separate kernel namespace"),
    ({"HostConfig": {"Memory": 1000}}, InvalidParameter, "Minimum memory limit allowed is 6MB"),
    ({"HostConfig": {"MemorySwap": 8 << 20}}, InvalidParameter, "always set the Memory limit"),
    ({"HostConfig": {"RestartPolicy": {"Name": "often"}}}, InvalidParameter, "unknown policy 'often'"),
    ({"HostConfig": {"RestartPolicy": {"Name": "always"}, "AutoRemove": True}}, InvalidParameter, "can't create 'AutoRemove'"),
    ({"HostConfig": {"LogConfig": {"Type": "journald"}}}, InvalidParameter, "unsupported log driver: journald"),
    ({"HostConfig": {"Links": ["ghost:db"]}}, InvalidParameter, "could not get container for ghost: No such container"),
    ({"HostConfig": {"Links": ["a:b"], "NetworkMode": "mine"}}, NotImplementedHere, "user-defined networking links"),
    ({"HostConfig": {"VolumesFrom": ["ghost"]}}, InvalidParameter, "No such container: ghost"),
    ({"Volumes": {"data": {}}}, InvalidParameter, 'Invalid volume name "data" must start with "/"'),
    ({"Labels": {"triton.bogus": "1", "triton.cns.disable": "yes"}}, InvalidParameter, "invalid labels: Unrecognized"),
    ({"Labels": {"triton.network.public": "external"}}, InvalidParameter, "requires a container with published ports"),
    ({"StopSignal": "SIGBOGUS"}, InvalidParameter, "invalid signal: SIGBOGUS"),
    ({"WorkingDir": "here"}, InvalidParameter, "needs to be an absolute path"),
    ({"Env": ["=x"]}, InvalidParameter, "invalid environment variable: =x"),
])  # fmt: skip
def test_refusals(world, fields, kind, words):
    with pytest.raises(kind, match=".*") as refused:
        create(world, **fields)
    assert words in refused.value.message
    assert world.vmapi.vms == {}
    assert world.fwapi.rules == {}


def test_a_platform_that_no_node_has_is_refused_though_the_image_is_here(world):
    with pytest.raises(NotImplementedHere, match="platform linux/s390x"):
        create(world, call=world.call("container.create", platform="linux/s390x"))
    assert not world.vmapi.vms


def test_bad_names(world):
    with pytest.raises(InvalidParameter, match="only .* are allowed"):
        create(world, "no/good")
    assert create(world, "/slash")["Id"]
    assert world.vm("slash")


def test_a_taken_name_is_a_conflict_that_names_the_holder(world):
    first = create(world, "db")["Id"]
    with pytest.raises(Conflict) as refused:
        create(world, "db")
    assert refused.value.message == (
        f'Conflict. The container name "/db" is already in use by container "{first}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )
    assert create(world, "db", world.call("container.create", owner=BOB))["Id"] != first


def test_a_random_name_that_is_taken_is_drawn_again(world, monkeypatch):
    names = iter(["calm_ohm", "calm_ohm", "keen_gauss"])
    monkeypatch.setattr(creating, "random_name", lambda: next(names))
    create(world, "")
    create(world, "")
    assert sorted(vm["alias"] for vm in world.vmapi.vms.values()) == ["calm_ohm", "keen_gauss"]


def test_a_failed_create_is_taken_back(world):
    call = world.call("container.create")
    world.vmapi.failing["provision"] = {"restCode": "InternalError", "message": "zone /zones/x exploded at 10.0.0.1"}
    with pytest.raises(InternalError) as refused:
        create(world, "doomed", call, HostConfig={"PortBindings": {"80/tcp": []}})
    assert refused.value.message == "problem creating container"
    assert len(world.fwapi.rules) == 3
    while call.undo:
        call.undo.pop()()
    assert [rule["rule"][:8] for rule in world.fwapi.rules.values()] == ["FROM tag"] * 2
    assert [vm["state"] for vm in world.vmapi.vms.values()] == ["destroyed"]


def test_placement_failures_are_told(world):
    world.vmapi.failing["provision"] = {
        "restCode": "NoAllocatableServersError",
        "message": "No compute resources available",
    }
    with pytest.raises(Conflict, match="problem creating container: No compute resources available"):
        create(world)


def test_a_data_center_that_is_just_starting_is_waited_for(world):
    world.vmapi.away = 2
    assert create(world)["Id"]


def test_members_of_the_chain_see_the_finished_payload(world):
    call = world.call("container.create")
    seen = {}

    def provision(payload):
        seen.update(payload)
        return payload | {"affinity": ["x"]}

    call.provision = provision
    create(world, "web", call)
    assert seen["firewall_rules"]
    assert seen["alias"] == "web"
    assert world.vm("web")["affinity"] == ["x"]


def test_options_without_linux_options_are_warnings(world):
    world.capabilities = ()
    made = create(
        world,
        HostConfig={
            "CapDrop": ["ALL"],
            "ReadonlyRootfs": True,
            "Memory": 8 << 20,
            "BlkioWeight": 10,
            "RestartPolicy": {"Name": "unless-stopped"},
        },
    )
    named = [text.split()[0] for text in made["Warnings"]]
    assert named == ["Memory", "BlkioWeight", "CapDrop", "ReadonlyRootfs", "Restart"]
    assert "docker:linux" not in world.vm("web1")["internal_metadata"]
    assert inspect(world.call(), "web1")["HostConfig"]["Memory"] == 128 << 20


def test_several_networks_need_a_new_api(world):
    endpoints = {"EndpointsConfig": {"My-Fabric-Network": {}, "other": {}}}
    with pytest.raises(InvalidParameter, match="cannot be connected to network endpoints"):
        create(world, call=world.call("container.create", version=ApiVersion(1, 43)), NetworkingConfig=endpoints)


def test_volumes_from_shares_own_volumes_only(world):
    create(world, "data", Volumes={"/a": {}, "/b/": {}})
    create(world, "user", HostConfig={"VolumesFrom": ["data:ro"]}, Volumes={"/a": {}, "/c": {}})
    create(world, "third", HostConfig={"VolumesFrom": ["user"]})
    targets = {name: [(f["target"], f["options"]) for f in world.vm(name)["filesystems"]] for name in ("user", "third")}
    assert targets == {"user": [("/a", ["ro"]), ("/b", ["ro"]), ("/c", [])], "third": [("/c", [])]}
    assert json.loads(world.vm("user")["internal_metadata"]["docker:volumesfrom"]) == [world.vm("data")["uuid"]]


def test_swap_goes_with_memory(world):
    create(world, "swap", HostConfig={"Memory": 64 << 20, "MemorySwap": -1})
    assert json.loads(world.vm("swap")["internal_metadata"]["docker:linux"])["MemorySwapBytes"] == -1
    assert inspect(world.call(), "swap")["HostConfig"]["MemorySwap"] == -1


def test_more_memory_than_the_package_that_a_label_names(world):
    with pytest.raises(InvalidParameter, match="Memory 1g is more than the package sample-128M has: 128m"):
        create(world, HostConfig={"Memory": 1 << 30})


def test_stdin_once_goes_with_open_stdin(world):
    create(world, "stdin", OpenStdin=True, StdinOnce=True)
    assert inspect(world.call(), "stdin")["Config"]["StdinOnce"] is True


def test_the_network_of_the_highest_priority_is_primary(world):
    endpoints = {"My-Fabric-Network": {"GwPriority": 1}, "external": {"GwPriority": 2}}
    create(world, "many", NetworkingConfig={"EndpointsConfig": endpoints})
    assert [(n["network_uuid"], n.get("primary")) for n in world.vm("many")["nics"]] == [
        (FABRIC, None),
        (EXTERNAL, True),
    ]
    old = world.call("container.create", version=ApiVersion(1, 47))
    create(world, "old", old, NetworkingConfig={"EndpointsConfig": endpoints})
    assert [n.get("primary") for n in world.vm("old")["nics"]] == [True, None]


_names = st.text("abc/.:-_0189 \0é", max_size=8)
_texts = st.lists(_names, max_size=3)
_hosts = st.fixed_dictionaries({}, optional={
    "Binds": _texts, "NetworkMode": _names, "CapAdd": _texts, "Dns": _texts, "ExtraHosts": _texts, "Memory": st.integers(),
    "MemorySwap": st.integers(), "VolumesFrom": _texts, "Links": _texts, "SecurityOpt": _texts, "PidMode": _names,
    "Tmpfs": st.dictionaries(_names, _names, max_size=2), "Sysctls": st.dictionaries(_names, _names, max_size=2),
    "PortBindings": st.dictionaries(_names, st.none() | st.lists(st.none() | st.fixed_dictionaries({"HostPort": _names})), max_size=2),
    "RestartPolicy": st.none() | st.fixed_dictionaries({"Name": _names}), "PublishAllPorts": st.booleans(),
    "LogConfig": st.none() | st.fixed_dictionaries({"Type": _names, "Config": st.dictionaries(_names, _names, max_size=2)}),
    "Mounts": st.lists(st.fixed_dictionaries({"Type": _names, "Target": _names, "Source": _names}), max_size=2),
    "Ulimits": st.lists(st.fixed_dictionaries({"Name": _names, "Soft": st.integers(), "Hard": st.integers()}), max_size=2),
})  # fmt: skip
_bodies = st.fixed_dictionaries({}, optional={
    "Cmd": st.none() | _names | _texts, "Entrypoint": st.none() | _names | _texts, "Env": _texts, "User": _names,
    "ExposedPorts": st.dictionaries(_names, st.just({}), max_size=2), "Volumes": st.dictionaries(_names, st.just({}), max_size=2),
    "Labels": st.dictionaries(_names, _names, max_size=2), "WorkingDir": _names, "StopSignal": _names, "HostConfig": _hosts,
    "StopTimeout": st.none() | st.integers(),
})  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=_bodies)
def test_any_body_is_a_container_or_a_docker_error(world, fields):
    world.vmapi.vms.clear()
    try:
        create(world, "any", **fields)
    except DockerError:
        return
    assert msgspec.json.encode(inspect(world.call(), "any"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    host=st.fixed_dictionaries({}, optional={
        "CapAdd": st.lists(st.sampled_from(["CHOWN", "NET_ADMIN"]), unique=True, min_size=1),
        "CapDrop": st.just(["ALL"]), "Memory": st.integers(8 << 20, 128 << 20), "NanoCpus": st.integers(1, 10**10),
        "PidsLimit": st.integers(1, 1000), "ReadonlyRootfs": st.just(True), "ShmSize": st.integers(1, 1 << 30),
        "Tmpfs": st.just({"/run": "size=8m"}), "Sysctls": st.just({"net.core.somaxconn": "1024"}),
        "Ulimits": st.just([{"Name": "nofile", "Soft": 1000, "Hard": 2000}]), "GroupAdd": st.just(["777"]),
        "Dns": st.just(["10.1.2.3"]), "DnsSearch": st.just(["ex.test"]), "DnsOptions": st.just(["ndots:3"]),
        "ExtraHosts": st.just(["foo:10.9.8.7"]), "Init": st.just(True), "AutoRemove": st.just(True),
        "LogConfig": st.just({"Type": "json-file", "Config": {"max-size": "1m"}}), "OomScoreAdj": st.integers(1, 1000),
        "CpusetCpus": st.just("0"), "Annotations": st.just({"a": "b"}),
    }),
    config=st.fixed_dictionaries({}, optional={
        "Cmd": st.lists(st.text("ab c", min_size=1), min_size=1), "Entrypoint": st.just(["/init"]),
        "Env": st.just(["A=1", "B"]), "User": st.just("33:33"), "WorkingDir": st.just("/var/tmp"), "Tty": st.just(True),
        "OpenStdin": st.just(True), "Labels": st.just({"k": "v"}), "StopSignal": st.just("USR1"),
        "StopTimeout": st.integers(0, 100), "Hostname": st.just("hosty"), "Domainname": st.just("ex.test"),
    }),
)  # fmt: skip
def test_what_is_honoured_is_shown_again(world, host, config):
    world.vmapi.vms.clear()
    create(world, "round", HostConfig=host, **config)
    shown = inspect(world.call(), "round")
    assert {key: shown["HostConfig"][key] for key in host} == host
    env = config.pop("Env", [])
    labels = config.pop("Labels", {})
    assert {key: shown["Config"][key] for key in config} == config
    assert shown["Config"]["Env"] == ["PATH=/bin", *env]
    assert labels.items() <= shown["Config"]["Labels"].items()


@pytest.mark.parametrize("letters", [64, 12])
def test_the_networks_that_are_always_there_are_known_by_id_too(world, letters):
    bridge, host, none = (predefined_id(name)[:letters] for name in ("bridge", "host", "none"))
    joined = {"EndpointsConfig": {bridge: {"IPAMConfig": {"IPv4Address": "10.0.0.9"}}}}
    create(world, "web", HostConfig={"NetworkMode": bridge}, NetworkingConfig=joined)
    assert [nic["network_uuid"] for nic in world.vm("web")["nics"]] == [FABRIC]
    assert inspect(world.call("container.inspect"), "web")["HostConfig"]["NetworkMode"] == "bridge"
    create(world, "alone", HostConfig={"NetworkMode": none})
    assert inspect(world.call("container.inspect"), "alone")["HostConfig"]["NetworkMode"] == "none"
    with pytest.raises(NotImplementedHere, match="network mode host is not supported"):
        create(world, HostConfig={"NetworkMode": host})
