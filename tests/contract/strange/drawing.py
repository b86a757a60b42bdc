"""Draws requests: nearly right, quite wrong, and no requests at all. What is right comes from the table of options."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
import types
import typing
from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import strategies as st

from gateway.operations import Operation
from translators.containers.execs import ExecCreate, ExecStart
from translators.containers.model import ContainerCreate, HostConfig
from translators.networks.model import NetworkConnect, NetworkCreate, NetworkDisconnect
from translators.options import OPTIONS, Place
from translators.system.auth import AuthConfig
from translators.volumes.model import VolumeCreate

MODELS: dict[str, Any] = {
    "container.create": ContainerCreate,
    "gateway.explain": ContainerCreate,
    "container.commit": ContainerCreate,
    "container.update": HostConfig,
    "exec.create": ExecCreate,
    "exec.start": ExecStart,
    "network.create": NetworkCreate,
    "network.connect": NetworkConnect,
    "network.disconnect": NetworkDisconnect,
    "volume.create": VolumeCreate,
    "system.auth": AuthConfig,
}
UPLOADS = frozenset({"container.archive.put", "image.load", "image.build", "image.create"})
JSON_TYPE = "application/json"

NASTY = st.sampled_from(
    ["", "0", "1", "-1", "up", "down", "busybox", "%", "\0", "../..", "a" * 5000, "1e999", "9" * 40, "true", "{}", "[",
     '{"label":{"a":true}}', '{"status":["x"]}', '{"id":["("],"name":["*"]}', "None", "a:b:c", "@sha256:", "/", "\n",
     "é\ud7ff", "SIGKILL", "-9", "NaN", "0x10", '{"before":["up"]}', '{"exited":["x"]}', '{"volume":[""]}',
     "²", "1_0", " 1", "+1", "٣", "A", "a/B", "127.0.0.1:1/x", "[::1]:1/x", "x@sha256:" + "1" * 64, "sha256:" + "1" * 64]
)  # fmt: skip
TEXTS = NASTY | st.text(max_size=30)
NUMBERS = st.sampled_from([0, 1, -1, 2**31, 2**63 - 1, -(2**63), 64 << 20]) | st.integers(-(2**70), 2**70)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
KNOWN: dict[str, list[Any]] = {}
for _row in OPTIONS:
    KNOWN.setdefault(_row.leaf, []).extend([*_row.samples, *(case.value for case in _row.cases)])
"""What the table of options says of a field: values that make sense, or just not."""
FILTERS = st.dictionaries(
    st.sampled_from(
        "status name id label exited before since ancestor network volume health publish expose is-task isolation "
        "dangling reference until type event container image daemon scope driver stars is-official all bogus".split()
    ),
    st.lists(TEXTS | st.sampled_from(["running", "exited", "80/tcp", "a=b", "2020-01-01", "1h", "true"]), max_size=3)
    | st.dictionaries(TEXTS, st.booleans() | TEXTS, max_size=2)
    | JSON,
    max_size=3,
).map(json.dumps)
SENSE: dict[str, list[str]] = {
    "name": ["new", "up", "down", "own-1"],
    "path": ["/", "/f", "f", "/.", "/../.."],
    "condition": ["not-running", "next-exit", "removed"],
    "signal": ["KILL", "SIGTERM", "9", "RTMIN+3", "64", "65"],
    "t": ["0", "10", "-1", "99999999999", "1.5", "x/y:1"],
    "since": ["0", "1700000000.5", "2026-01-01T00:00:00Z", "2026-01-01", "10m", "99999999999999999999"],
    "until": ["0", "1700000000.5", "2026-01-01T00:00:00Z", "24h", "-5"],
    "tail": ["all", "0", "5", "-1"],
    "h": ["0", "24", "70000"],
    "w": ["80"],
    "ps_args": ["-ef", "aux", "-o pid,comm", ";", "-o"],
    "fromImage": ["busybox", "r.test/box", "r.test/box@sha256:" + "1" * 64],
    "fromSrc": ["-", "http://r.test/x.tar"],
    "repo": ["own", "r.test/own", "own:1", "a" * 64],
    "tag": ["1", "v1", "a" * 129],
    "names": ["busybox", "busybox:latest"],
    "container": ["up", "down"],
    "changes": ["CMD x", "ENV A=1", "BOGUS x", "EXPOSE 99999", "ENV", 'LABEL a="', "HEALTHCHECK --interval=x CMD y"],
    "platform": ["linux/amd64", "linux", '{"os":"linux"}', "{", "windows/amd64", "linux/arm64/v8", "///"],
    "platforms": ['{"os":"linux"}'],
    "dockerfile": ["Dockerfile", "/etc/passwd", "../x"],
    "buildargs": ['{"A":"1"}', '{"A":null}', "[]", '{"A":1}'],
    "labels": ['{"a":"b"}', "[]", '{"a":1}', '{"a":null}'],
    "ulimits": ['[{"Name":"nofile","Soft":1,"Hard":2}]', "[1]", "{}"],
    "extrahosts": ["a:1.2.3.4", "a"],
    "networkmode": ["none", "host", "default", "container:up"],
    "memory": ["64000000", "-1"],
    "type": ["container", "image", "volume", "build-cache", "bogus"],
    "term": ["box", "r.test/box"],
    "detachKeys": ["ctrl-p,ctrl-q", "ctrl-", "a,b"],
    "version": ["1", "2"],
    "scope": ["local", "global", "swarm"],
}
"""Values that make sense, or nearly, for parameters of queries."""


def _auth(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


HEADERS: dict[str, st.SearchStrategy[str]] = {
    "X-Registry-Auth": JSON.map(_auth)
    | st.sampled_from(
        [_auth({"username": "jill", "password": "x"}), "e30=", "%%%", "bnVsbA==", _auth({"username": 1})]
    ),
    "X-Registry-Config": JSON.map(_auth) | st.sampled_from([_auth({"r.test": {"username": "jill"}}), "e30"]),
    "Accept": st.sampled_from(["*/*", "application/json-seq", "application/x-ndjson;q=x", ",,;", "a" * 3000]),
    "User-Agent": st.text("ab/.", max_size=9),
    "Sec-WebSocket-Version": st.sampled_from(["13", "8", "x"]),
    "Sec-WebSocket-Key": st.sampled_from(["dGhlIHNhbXBsZSBub25jZQ==", "", "x"]),
    "Sec-WebSocket-Extensions": st.sampled_from(["permessage-deflate", ";;"]),
    "Upgrade": st.sampled_from(["tcp", "websocket", "h2c", ""]),
    "Connection": st.sampled_from(["Upgrade", "close", "x"]),
    "Content-Encoding": st.sampled_from(["gzip", "x"]),
    "Range": st.sampled_from(["bytes=0-", "bytes=9-1"]),
    "Expect": st.just("x"),
    "X-Forwarded-For": st.just("::1"),
}


def of_type(hint: Any) -> st.SearchStrategy[Any]:
    """JSON that mostly fits a model, so that it gets past the decoder."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([of_type(argument) for argument in arguments])
    if origin is list:
        return st.lists(of_type(arguments[0]), max_size=3)
    if origin is dict:
        keys = TEXTS | st.sampled_from(["80/tcp", "external", "/v", "size", "network"])
        return st.dictionaries(keys, of_type(arguments[1]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return model_of(hint)
    return {int: NUMBERS, str: TEXTS, bool: st.booleans(), type(None): st.none()}.get(hint, JSON)


def model_of(struct: type, **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A few fields of a model at a time: one bad field hides the others."""
    hints = typing.get_type_hints(struct)
    fields = st.lists(st.sampled_from(sorted(hints)), max_size=3, unique=True)

    def fill(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({name: value_of(name, hints[name]) for name in names} | fixed)

    return fields.flatmap(fill)


def value_of(name: str, hint: Any) -> st.SearchStrategy[Any]:
    known = KNOWN.get(name)
    return st.sampled_from(known) | of_type(hint) if known else of_type(hint)


FIXED: dict[Any, dict[str, st.SearchStrategy[Any]]] = {
    ContainerCreate: {"Image": st.just("busybox")},
    NetworkCreate: {"Name": st.sampled_from(["own", "x"])},
    VolumeCreate: {"Name": st.sampled_from(["own", "other", ""])},
    NetworkConnect: {"Container": st.sampled_from(["up", "down"])},
    NetworkDisconnect: {"Container": st.sampled_from(["up", "down"])},
    ExecCreate: {"Cmd": st.just(["sh"])},
}
"""What a body must have to get anywhere."""


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def body_of(name: str) -> st.SearchStrategy[bytes]:
    """A body for an operation, three times of four one that gets past the decoder."""
    nonsense = st.binary(max_size=40)
    if name in UPLOADS:
        return st.one_of(tars(), tars(), tars(), nonsense)
    known = MODELS.get(name)
    if known is None:
        return st.just(b"") | nonsense | JSON.map(encoded)
    likely = model_of(known, **FIXED.get(known, {})).map(encoded)
    return st.one_of(likely, likely, likely, JSON.map(encoded) | nonsense)


DOCKERFILES = st.sampled_from(
    ["FROM busybox\nRUN x\n", "FROM scratch\nCOPY f /\n", "", "FROM", "BOGUS\n", "FROM busybox\nENV A=${B!}\n", "\0"]
)
_CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "config": {"Cmd": ["x"]},
    "rootfs": {"type": "layers", "diff_ids": []},
}
IMAGES: list[dict[str, Any]] = [
    {"manifest.json": [{"Config": "c.json", "RepoTags": ["own:1"], "Layers": []}], "c.json": _CONFIG},
    {"manifest.json": [{"Config": "c.json", "RepoTags": ["BAD:"], "Layers": ["f"]}], "c.json": _CONFIG, "f": "x"},
    {"manifest.json": [{"Config": "../c.json", "RepoTags": None, "Layers": None}]},
    {"manifest.json": [{}]},
    {"manifest.json": {}},
    {"manifest.json": [{"Config": "c.json", "Layers": []}], "c.json": []},
    {"manifest.json": [{"Config": "c.json", "Layers": []}], "c.json": {**_CONFIG, "os": "windows"}},
    {"repositories": {"own": {"1": "x"}}, "x/json": {}, "x/layer.tar": ""},
    {"oci-layout": {"imageLayoutVersion": "1.0.0"}, "index.json": {"manifests": [{"digest": "sha256:x"}]}},
    {"oci-layout": {}, "index.json": {"manifests": None}},
]
"""Archives of images: one that is right, and others that look like some."""
KINDS = [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    """A tar, plain or compressed, whole or not, of an image, a context or anything."""
    files = draw(
        st.sampled_from(IMAGES).map(dict)
        | st.builds(lambda text: {"Dockerfile": text, "f": "x"}, DOCKERFILES)
        | st.dictionaries(TEXTS.filter(lambda name: "\0" not in name), JSON, max_size=3)
    )
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    ) as tar:
        for name, content in files.items():
            data = content.encode(errors="replace") if isinstance(content, str) else encoded(content)
            info = tarfile.TarInfo(name or "x")
            info.size = len(data)
            info.type = draw(st.sampled_from([tarfile.REGTYPE] * 12 + KINDS))
            info.linkname = draw(st.sampled_from(["", "../../etc/passwd", "/etc/passwd", "f"]))
            info.uid = draw(st.sampled_from([0, 2**31]))
            tar.addfile(info, io.BytesIO(data))
    data = out.getvalue()
    if draw(st.booleans()):
        data = gzip.compress(data, 1)
    if draw(st.integers(0, 4)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    return data


@dataclass
class Drawn:
    """A request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes | None
    early: bytes
    """What comes right behind it, on the same connection."""


NAMED = {
    "containers": ["up", "down"],
    "exec": ["EXEC"],
    "images": ["busybox", "busybox:latest", "sha256:" + "1" * 64],
    "distribution": ["r.test/box", "busybox"],
    "networks": ["own", "bridge", "none", "My-Fabric-Network", "external"],
    "volumes": ["own"],
}
"""What is there, by the first word of the path."""
NEEDED = {
    "container.resize": ["h", "w"],
    "exec.resize": ["h", "w"],
    "container.rename": ["name"],
    "container.commit": ["container"],
    "container.archive.stat": ["path"],
    "container.archive.get": ["path"],
    "container.archive.put": ["path"],
    "container.logs": ["stdout"],
    "image.search": ["term"],
    "image.tag": ["repo"],
    "image.save.many": ["names"],
    "build.cancel": ["id"],
}
"""Parameters without which an operation gets nowhere."""
VERSIONS = ["", "/v1.24", "/v1.41", "/v1.44", "/v1.51"] * 6 + ["/v9.9", "/v1.x", "/v1.23"]


def path_of(row: Operation) -> st.SearchStrategy[str]:
    """A path of an operation, mostly about something that is there."""
    known = st.sampled_from(NAMED.get(row.path.split("/")[1], ["x"]))
    names = st.one_of(known, known, known, known, TEXTS.filter(bool))
    holes = [hole for hole in ("{id}", "{name}", "{alias}") if hole in row.path]

    def fill(values: list[str]) -> str:
        path = row.path
        for hole, value in zip(holes, values, strict=True):
            path = path.replace(hole, value.replace("?", "").replace("#", ""))
        return path

    return st.tuples(*(names for _ in holes)).map(list).map(fill)


@st.composite
def requests(draw: st.DrawFn, row: Operation) -> Drawn:
    """A request for an operation."""
    own = [option for option in OPTIONS if option.operation == row.name]
    parameters = [option.name for option in own if option.place is Place.QUERY]
    likely = st.sampled_from(parameters) if parameters else st.nothing()
    chosen = draw(st.lists(likely | likely | st.sampled_from(sorted(SENSE)), max_size=3, unique=True))
    if draw(st.integers(0, 7)):
        chosen += NEEDED.get(row.name, [])
    query = {}
    for name in chosen:
        sense = st.sampled_from(SENSE.get(name, ["1", "0"]))
        query[name] = draw(sense | sense | TEXTS)
    if "filters" in query or draw(st.integers(0, 4)) == 0:
        query["filters"] = draw(FILTERS)
    headers = draw(st.lists(st.sampled_from(sorted(HEADERS)), max_size=2, unique=True))
    sent = {name: draw(HEADERS[name]) for name in headers}
    if row.websocket and draw(st.integers(0, 5)):
        sent |= {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
    kinds = [JSON_TYPE] * 15 + ["text/plain", "application/json; charset=utf-8", "application/x-tar", ""]
    sent["Content-Type"] = draw(st.sampled_from(kinds))
    body = draw(body_of(row.name)) if row.method in {"POST", "PUT"} else None
    path = draw(st.sampled_from(VERSIONS)) + draw(path_of(row))
    return Drawn(row.method, path, query, sent, body, draw(st.binary(max_size=20)))
