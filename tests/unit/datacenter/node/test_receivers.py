from __future__ import annotations

import gzip
import json
import os
import re
import time

import msgspec
import pytest

from datacenter.node.frames import STDERR, STDOUT
from datacenter.node.receivers import DATAGRAM, Entry, receiver_of
from datacenter.node.zone import Zone

NOON = 1_780_000_000_123_456_789


def zone(tmp_path, driver, **options):
    metadata = {
        "docker:id": "ab" * 32,
        "docker:logdriver": driver,
        "docker:logconfig": json.dumps(options),
        "docker:cmd": '["sh","-c","x"]',
        "docker:entrypoint": '["tini"]',
        "docker:imagename": "busybox",
        "docker:imageid": "sha256:12",
    }
    record = {"uuid": "6f0c7f3e-0000-4000-8000-000000000000", "alias": "web", "internal_metadata": metadata}
    return Zone(tmp_path, {**record, "create_timestamp": "2026-01-01T00:00:00.000Z"})


@pytest.mark.parametrize(
    ("driver", "options", "place"),
    [
        ("syslog", {"syslog-address": "udp://logs.example:514", "syslog-tag": "t"}, ("udp", "logs.example", 514)),
        ("syslog", {"syslog-address": "tcp://10.0.0.9:601", "syslog-tag": "t"}, ("tcp", "10.0.0.9", 601)),
        ("gelf", {"gelf-address": "udp://g:12201", "gelf-tag": "t"}, ("udp", "g", 12201)),
        ("fluentd", {"fluentd-address": "f:24224", "fluentd-tag": "t"}, ("tcp", "f", 24224)),
    ],
)
def test_where_logs_go(tmp_path, driver, options, place):
    receiver = receiver_of(zone(tmp_path, driver, **options), "cn0")
    assert (receiver.protocol, receiver.host, receiver.port) == place


@pytest.mark.parametrize("driver", ["json-file", "none", None])
def test_some_go_nowhere(tmp_path, driver):
    assert receiver_of(zone(tmp_path, driver), "cn0") is None


def test_templates_of_tags(tmp_path):
    tag = "{{.Name}} {{.ImageName}} {{.ImageID}} {{.ImageFullID}} {{.DaemonName}}"
    options = {"fluentd-address": "x:1", "fluentd-tag": tag}
    (message,) = receiver_of(zone(tmp_path, "fluentd", **options), "cn0").encode(Entry(STDOUT, b"", NOON))
    assert msgspec.msgpack.decode(message)[0] == "web busybox 12 sha256:12 cn0"


@pytest.mark.parametrize(
    ("facility", "kind", "priority"),
    [
        ("daemon", STDOUT, 30),
        ("daemon", STDERR, 27),
        ("kern", STDOUT, 6),
        ("cron", STDOUT, 78),
        ("authpriv", STDOUT, 86),
        ("local0", STDOUT, 134),
        ("local7", STDERR, 187),
        ("23", STDERR, 187),
    ],
)
def test_syslog(tmp_path, facility, kind, priority):
    options = {"syslog-address": "udp://x:514", "syslog-tag": "tag", "syslog-facility": facility}
    receiver = receiver_of(zone(tmp_path, "syslog", **options), "cn0")
    (message,) = receiver.encode(Entry(kind, b"some \xff text", NOON))
    head = re.fullmatch(rb"<(\d+)>(\w{3} [ \d]\d \d\d:\d\d:\d\d) tag\[(\d+)\]: some \xff text\n", message)
    assert int(head[1]) == priority
    assert time.strptime(head[2].decode(), "%b %d %H:%M:%S")[1:6] == time.localtime(NOON // 10**9)[1:6]
    assert int(head[3]) == os.getpid()


def gelf(tmp_path):
    return receiver_of(zone(tmp_path, "gelf", **{"gelf-address": "udp://x:1", "gelf-tag": "tag"}), "cn0")


def test_gelf(tmp_path):
    (message,) = gelf(tmp_path).encode(Entry(STDERR, b"a \xff line", NOON))
    assert json.loads(gzip.decompress(message)) == {
        "version": "1.1",
        "host": "cn0",
        "short_message": "a \ufffd line",
        "timestamp": 1_780_000_000.123,
        "level": 3,
        "_container_id": "ab" * 32,
        "_container_name": "web",
        "_image_id": "sha256:12",
        "_image_name": "busybox",
        "_command": "tini sh -c x",
        "_created": "2026-01-01T00:00:00.000Z",
        "_tag": "tag",
    }


def test_gelf_forbids_empty_messages(tmp_path):
    assert gelf(tmp_path).encode(Entry(STDOUT, b"", NOON)) == []


def test_gelf_cuts_long_messages_into_chunks(tmp_path):
    noise = os.urandom(6000).hex().encode()
    chunks = gelf(tmp_path).encode(Entry(STDOUT, noise, NOON))
    assert len(chunks) > 1
    assert all(len(chunk) <= DATAGRAM for chunk in chunks)
    assert {chunk[:2] for chunk in chunks} == {b"\x1e\x0f"}
    assert len({chunk[2:10] for chunk in chunks}) == 1
    assert [(chunk[10], chunk[11]) for chunk in chunks] == [(n, len(chunks)) for n in range(len(chunks))]
    whole = json.loads(gzip.decompress(b"".join(chunk[12:] for chunk in chunks)))
    assert whole["short_message"] == noise.decode()


def test_gelf_leaves_out_what_no_receiver_would_put_together(tmp_path):
    assert gelf(tmp_path).encode(Entry(STDOUT, os.urandom(300_000).hex().encode(), NOON)) == []


@pytest.mark.parametrize(("whole", "more"), [(True, {}), (False, {"partial_message": "true"})])
def test_fluentd(tmp_path, whole, more):
    options = {"fluentd-address": "x:1", "fluentd-tag": "docker.tag"}
    receiver = receiver_of(zone(tmp_path, "fluentd", **options), "cn0")
    (message,) = receiver.encode(Entry(STDERR, b"a line", NOON, whole))
    record = {"container_id": "ab" * 32, "container_name": "/web", "source": "stderr", "log": "a line"}
    assert msgspec.msgpack.decode(message) == ["docker.tag", 1_780_000_000, {**record, **more}]
