"""Builds on a real node: the test is the gateway, and keeps the images."""

from __future__ import annotations

import io
import json
import socket
import tarfile

import pytest

from datacenter.node.build.images import scratch
from grammars.dockerids import layer_uuid
from tests.unit.datacenter.node.build_client import Events
from tests.unit.datacenter.node.node_kit import TaskFailed, base_layer, until

pytestmark = pytest.mark.node

SCRATCH = "0c0ffee0-0000-4000-8000-0000000000ee"
BASE = {
    "config_digest": "sha256:" + "b" * 64,
    "image_uuid": layer_uuid(["sha256:base"]),
    "manifest_str": json.dumps({"layers": [{"mediaType": "x", "digest": "sha256:base", "size": 1}]}),
    "image": {**scratch()["image"], "config": {"Env": ["PATH=/bin"]}, "rootfs": {"diff_ids": ["sha256:base"]}},
}


def tar(files: dict[str, bytes | str], mode: str = "w") -> bytes:
    """An archive of files; a text is a link's target."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size, info.uid, info.mtime = len(content), 1234, 1_000_000_000
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


class Gateway:
    """What a gateway does for a build: the run of a step, images found and kept."""

    def __init__(self, node, center) -> None:
        self.node, self.center = node, center
        self.images = {"base": BASE, BASE["config_digest"]: BASE}
        self.asked: list[str] = []
        if SCRATCH not in center.files:
            center.files[BASE["image_uuid"]] = base_layer()
            center.files[SCRATCH] = bytes(1024)
            center.images[SCRATCH] = {"uuid": SCRATCH, "state": "active", "files": [{"compression": "none"}]}

    def build(self, text: str | None, files: dict | None = None, context: bytes | None = None, **payload) -> list[dict]:
        """Build and return all events; the VM is gone afterwards."""
        self.vm = self.node.create("# nop", image_uuid=SCRATCH)
        files = {**({"Dockerfile": text.encode()} if text is not None else {}), **(files or {})}
        try:
            events = self.connect(tar(files) if context is None else context, **payload)
            found = events.run(
                image_reprovision=self.reprovision,
                image_find=lambda event: self.find(event["imageName"]),
                find_cached_image=self.cached,
                image_create=self.keep,
                run=self.run,
            )
            events.close()
        finally:
            folder = self.node.state / "nodes" / "0" / "zones" / self.vm / "build"
            until(lambda: not folder.exists())
            self.node.task("machine_destroy", uuid=self.vm)
        return found

    def connect(self, context: bytes, **payload) -> Events:
        answer = self.node.task(
            "docker_build", uuid=self.vm, payload={"command": "build", "scratchImageUuid": SCRATCH, **payload}
        )
        with socket.create_connection((answer["host"], answer["port"]), timeout=30) as connection:
            connection.sendall(context)
            connection.shutdown(socket.SHUT_WR)
            assert b"Context received" in connection.makefile("rb").read()
        return Events(answer)

    def find(self, name):
        return {"result": self.images[name]} if name in self.images else {"error": f"No such image: {name}"}

    def reprovision(self, event):
        self.asked.append(f"{event['cmdName']} {event['imageName'][:10]}")
        found = self.find(event["imageName"])
        if "result" in found:
            self.node.task("machine_reprovision", uuid=self.vm, image_uuid=found["result"]["image_uuid"])
        return found

    def cached(self, event):
        for image in self.images.values():
            same = image.get("parent") == event["parentDigest"] and event["parentDigest"]
            if same and image["image"]["container_config"]["Cmd"] == event["cmd"]:
                return {"result": image}
        return {}

    def keep(self, event):
        image = event["payload"]
        self.images[image["config_digest"]] = image
        stored = self.center.images.get(image["image_uuid"])
        assert stored is None or stored["state"] == "active"
        return {}

    def run(self, _event):
        try:
            self.node.task("machine_boot", uuid=self.vm)
        except TaskFailed as failed:
            return {"error": failed.message}
        return {"result": {"exitCode": self.node.wait(self.vm)["exit_status"]}}

    def result(self, events) -> dict:
        assert "error" not in events[-1], events[-1]
        final = next(event for event in events if event["type"] == "build_finished")
        return self.images[final["finalImageDigest"]]

    def look(self, events, script: str) -> str:
        """Run a script in the result; what it says."""
        image = self.result(events)
        code, text = self.node.run("sh", "-c", script, image_uuid=image["image_uuid"])
        assert code == 0, text
        return text


@pytest.fixture
def gateway(node, center):
    return Gateway(node, center)


def output(events) -> str:
    return "".join(event["message"] for event in events if event["type"] == "stdout")


def test_each_step_is_an_image_on_the_one_before(gateway):
    events = gateway.build('FROM base\nRUN echo one > /one\nENV A=1\nRUN echo $A > /two\nCMD ["x"]')
    image = gateway.result(events)
    line = []
    while image["config_digest"] != BASE["config_digest"]:
        line.append(" ".join(image["image"]["container_config"]["Cmd"]))
        image = gateway.images[image["parent"]]
    assert line == [
        '/bin/sh -c #(nop)  CMD ["x"]',
        "/bin/sh -c echo $A > /two",
        "/bin/sh -c #(nop)  ENV A=1",
        "/bin/sh -c echo one > /one",
    ]
    assert len(gateway.result(events)["image"]["rootfs"]["diff_ids"]) == 3
    assert gateway.look(events, "cat /one /two") == "one\n1\n"
    assert "Step 4/5 : RUN echo $A > /two" in output(events)


def test_what_was_done_before_is_not_done_again(gateway):
    text = "FROM base\nRUN echo one > /one\nCOPY f /f\nUSER 1"
    first = gateway.result(gateway.build(text, {"f": b"1"}))
    again = gateway.build(text, {"f": b"1"})
    assert gateway.result(again) == first
    assert output(again).count("Using cache") == 3
    gateway.asked.clear()
    changed = gateway.build(text, {"f": b"2"})
    assert output(changed).count("Using cache") == 1
    assert [one.split()[0] for one in gateway.asked] == ["FROM", "COPY"]
    assert gateway.look(changed, "echo $(cat /one /f)") == "one 2\n"
    assert "Using cache" not in output(gateway.build(text, {"f": b"2"}, nocache=True))


def test_copies_are_placed_as_docker_places_them(gateway):
    files = {"f": b"f", "d/a": b"a", "d/s/b": b"b", "d/l": "a", "w1.txt": b"1", "w2.txt": b"2"}
    text = (
        "FROM base\nWORKDIR /w\nCOPY f new\nCOPY f /dir/\nCOPY d /d2\nCOPY d /etc\nCOPY w*.txt many/\n"
        'COPY --chown=app:10 --chmod=751 f /owned\nCOPY f /tmp\nCOPY ["d/a", "d/s", "/two/"]'
    )
    events = gateway.build(text, files)
    script = (
        "echo $(cat /w/new /dir/f /d2/a /d2/s/b /d2/l /etc/a /w/many/w1.txt /w/many/w2.txt /tmp/f /two/a /two/b);"
        "ls -ln /owned /w/new | while read m n u g r; do echo $m $u $g; done; [ -L /d2/l ] && ls /etc/passwd"
    )
    assert gateway.look(events, script) == "ffabaa12fab\n-rwxr-x--x 1000 10\n-rw-r--r-- 0 0\n/etc/passwd\n"


def test_archives_are_unpacked_by_add_alone(gateway):
    inner = tar({"in/side": b"inside"}, "w:gz")
    events = gateway.build("FROM base\nADD a.tgz /x/\nCOPY a.tgz /y/\nADD f /z/", {"a.tgz": inner, "f": b"no archive"})
    assert gateway.look(
        events, "echo $(cat /x/in/side); ls /y /z; ls -ln /x/in/side | while read m n u r; do echo $u; done"
    ) == ("inside\n/y:\na.tgz\n\n/z:\nf\n1234\n")


def test_stages_give_each_other_files_and_begin_where_others_end(gateway):
    text = (
        "ARG B=base\nFROM $B AS one\nRUN echo art > /art; chown 5:6 /art\nFROM scratch AS two\nCOPY --from=one /art /kept\n"
        "FROM one\nCOPY --from=two /kept /final\nCOPY --from=0 /art /zero\nCOPY --from=base /top* /bin/cat /pulled/\n"
    )
    events = gateway.build(text.replace("/top* ", ""))
    assert gateway.look(
        events, "cat /art /final /zero; ls /pulled; ls -ln /final | while read m n u g r; do echo $u $g; done"
    ) == ("art\nart\nart\ncat\n5 6\n")
    stopped = gateway.build(text, target="one")
    assert "Step 3/3" in output(stopped)
    assert gateway.look(stopped, "cat /art") == "art\n"


def test_triggers_labels_and_arguments(gateway):
    parent = gateway.result(gateway.build("FROM base\nONBUILD ARG V\nONBUILD RUN echo on $V > /on"))
    gateway.images["parent"] = parent
    labels = json.dumps({"l": "it's $5", "com.joyent.package": "p"})
    events = gateway.build("FROM parent\nARG UNSET", buildargs={"V": "given", "LEFT": "x"}, labels=labels)
    image = gateway.result(events)["image"]
    assert image["config"]["Labels"] == {"l": "it's $5"}
    assert "OnBuild" not in image["config"]
    assert gateway.look(events, "cat /on") == "on given\n"
    assert "build-args [LEFT] were not consumed" in output(events)
    assert any(entry["created_by"] == "|1 V=given /bin/sh -c echo on $V > /on" for entry in image["history"])


def test_nothing_but_metadata_on_scratch_is_an_image_too(gateway):
    image = gateway.result(gateway.build("FROM scratch\nLABEL a=b"))
    assert (image["image_uuid"], image["image"]["rootfs"]["diff_ids"]) == (SCRATCH, [])


def test_contexts_may_be_compressed_and_dockerfiles_anywhere(gateway):
    text = b"FROM base\nCOPY . /src\n"
    files = {"s/Other": text, ".dockerignore": b"s/Other\n.docker*\n", "f": b"f"}
    events = gateway.build(None, context=tar(files, "w:xz"), dockerfile="s/Other")
    assert gateway.look(events, "cd /src; echo * s/* .d*") == "f s s/* .d*\n"


@pytest.mark.parametrize("name", ["/etc/passwd", "../../../../../../etc/passwd", "link", "links/passwd"])
def test_nothing_outside_the_context_is_reached(gateway, name):
    files = {"link": "/etc/passwd", "links": "/etc"}
    events = gateway.build(f"FROM base\nCOPY {name} /got", files)
    assert "file does not exist" in events[-1]["error"]
    as_dockerfile = gateway.build(None, {"f": b"", **files}, dockerfile=name)
    assert "Cannot locate specified Dockerfile" in as_dockerfile[-1]["error"]


def test_a_destination_that_leads_out_stays_in_the_container(gateway, tmp_path):
    events = gateway.build(f"FROM base\nRUN ln -s {tmp_path} /out\nCOPY f /out/f\nCOPY f ../../../../up", {"f": b"in"})
    assert list(tmp_path.iterdir()) == []
    assert gateway.look(events, f"echo $(cat {tmp_path}/f /up)") == "inin\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NOPE", "dockerfile parse error on line 1: unknown instruction: NOPE"),
        ("", "cannot be empty"),
        ("FROM none", "No such image: none"),
        ("FROM --platform=linux/s390x base", "platform linux/s390x"),
        ("FROM base\nRUN exit 42", "The command '/bin/sh -c exit 42' returned a non-zero code: 42"),
        ('FROM base\nRUN ["/none"]', "/none"),
        ("FROM base\nCOPY none /x", "COPY failed: file not found in build context"),
        ("FROM base\nCOPY --from=9 a /x", "invalid from flag value 9"),
        ("FROM base\nCOPY --chown=nobody-here f /x", "unable to find user nobody-here"),
        ("FROM base\nCOPY f /etc/passwd/x", "cannot copy to non-directory: /etc/passwd"),
        ("FROM base\nRUN --mount=type=bind true", "--mount option requires BuildKit"),
        ("FROM base\nENV =x", "ENV names can not be blank"),
    ],
)
def test_what_fails_says_why(gateway, text, words):
    end = gateway.build(text, {"f": b"f"})[-1]
    assert words.lower() in end["error"].lower()
    assert end.get("code") == (42 if "42" in text else None)


def test_a_context_that_is_no_archive_is_refused(gateway):
    assert "Error processing tar file" in gateway.build(None, context=b"no tar at all" * 100)[-1]["error"]
    climbing = gateway.build(None, context=tar({"../../x": b"x"}))
    assert "Error processing tar file" in climbing[-1]["error"]


def test_a_client_that_leaves_ends_it(gateway):
    gateway.vm = gateway.node.create("# nop", image_uuid=SCRATCH)
    events = gateway.connect(tar({"Dockerfile": b"FROM base\nRUN true"}))
    while events.next()["type"] != "image_reprovision":
        pass
    events.close()
    until(lambda: not (gateway.node.state / "nodes" / "0" / "zones" / gateway.vm / "build").exists())
    gateway.node.task("machine_destroy", uuid=gateway.vm)


def test_a_vm_that_runs_is_no_place_for_a_build(gateway, idle):
    with pytest.raises(TaskFailed) as failed:
        gateway.node.task("docker_build", uuid=idle, payload={"command": "build", "scratchImageUuid": SCRATCH})
    assert failed.value.code == "VmNotStopped"
