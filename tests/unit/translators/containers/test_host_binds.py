"""Folders of the node in containers: who may ask, how the words are read, what the node is told, what is shown again."""

from __future__ import annotations

import json

import pytest

from gateway.errors import Forbidden, InvalidParameter, NotFound, NotImplementedHere
from gateway.settings import TritonSettings
from tests.unit.translators.containers.conftest import LINUX
from tests.unit.translators.containers.test_create import create
from translators.containers import lifecycle
from translators.containers.host_binds import HOST_BINDS
from translators.containers.inspect import inspect
from translators.containers.listing import list_containers
from translators.containers.states import linux_options


@pytest.fixture
def world(world):
    """Nodes that bind, and an operator who lets everybody."""
    world.capabilities = LINUX | {HOST_BINDS}
    allowed = TritonSettings(host_binds=("/srv/ci", "/srv/ci/inner", "/var/cache/ci"), host_bind_accounts=("*",))
    call = world.call
    world.call = lambda *args, **more: call(*args, **{"config": allowed, **more})
    return world


def told(world, host, name="web"):
    create(world, name, HostConfig=host)
    return linux_options(world.vm(name))["HostBinds"]


def mount(**fields):
    return {"Type": "bind", "Source": "/srv/ci/a", "Target": "/a", **fields}


PLAIN = {
    "Source": "/srv/ci/a",
    "Target": "/a",
    "Within": "/srv/ci",
    "ReadOnly": False,
    "Create": True,
    "Recursive": True,
    "ReadOnlyRecursive": True,
    "Mode": "",
    "Propagation": "rprivate",
}


@pytest.mark.parametrize(
    ("bind", "differs"),
    [
        ("/srv/ci/a:/a", {}),
        ("//srv/ci/./b/../a/:/a/", {}),
        ("/srv/ci/a:/a:ro", {"ReadOnly": True, "Mode": "ro"}),
        ("/srv/ci/a:/a:rw,Z,cached,private", {"Mode": "rw,Z,cached,private", "Propagation": "private"}),
        ("/srv/ci:/a", {"Source": "/srv/ci"}),
        ("/srv/ci/inner/x:/a", {"Source": "/srv/ci/inner/x"}),
        ("/var/cache/ci/x:/a", {"Source": "/var/cache/ci/x", "Within": "/var/cache/ci"}),
    ],
)
def test_what_the_node_is_told_of_a_bind(world, bind, differs):
    assert told(world, {"Binds": [bind]}) == [PLAIN | differs]


@pytest.mark.parametrize(
    ("fields", "differs"),
    [
        ({}, {"Create": False}),
        ({"ReadOnly": True}, {"Create": False, "ReadOnly": True}),
        ({"BindOptions": {"CreateMountpoint": True}}, {}),
        ({"BindOptions": {"NonRecursive": True}}, {"Create": False, "Recursive": False}),
        ({"BindOptions": {"ReadOnlyNonRecursive": True}}, {"Create": False, "ReadOnlyRecursive": False}),
        ({"BindOptions": {"Propagation": "private"}}, {"Create": False, "Propagation": "private"}),
    ],
)
def test_what_the_node_is_told_of_a_mount(world, fields, differs):
    assert told(world, {"Mounts": [mount(**fields)]}) == [PLAIN | differs]


SPEC = r"invalid volume specification: '.*': invalid mount config for type \"bind\": "


@pytest.mark.parametrize(
    ("host", "kind", "words"),
    [
        ({"Binds": ["/etc:/a"]}, Forbidden, "binding /etc is not allowed: your account may bind what is below /srv/ci"),
        ({"Binds": ["/srv/cinema:/a"]}, Forbidden, "binding /srv/cinema is not allowed"),
        ({"Binds": ["/srv/ci/../../etc:/a"]}, Forbidden, "is not allowed"),
        ({"Binds": ["/srv/ci:/"]}, InvalidParameter, f"{SPEC}invalid specification: destination can't be '/'"),
        ({"Binds": ["/srv/ci:a"]}, InvalidParameter, f"{SPEC}invalid mount path: 'a' mount path must be absolute"),
        ({"Binds": ["/srv/ci:/a:ro,rw"]}, InvalidParameter, "invalid mode: ro,rw"),
        ({"Binds": ["/srv/ci:/a:nocopy"]}, InvalidParameter, "invalid mode: nocopy"),
        ({"Binds": ["/srv/ci:/a:rshared"]}, NotImplementedHere, "bind propagation rshared is not supported"),
        ({"Binds": ["/srv/ci:/a", "/srv/ci/b:/a/"]}, InvalidParameter, "Duplicate mount point: /a"),
        ({"Binds": ["data:/a"], "Mounts": [mount()]}, InvalidParameter, "Duplicate mount point: /a"),
        ({"Binds": ["./here:/a"]}, InvalidParameter, "invalid characters for a local volume name"),
        ({"Mounts": [mount(Source="/etc")]}, Forbidden, "binding /etc is not allowed"),
        ({"Mounts": [mount(Source="")]}, InvalidParameter, "field Source must not be empty"),
        ({"Mounts": [mount(Source="a")]}, InvalidParameter, "invalid mount path: 'a' mount path must be absolute"),
        ({"Mounts": [mount(Target="")]}, InvalidParameter, "field Target must not be empty"),
        ({"Mounts": [mount(VolumeOptions={"NoCopy": True})]}, InvalidParameter, "VolumeOptions must not be specified"),
        ({"Mounts": [mount(BindOptions={"Propagation": "x"})]}, InvalidParameter, "invalid propagation mode: x"),
        ({"Mounts": [mount(BindOptions={"NonRecursive": "x"})]}, InvalidParameter, "invalid mount config"),
        ({"Mounts": [mount(BindOptions={"Propagation": "slave"})]}, NotImplementedHere, "slave is not supported"),
    ],
)
def test_binds_that_are_refused(world, host, kind, words):
    with pytest.raises(kind, match=words):
        create(world, HostConfig=host)
    assert world.vmapi.vms == {}


@pytest.mark.parametrize(
    ("capabilities", "config"),
    [
        (LINUX, {"host_binds": ("/srv/ci",), "host_bind_accounts": ("*",)}),
        (LINUX | {HOST_BINDS}, {"host_binds": ("/srv/ci",)}),
        (LINUX | {HOST_BINDS}, {"host_binds": ("/srv/ci",), "host_bind_accounts": ("somebody",)}),
        (LINUX | {HOST_BINDS}, {"host_bind_accounts": ("*",)}),
    ],
)
@pytest.mark.parametrize("host", [{"Binds": ["/srv/ci:/a"]}, {"Mounts": [mount()]}])
def test_nodes_gateway_and_account_must_all_agree(world, capabilities, config, host):
    world.capabilities = capabilities
    with pytest.raises(NotImplementedHere, match="host volumes are not supported"):
        create(world, call=world.call("container.create", config=TritonSettings(**config)), HostConfig=host)


def test_inspect_and_list_show_them_as_dockerd_does(world):
    host = {"Binds": ["/srv/ci/x:/x:ro"], "Mounts": [mount(ReadOnly=True)]}
    create(world, "web", HostConfig=host)
    shown = inspect(world.call("container.inspect"), "web")
    expected = [
        {"Type": "bind", "Source": "/srv/ci/x", "Destination": "/x", "Mode": "ro", "RW": False},
        {"Type": "bind", "Source": "/srv/ci/a", "Destination": "/a", "Mode": "", "RW": False},
    ]
    assert shown["Mounts"] == [one | {"Propagation": "rprivate"} for one in expected]
    assert {key: shown["HostConfig"][key] for key in host} == host
    assert [one["Mounts"] for one in list_containers(world.call("container.list", all="1"))] == [shown["Mounts"]]


def test_the_list_is_filtered_by_where_they_are(world):
    create(world, "web", HostConfig={"Binds": ["/srv/ci/x:/x"]})
    for wanted, found in (("/x", 1), ("/srv/ci/x", 0), ("/y", 0)):
        call = world.call("container.list", all="1", filters=json.dumps({"volume": [wanted]}))
        assert len(list_containers(call)) == found


def test_a_bind_wins_over_a_volume_of_the_image(world):
    world.add_image("db", {"Cmd": ["sh"], "Volumes": {"/a": {}, "/b": {}}}, "2")
    create(world, "web", Image="db", HostConfig={"Binds": ["/srv/ci:/a"]})
    assert [entry["target"] for entry in world.vm("web")["filesystems"]] == ["/b"]


def test_volumes_from_takes_binds_over_as_long_as_they_are_allowed(world):
    told(world, {"Binds": ["/srv/ci/a:/a", "/srv/ci/b:/b"]}, "one")
    more = told(world, {"VolumesFrom": ["one:ro"], "Binds": ["/srv/ci/mine:/b"]}, "two")
    assert [(one["Source"], one["Target"], one["ReadOnly"]) for one in more] == [
        ("/srv/ci/mine", "/b", False),
        ("/srv/ci/a", "/a", True),
    ]
    none = TritonSettings(host_binds=("/srv/other",), host_bind_accounts=("*",))
    with pytest.raises(Forbidden, match="binding /srv/ci/a is not allowed"):
        create(world, call=world.call("container.create", config=none), HostConfig={"VolumesFrom": ["one"]})
    with pytest.raises(NotImplementedHere, match="host volumes are not supported"):
        create(world, call=world.call("container.create", config=TritonSettings()), HostConfig={"VolumesFrom": ["one"]})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InvalidBind", InvalidParameter),
        ("BindForbidden", Forbidden),
        ("VolumePathNotFound", NotFound),
        ("VolumePathEscapes", InvalidParameter),
    ],
)
def test_the_nodes_own_words_reach_the_client(world, monkeypatch, code, kind):
    error = {"restCode": code, "message": "/srv/ci/a leads out of /srv/ci"}
    monkeypatch.setitem(world.vmapi.failing, "start", error)
    create(world, "web", HostConfig={"Binds": ["/srv/ci/a:/a"], "AutoRemove": True})
    removed = []
    monkeypatch.setattr(lifecycle, "destroy", lambda call, vm: removed.append(vm["alias"]))
    with pytest.raises(kind, match="^/srv/ci/a leads out of /srv/ci$"):
        lifecycle.start(world.call("container.start", target={"id": "web"}), "web")
    assert removed == ["web"]
    monkeypatch.setitem(world.vmapi.failing, "provision", error)
    with pytest.raises(kind, match="^/srv/ci/a leads out of /srv/ci$"):
        create(world, "two", HostConfig={"Binds": ["/srv/ci/a:/a"]})
