"""What receivers of logs are sent: the forms of Docker's drivers syslog, gelf and fluentd.

Facts: moby daemon/logger/{syslog,gelf,fluentd}; GELF 1.1 with its chunks; Fluentd's forward protocol v1, message mode.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from datacenter.node.frames import STDERR
from datacenter.node.zone import Zone

FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *(("",) * 4),
    *(f"local{n}" for n in range(8)),
)
"""Names by number; 12 to 15 have none."""
ERROR, INFO = 3, 6
DATAGRAM = 1420
"""Bytes a GELF datagram may have until it is cut into chunks."""
CHUNK_HEAD = b"\x1e\x0f"
MOST_CHUNKS = 128
GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Entry:
    """One line, or a piece of a very long one (then not ``whole``), without its newline."""

    kind: int
    text: bytes
    nanos: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where a zone's log goes, and ``encode``, which makes the messages to send there."""

    protocol: str
    """``tcp`` or ``udp``."""
    host: str
    port: int
    encode: Callable[[Entry], list[bytes]] = field(compare=False)


def receiver_of(zone: Zone, hostname: str) -> Receiver | None:
    """The receiver that a zone's log driver names; None for the drivers that keep logs on the node alone."""
    driver = zone.metadata.get("docker:logdriver")
    make = {"syslog": _syslog, "gelf": _gelf, "fluentd": _fluentd}.get(str(driver))
    if make is None:
        return None
    options = msgspec.json.decode(zone.metadata.get("docker:logconfig") or "{}")
    protocol, _, place = options[f"{driver}-address"].rpartition("://")
    host, _, port = place.rpartition(":")
    options[f"{driver}-tag"] = _filled(options[f"{driver}-tag"], zone, hostname)
    return Receiver(protocol or "tcp", host, int(port), make(zone, options, hostname))


def _filled(tag: str, zone: Zone, hostname: str) -> str:
    """A tag with Docker's templates filled in; the gateway has done so for the container's id."""
    image_id = str(zone.metadata.get("docker:imageid") or "")
    values = {
        "Name": zone.record.get("alias") or "",
        "ImageName": zone.metadata.get("docker:imagename") or "",
        "ImageID": image_id.rpartition(":")[2][:12],
        "ImageFullID": image_id,
        "DaemonName": hostname,
    }
    for name, value in values.items():
        tag = tag.replace(f"{{{{.{name}}}}}", value)
    return tag


def _syslog(_zone: Zone, options: dict[str, str], _hostname: str) -> Callable[[Entry], list[bytes]]:
    named = options.get("syslog-facility", "daemon")
    facility = int(named) if named.isdecimal() else FACILITIES.index(named)
    tag = f"{options['syslog-tag']}[{os.getpid()}]"

    def encode(entry: Entry) -> list[bytes]:
        moment = time.localtime(entry.nanos // 1_000_000_000)
        stamp = f"{time.strftime('%b', moment)} {moment.tm_mday:2} {time.strftime('%H:%M:%S', moment)}"
        priority = facility * 8 + (ERROR if entry.kind == STDERR else INFO)
        return [f"<{priority}>{stamp} {tag}: ".encode() + entry.text + b"\n"]

    return encode


def _gelf(zone: Zone, options: dict[str, str], hostname: str) -> Callable[[Entry], list[bytes]]:
    always = {
        "version": "1.1",
        "host": hostname,
        "_container_id": _id(zone),
        "_container_name": zone.record.get("alias") or "",
        "_image_id": zone.metadata.get("docker:imageid") or "",
        "_image_name": zone.metadata.get("docker:imagename") or "",
        "_command": " ".join(_words(zone, "docker:entrypoint") + _words(zone, "docker:cmd")),
        "_created": zone.record.get("create_timestamp") or "",
        "_tag": options["gelf-tag"],
    }

    def encode(entry: Entry) -> list[bytes]:
        if not entry.text:
            return []  # GELF forbids an empty short_message
        packer = zlib.compressobj(1, zlib.DEFLATED, GZIP)
        message = {
            **always,
            "short_message": entry.text.decode(errors="replace"),
            "timestamp": entry.nanos // 1_000_000 / 1000,
            "level": ERROR if entry.kind == STDERR else INFO,
        }
        return _chunks(packer.compress(msgspec.json.encode(message)) + packer.flush())

    return encode


def _chunks(data: bytes) -> list[bytes]:
    """Cut a message as GELF wants; one that needs too many chunks can't be sent at all."""
    if len(data) <= DATAGRAM:
        return [data]
    mark, room = CHUNK_HEAD + os.urandom(8), DATAGRAM - 12
    pieces = [data[at : at + room] for at in range(0, len(data), room)]
    if len(pieces) > MOST_CHUNKS:
        return []
    return [mark + bytes((number, len(pieces))) + piece for number, piece in enumerate(pieces)]


def _fluentd(zone: Zone, options: dict[str, str], _hostname: str) -> Callable[[Entry], list[bytes]]:
    tag = options["fluentd-tag"]
    always = {"container_id": _id(zone), "container_name": f"/{zone.record.get('alias') or ''}"}

    def encode(entry: Entry) -> list[bytes]:
        record: dict[str, Any] = {
            **always,
            "source": "stderr" if entry.kind == STDERR else "stdout",
            "log": entry.text.decode(errors="replace"),
        }
        if not entry.whole:
            record["partial_message"] = "true"
        return [msgspec.msgpack.encode([tag, entry.nanos // 1_000_000_000, record])]

    return encode


def _id(zone: Zone) -> str:
    return str(zone.metadata.get("docker:id") or zone.uuid.replace("-", ""))


def _words(zone: Zone, key: str) -> list[str]:
    return msgspec.json.decode(zone.metadata.get(key) or "[]", type=list[str])
