"""The pure mappings: ports and rules, log drivers, environment, process columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidParameter
from grammars import firewall
from tests.unit.translators.containers.test_create import create
from translators.containers.command import merge_command, merge_env
from translators.containers.log_config import plan_log
from translators.containers.model import ContainerCreate, HostConfig, LogConfig, PortBinding
from translators.containers.ports import compress, only_about, parse_port, plan_ports, publish_rules, published_by
from translators.containers.top import parse_columns, top

VM = "96a6e2b0-6c51-4a7e-9d4f-0a2f5c1b7e11"
OTHER = "4a1b2c3d-96d1-4c1e-8c0a-5f0f2a8a7e11"


@given(st.sets(st.tuples(st.sampled_from(["tcp", "udp"]), st.integers(1, 65535)), max_size=40), st.sampled_from([1, 2]))
def test_rules_open_exactly_the_published_ports(ports, version):
    rules = publish_rules(VM, ports, version)
    assert all(len(firewall.parse(rule).matches) <= 8 for rule in rules)
    assert published_by({"rule": rule, "enabled": True} for rule in rules).get(VM, set()) == ports
    assert all(only_about({"rule": rule}, VM) and not only_about({"rule": rule}, OTHER) for rule in rules)


def test_too_many_ports():
    with pytest.raises(InvalidParameter, match="only support exposing 128 TCP ports"):
        publish_rules(VM, {("tcp", n) for n in range(1, 400, 2)}, 1)
    assert len(publish_rules(VM, {("tcp", n) for n in range(1, 400)}, 2)) == 1


@pytest.mark.parametrize("rule", [
    f"FROM any TO vm {VM} BLOCK tcp PORT 80", f"FROM ip 10.0.0.1 TO vm {VM} ALLOW tcp PORT 80",
    f"FROM any TO vm {OTHER} ALLOW tcp PORT 80", f"FROM any TO vm {VM} ALLOW icmp TYPE 8 CODE 0",
    f"FROM any TO vm {VM} ALLOW tcp PORT all", "FROM any TO all vms ALLOW tcp PORT 22", "not a rule",
])  # fmt: skip
def test_other_rules_publish_nothing(rule):
    assert not published_by([{"rule": rule, "enabled": True}]).get(VM)
    assert not published_by([{"rule": f"FROM any TO vm {VM} ALLOW tcp PORT 80", "enabled": False}])


def test_runs_of_ports():
    assert compress([80, 0, 443, 81, 80, 8000, 8001, 82]) == ["80-82", "443", "8000-8001"]
    assert parse_port("8000-8001/udp") == [("udp", 8000), ("udp", 8001)]


@pytest.mark.parametrize("text", ["", "0", "65536", "80/xyz", "9-8", "a", "80/", "-1", "80:80"])
def test_no_ports(text):
    with pytest.raises(InvalidParameter, match="invalid port specification"):
        parse_port(text)


def planned(bindings, image=(), **more):
    host = HostConfig(
        PortBindings={name: [PortBinding(HostPort=port) for port in ports] for name, ports in bindings.items()}, **more
    )
    return plan_ports(ContainerCreate(HostConfig=host), image, remaps=True)


@pytest.mark.parametrize(("bindings", "outside"), [
    ({"80/tcp": ["80"], "81/tcp": ["", "0"]}, {}),
    ({"80/tcp": ["8080"], "80/udp": ["80"]}, {("tcp", 80): [8080]}),
    ({"99/udp": ["18765"]}, {("udp", 99): [18765]}),
    ({"80/tcp": ["80", "8080", "8080"]}, {("tcp", 80): [80, 8080]}),
    ({"80/tcp": ["8080"], "8080/tcp": ["80"]}, {("tcp", 80): [8080], ("tcp", 8080): [80]}),
    ({"80/tcp": ["79-81"]}, {}),
    ({"80/tcp": ["9000-9001"], "81/tcp": ["9000-9001"]}, {("tcp", 80): [9000], ("tcp", 81): [9001]}),
    ({"80-81/tcp": ["9000-9001"]}, {("tcp", 80): [9000], ("tcp", 81): [9001]}),
    ({"80/tcp": ["9000"], "80/udp": ["9000"]}, {("tcp", 80): [9000], ("udp", 80): [9000]}),
])  # fmt: skip
def test_ports_have_the_numbers_outside_that_were_asked_for(bindings, outside):
    plan = planned(bindings)
    assert plan.host_ports == outside
    assert plan.published == {port for name in bindings for port in parse_port(name)}


@pytest.mark.parametrize(("bindings", "more"), [
    ({"80/tcp": ["9000"], "81/tcp": ["9000"]}, {}),
    ({"80/tcp": ["80"], "8080/tcp": ["80"]}, {}),
    ({"80/tcp": ["9000-9000"], "81/tcp": ["9000-9000"]}, {}),
    ({"8080/tcp": ["80"]}, {"image": ["80/tcp"], "PublishAllPorts": True}),
])  # fmt: skip
def test_two_ports_cannot_have_one_number_outside(bindings, more):
    with pytest.raises(InvalidParameter, match="is already allocated"):
        planned(bindings, **more)


def test_a_whole_range_has_another_range_outside():
    plan = planned({"20000-39999/tcp": ["40000-59999"], **{f"{n}/udp": [f"{n + 1}"] for n in range(1, 20_000)}})
    assert plan.host_ports["tcp", 39_999] == [59_999]
    assert plan.host_ports["udp", 1] == [2]


@pytest.mark.parametrize("many", [
    {"PortBindings": {"1-65535/tcp": [PortBinding(HostPort="1-65535")] * 1000}},
    {"PortBindings": {f"{n}-65535/tcp": None for n in range(1, 1000)}},
])  # fmt: skip
def test_no_request_names_more_ports_than_there_are(many):
    with pytest.raises(InvalidParameter, match="too many ports"):
        plan_ports(ContainerCreate(HostConfig=HostConfig(**many)), (), remaps=True)
    with pytest.raises(InvalidParameter, match="too many ports"):
        plan_ports(ContainerCreate(ExposedPorts={f"{n}-65535": {} for n in range(1, 1000)}), ())


DOCKER_ID = "96a6e2b06c51" + "0" * 52


def log(driver, **options):
    config = LogConfig(Type=driver, Config={key.replace("_", "-"): value for key, value in options.items()})
    enabled = ("json-file", "syslog", "gelf", "fluentd", "none")
    return plan_log(config, docker_id=DOCKER_ID, enabled=enabled, default_size=50)


def test_log_defaults():
    assert plan_log(None, docker_id="x", enabled=(), default_size=50).driver is None
    assert log("json-file", max_size="2m").max_size == 2_000_000
    assert log("none").options == {}
    assert log("syslog", syslog_address="udp://log.host").options == {
        "syslog-address": "udp://log.host:514", "syslog-tag": "96a6e2b06c51", "syslog-facility": "daemon",
    }  # fmt: skip
    assert log("gelf", gelf_address="udp://h:1", gelf_tag="a-{{.ID}}").options["gelf-tag"] == "a-96a6e2b06c51"
    tag = "{{.FullID}}/{{.Name}}"
    assert log("fluentd", fluentd_address="h:1", fluentd_tag=tag).options["fluentd-tag"] == DOCKER_ID + "/{{.Name}}"


@pytest.mark.parametrize(("driver", "options", "words"), [
    ("awslogs", {}, "unsupported log driver: awslogs"), ("none", {"a": "b"}, "log driver: none does not support options"),
    ("json-file", {"bogus": "1"}, "unknown log opt 'bogus' for json-file log driver"),
    ("json-file", {"max_size": "0k"}, "a positive integer size"), ("json-file", {"max_file": "x"}, "a positive integer"),
    ("syslog", {}, "missing required log opt 'syslog-address' for log driver: syslog"),
    ("syslog", {"syslog_address": "unix:///x"}, "invalid protocol"), ("syslog", {"syslog_address": "udp://-x"}, "invalid host"),
    ("syslog", {"syslog_address": "udp://a:b"}, "invalid port"), ("gelf", {"gelf_address": "udp://a"}, "invalid port"),
    ("fluentd", {"fluentd_address": "tcp://a:1"}, "invalid protocol"),
    ("syslog", {"syslog_address": "udp://a", "syslog_facility": "24"}, "one of: kern"),
    ("syslog", {"syslog_address": "udp://a", "syslog_tag": "x" * 1024}, "longer than 1024"),
    ("syslog", {"syslog_address": "udp://a", "syslog_tag": "{{" * 500_000}, "longer than 1024"),
    ("json-file", {"max_size": "1" * 5000 + "k"}, "longer than 1024"),
    ("syslog", {"syslog_address": "udp://a", "syslog_tag": "{{.Nome}}"}, "no other templates than {{.ID}}, "),
])  # fmt: skip
def test_bad_log_options(driver, options, words):
    with pytest.raises(InvalidParameter) as refused:
        log(driver, **options)
    assert words in refused.value.message


IMAGE = {"Entrypoint": ["/e"], "Cmd": ["c"], "User": "u", "WorkingDir": "/w"}


@pytest.mark.parametrize(("fields", "image", "words"), [
    ({}, IMAGE, ["/e", "c"]), ({"Cmd": ["x"]}, IMAGE, ["/e", "x"]), ({"Entrypoint": ["x"]}, IMAGE, ["x"]),
    ({"Entrypoint": [""], "Cmd": ["x"]}, IMAGE, ["x"]), ({"Cmd": []}, IMAGE, ["/e", "c"]),
    ({"Cmd": "ls"}, {}, ["ls"]), ({"Entrypoint": [], "Cmd": ["x"]}, IMAGE, ["x"]), ({"Entrypoint": "x"}, IMAGE, ["x"]),
])  # fmt: skip
def test_what_runs(fields, image, words):
    command = merge_command(ContainerCreate(**fields), image)
    assert command.entrypoint + command.cmd == words


def test_nothing_to_run():
    with pytest.raises(InvalidParameter, match="no command specified"):
        merge_command(ContainerCreate(Entrypoint=[""]), IMAGE)


def test_environment_of_the_request_wins_and_affinity_stays_outside():
    merged = merge_env(["A=1", "B=2", "C=3"], ["B=x", "affinity:role!=db", "C", "D=a=b"])
    assert merged == ["A=1", "B=x", "C", "D=a=b"]


PS = {
    "pr_pid": 1, "pr_ppid": 0, "pr_euid": 0, "pr_pctcpu": 0, "pr_start": [0, 0], "pr_ttydev": 0, "pr_time": [65, 0],
    "pr_psargs": "sleep 123", "pr_fname": "sleep",
}  # fmt: skip


@pytest.mark.parametrize(("args", "titles", "row"), [
    ("", ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"], ["0", "1", "0", "0", "-", "?", "00:01:05", "sleep 123"]),
    ("-o pid,comm", ["PID", "COMMAND"], ["1", "sleep"]),
    ("-eo pid=,args=WHAT", ["PID", "WHAT"], ["1", "sleep 123"]),
    ("-o pid -o ppid", ["PID", "PPID"], ["1", "0"]),
])  # fmt: skip
def test_columns(world, args, titles, row):
    create(world, "web")
    world.vm("web")["state"] = "running"
    world.vmapi.processes = [{"psinfo": PS}]
    assert top(world.call("container.top", ps_args=args), "web") == {"Titles": titles, "Processes": [row]}


def test_other_ways_to_ask():
    assert [title for title, _ in parse_columns("aux")][:3] == ["USER", "PID", "%CPU"]
    assert [title for title, _ in parse_columns("-e")] == ["PID", "TTY", "TIME", "CMD"]
    for text, words in (
        ("-o nope,pid", 'unknown user-defined format specifier "nope"'),
        ("-o comm", "Couldn't find PID"),
    ):
        with pytest.raises(InvalidParameter, match=words):
            parse_columns(text)
