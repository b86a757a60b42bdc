"""Commit through the docker CLI: on running, stopped and created containers, and what fails."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.docker


@pytest.fixture
def committed(docker):
    """Commit a container; the images are gone after the test."""
    made: list[str] = []

    def commit(*args: str) -> str:
        made.append(docker.ok("commit", *args))
        return made[-1]

    yield commit
    for image in reversed(made):
        docker("rmi", "-f", image)


def layers(running) -> set[str]:
    return {image["uuid"] for image in running.http("imgapi", "/images?state=all")}


def test_a_running_container_is_committed_and_the_result_runs(docker, running, container, committed):
    before = layers(running)
    box = container("--name", "com-run", "-v", "/vol", "-e", "KEPT=yes", "busybox", "sh", "-c", "sleep 600")
    docker.ok("exec", box, "sh", "-c", "echo data > /made; echo secret > /vol/secret; rm /etc/os-release")
    change = ("--change", 'CMD ["sh", "-c", "cat /made; echo $KEPT $NEW; ls /vol /etc/os-release"]')
    image = committed("-m", "why", "-a", "me", *change, "--change", "ENV NEW=$KEPT-new", box, "com/run:1")
    assert docker.inspect(box, "{{.State.Status}}") == "running"
    ran = docker("run", "--rm", "com/run:1")
    assert ran.stdout.decode() == "data\nyes yes-new\n/vol:\n"
    assert "os-release: No such file" in ran.stderr.decode()
    assert docker.inspect(image, "{{.Comment}} {{.Author}} {{.RepoTags}}") == "why me [com/run:1]"
    assert docker.inspect(image, "{{.Parent}}") == docker.inspect("busybox", "{{.Id}}")
    rows = docker.ok("history", "--no-trunc", "--format", "{{.ID}} {{.Comment}}", "com/run:1").splitlines()
    assert rows[0] == f"{image} why"
    assert rows[1].startswith(docker.inspect("busybox", "{{.Id}}"))
    docker.ok("rmi", "com/run:1")
    assert layers(running) == before


@pytest.mark.parametrize("started", [False, True])
def test_a_container_that_does_not_run_is_committed_too(docker, committed, started):
    name = docker.ok("create", "busybox", "sh", "-c", "echo ran > /ran")
    try:
        if started:
            docker.ok("start", "-a", name)
        image = committed(name)
        docker.ok("rm", name)
        there = docker("run", "--rm", image, "cat", "/ran").stdout.decode()
        assert there == ("ran\n" if started else "")
        assert docker.inspect(image, "{{len .RepoTags}}") == "0"
    finally:
        docker("rm", name)


def test_the_events_are_docker_s(docker, container, committed):
    box = container("busybox", "sleep", "600")
    image = committed("-m", "note", box, "com-events:1")
    until = docker.ok("info", "-f", "{{.SystemTime}}")
    lines = docker.ok("events", "--since", "0", "--until", until, "--format", "{{json .}}").splitlines()
    told = [json.loads(line) for line in lines]
    mine = [one for one in told if box in one["Actor"]["ID"] or image in one["Actor"]["ID"]]
    order = [(one["Type"], one["Action"]) for one in mine if one["Action"] not in {"create", "start"}]
    assert order == [("container", "pause"), ("container", "unpause"), ("image", "tag"), ("container", "commit")]
    attributes = mine[-1]["Actor"]["Attributes"]
    assert (attributes["comment"], attributes["imageID"], attributes["imageRef"]) == ("note", image, "com-events:1")


def test_what_fails_says_why_and_leaves_nothing(docker, running, container):
    box = container("busybox", "sleep", "600")
    before, images = layers(running), docker.ok("images", "-aq")
    for args, words in (
        (("--change", "RUN true", box), "RUN is not a valid change command"),
        (("--change", "EXPOSE x", box), "invalid containerPort"),
        (("no-such-container",), "No such container"),
        ((box, "busybox@sha256:" + "0" * 64), "digest"),
    ):
        failed = docker("commit", *args)
        assert failed.returncode == 1
        assert words in failed.stderr.decode()
    assert layers(running) == before
    assert docker.ok("images", "-aq") == images
    assert docker.inspect(box, "{{.State.Status}}") == "running"


def test_containers_and_results_are_the_account_s_own(docker, running, container, committed):
    bob = running.account("commit-bob")
    box = container("--name", "com-mine", "busybox", "sleep", "600")
    assert b"No such container" in bob("commit", box).stderr
    image = committed(box, "com-mine:1")
    assert b"No such image" in bob("image", "inspect", image).stderr
    assert b"No such image" in bob("image", "inspect", "com-mine:1").stderr
