"""Commits: what is asked of a node, what is kept of its answer, and what is refused. The node is a script here."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from gateway.body import decode
from gateway.errors import Conflict, InternalError, InvalidParameter, NotFound, NotImplementedHere, Unavailable
from grammars.dockerids import layer_uuid
from tests.unit.translators.containers.conftest import ALICE, BOB
from translators.containers import commit, create
from translators.containers.commit_config import merged
from translators.containers.model import ContainerCreate
from translators.images.lookup import find_image

MADE = {
    "config_digest": "sha256:" + "9" * 64,
    "image": {"config": {"Cmd": ["made"]}, "rootfs": {"diff_ids": ["sha256:layer1", "sha256:new"]}},
    "image_uuid": "aaaaaaaa-0000-0000-0000-000000000000",
    "manifest_digest": "sha256:" + "8" * 64,
    "manifest_str": '{"layers":[{"digest":"sha256:layer1","size":1},{"digest":"sha256:new","size":2}]}',
    "parent": "sha256:" + "1" * 64,
    "size": 3,
}
CREATED = {"type": "image_create", "payload": MADE}
FINISHED = {"type": "commit_finished", "finalImageDigest": MADE["config_digest"]}


class ScriptedNode:
    """Tells its events, each after the answer to the one before, and remembers what it was asked and answered."""

    def __init__(self) -> None:
        self.events = [{"type": "message", "message": "Starting"}, CREATED, FINISHED, {"type": "end"}]
        self.payloads: list[dict] = []
        self.answers: list[dict] = []
        self.turns: list[str] = []

    def docker_build(self, server_uuid, vm_uuid, payload):
        assert self.turns[-1] == "docker_commit"
        self.payloads.append(payload)
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
        return {"host": "127.0.0.1", "port": listener.getsockname()[1]}

    def queue_up(self, server_uuid, vm_uuid, action, holder, seconds):
        self.turns.append(action)
        return "ticket"

    def await_turn(self, ticket, seconds):
        assert ticket == "ticket"

    def release_ticket(self, ticket):
        assert ticket == "ticket"
        self.turns.append("released")

    def _serve(self, listener):
        with listener, listener.accept()[0] as connection, connection.makefile("rb") as lines:
            for number, event in enumerate(self.events):
                connection.sendall(json.dumps({**event, "messageId": number}).encode() + b"\n")
                if event["type"] in {"image_create", "commit_finished"}:
                    self.answers.append(json.loads(lines.readline()))


@pytest.fixture
def node(world):
    node = ScriptedNode()
    world.capabilities = [*world.capabilities, "commit", "pause"]
    world.services.cnapi.docker_build = node.docker_build
    for name in ("queue_up", "await_turn", "release_ticket"):
        setattr(world.services.cnapi, name, getattr(node, name))
    world.services.imgapi.url = "http://imgapi"
    world.services.imgapi.deleted = []
    world.services.imgapi.delete_image = world.services.imgapi.deleted.append
    return node


@pytest.fixture
def box(world):
    body = decode(b'{"Image":"busybox","Cmd":["top"],"Env":["A=1"],"Labels":{"l":"v"},"User":"7"}', ContainerCreate)
    create.create(world.call("container.create"), body, "box")
    return world.vm("box")


def committed(world, body=None, owner=ALICE, **query):
    return commit.commit(world.call("container.commit", owner=owner, container="box", **query), body)


def test_the_node_is_asked_as_a_real_one_is(world, node, box):
    committed(world, author="me", comment="why", changes="ENV B=2", repo="r", tag="t")
    payload = node.payloads[0]
    assert payload | {"fromImg": None, "config": None} == {
        "command": "commit",
        "account_uuid": ALICE,
        "imgapi_url": "http://imgapi",
        "fromImg": None,
        "author": "me",
        "comment": "why",
        "changes": ["ENV B=2"],
        "config": None,
        "pause": False,
        "tag": "r:t",
    }
    assert payload["fromImg"]["config_digest"] == "sha256:" + "1" * 64
    config = payload["config"]
    assert (config["Cmd"], config["User"], config["Labels"]) == (["top"], "7", {"l": "v"})
    assert "A=1" in config["Env"]
    assert node.answers == [{"messageId": 1, "type": "callback"}, {"messageId": 2, "type": "callback"}]
    assert node.turns == ["docker_commit", "released"]


def test_what_the_node_made_is_the_account_s_image(world, node, box):
    assert committed(world, repo="r", tag="t") == {"Id": MADE["config_digest"]}
    record = find_image(world.call(), "r:t")
    assert (record.config_digest, record.parent, record.size) == (MADE["config_digest"], MADE["parent"], 3)
    with pytest.raises(NotFound):
        find_image(world.call(owner=BOB), "r:t")


def test_a_running_container_is_held_unless_the_client_will_not(world, node, box):
    box["state"] = "running"
    committed(world)
    committed(world, pause="0")
    assert [payload["pause"] for payload in node.payloads] == [True, False]
    told = [event.what.action for event in world.state.events.read(ALICE, after=0)]
    assert [action for action in told if action in {"pause", "unpause", "commit"}] == [
        "pause",
        "unpause",
        "commit",
        "commit",
    ]


def test_it_is_not_held_where_the_node_cannot(world, node, request):
    world.capabilities.remove("pause")
    request.getfixturevalue("box")["state"] = "running"
    committed(world)
    assert node.payloads[0]["pause"] is False


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"changes": "RUN x"}, InvalidParameter),
        ({"repo": "BAD"}, InvalidParameter),
        ({"repo": "r@sha256:" + "1" * 64}, InvalidParameter),
        ({"container": "none"}, NotFound),
    ],
)
def test_what_makes_no_sense_never_reaches_the_node(world, node, box, query, kind):
    with pytest.raises(kind):
        commit.commit(world.call("container.commit", **({"container": "box"} | query)), None)
    assert node.payloads == []


def test_a_node_without_the_capability_is_named_for_it(world, box):
    with pytest.raises(NotImplementedHere, match="capability commit"):
        committed(world)


def test_the_image_must_be_the_account_s_own_and_the_container_s(world, node, box):
    world.state.images.delete(ALICE, "sha256:" + "1" * 64)
    with pytest.raises(NotFound, match="not among your images"):
        committed(world)
    world.add_image("busybox", {})
    box["image_uuid"] = "other"
    with pytest.raises(Conflict, match="not made from"):
        committed(world)
    assert node.payloads == []


@pytest.mark.parametrize(
    ("events", "kind", "words"),
    [
        ([CREATED, {"type": "end", "error": "disk full"}], InternalError, "disk full"),
        ([{"type": "end"}], InternalError, "made no image"),
        ([CREATED], Unavailable, "not available"),
        ([], Unavailable, "not available"),
    ],
)
def test_a_commit_that_fails_leaves_nothing(world, node, box, events, kind, words):
    node.events = events
    with pytest.raises(kind, match=words):
        committed(world, repo="r")
    assert [record.config_digest[7] for record in world.state.images.all(ALICE)] == ["1"]
    deleted = [layer_uuid(["sha256:layer1", "sha256:new"])] if CREATED in events else []
    assert world.services.imgapi.deleted[:1] == deleted
    assert node.turns == ["docker_commit", "released"]


@pytest.mark.parametrize(
    ("asked", "config"),
    [
        ({"User": "8"}, {"User": "8", "Cmd": ["own"], "Entrypoint": ["e"], "Env": ["A=1"], "Labels": {"l": "v"}}),
        ({"Cmd": ["x"]}, {"Cmd": ["x"], "Entrypoint": ["e"]}),
        ({"Cmd": "x"}, {"Cmd": ["x"]}),
        ({"Entrypoint": ["y"]}, {"Entrypoint": ["y"], "Cmd": None}),
        ({"Env": ["A=2", "B=3"]}, {"Env": ["A=2", "B=3"]}),
        ({"Env": ["B=3"]}, {"Env": ["B=3", "A=1"]}),
        ({"Labels": {"m": "w"}}, {"Labels": {"l": "v", "m": "w"}}),
        ({"HostConfig": {"Memory": 1}}, {"Cmd": ["own"], "HostConfig": None}),
        ({"Healthcheck": {"Test": ["CMD", "x"]}}, {"Healthcheck": {"Test": ["CMD", "x"], "Interval": 5}}),
    ],
)
def test_the_request_s_configuration_is_filled_up_with_the_container_s(asked, config):
    own = {
        "User": "7", "Cmd": ["own"], "Entrypoint": ["e"], "Env": ["A=1"], "Labels": {"l": "v"},
        "Healthcheck": {"Test": ["NONE"], "Interval": 5},
    }  # fmt: skip
    found = merged(asked, own)
    assert {key: found.get(key) for key in config} == config
