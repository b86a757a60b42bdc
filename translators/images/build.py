"""Build: the classic builder, carried out by a compute node in a container of its own. Facts: docker-on-triton 7.12."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import chain
from typing import Any, BinaryIO

from gateway.call import Call
from gateway.errors import DockerError, InternalError, InvalidParameter, NotFound, NotImplementedHere
from gateway.state.image_records import ImageRecord
from gateway.state.undertakings import BUILD as BUILD_VM
from grammars import dockerids
from sdc.building import BuildChannel, Event
from sdc.errors import SdcError
from sdc.transfer import send
from translators.capabilities import capabilities
from translators.containers.create import create
from translators.containers.payload import Image
from translators.containers.removal import destroy
from translators.errors import explain, speaking_docker
from translators.events.recorder import tell_image
from translators.images.build_options import BuildOptions, build_options
from translators.images.build_step import run_step
from translators.images.lookup import find_image, parse_reference, still_there
from translators.images.making import image_model, keep_made
from translators.images.pull import pull
from translators.images.removal import discard
from translators.images.scratch import ensure_scratch
from translators.jobs import run_job

Json = dict[str, Any]
Vm = dict[str, Any]
Working = Generator[Json, None, Any]

BUILD = "build"
DOING = "problem building the image"
_IDLE_SECONDS = 3600.0
_CHUNK = 256 * 1024
_MOST_HELD = 256 * 1024
"""Characters of output that a quiet build remembers, for when it fails."""

_running: dict[str, Build] = {}
"""The builds of this worker that can be cancelled, by their VMs."""


def build(call: Call, upload: BinaryIO) -> Iterator[Json]:
    """Build an image of a context, a tar that may be compressed; return the lines that Docker clients show.

    ``call.body`` describes the container that the build runs in. What is wrong with the request or the Dockerfile is
    raised, so that the client sees a status; what fails later is a last line. Nothing is left of a build that fails,
    and of one whose client has gone, neither container nor image; the steps of one that succeeds are the next one's
    cache.

    Docker: POST /build   SDC: VMAPI POST /vms, CNAPI docker-build with command build (capability build)
    """
    options = build_options(call.query)
    with speaking_docker(DOING):
        if BUILD not in capabilities(call):
            raise NotImplementedHere(f"build needs the capability {BUILD}, which no compute node here has")
    work = Build(call, options)
    work.begin(upload)
    lines = work.lines()
    next(lines)  # it has begun: whatever becomes of the client, closing it cleans up
    return lines


def cancel(call: Call, build_id: str) -> None:
    """End a build of this account that was given an id; one that is not there any more needs no end.

    One that another worker runs meets its end with that of its container.

    Docker: POST /build/cancel   SDC: VMAPI DELETE /vms/:uuid
    """
    if not build_id:
        raise InvalidParameter("build ID not provided")
    vm_uuid = call.state.builds.cancel(call.owner.uuid, build_id)
    if vm_uuid in _running:
        _running[vm_uuid].cancel()
    elif vm_uuid is not None:
        with speaking_docker("problem cancelling the build"):
            call.services.vmapi.delete_vm(vm_uuid, call.owner.uuid)


class Build:
    """One build: its container, its connection to the node, and the images that came of it."""

    def __init__(self, call: Call, options: BuildOptions) -> None:
        self._call = call
        self._options = options
        self._vm: Vm = {}
        self._kept: list[ImageRecord] = []
        self._channel: BuildChannel | None = None
        self._events: Iterator[Event] = iter(())
        self._warnings = list(options.warnings)
        self._held = ""
        self._final: ImageRecord | None = None
        self._left = False
        self._cancelled = False

    def begin(self, upload: BinaryIO) -> None:
        """Make the container, send the context, and hear whether the Dockerfile makes sense. Raises DockerError."""
        try:
            self._make_container()
            self._connect(upload)
            with speaking_docker(DOING):
                for event in self._events:
                    if event.get("type") != "message":
                        self._events = chain((event,), self._events)
                        self._refuse_early(event)
                        return
        except BaseException:
            self._leave()
            raise

    def lines(self) -> Iterator[Json]:
        """Yield nothing of use once, then what Docker clients show; the last line tells the result, or what went wrong.

        By then nothing is left but the images: a client may go at the last line.
        """
        call = self._call
        try:
            yield {}
            for warning in self._warnings:
                yield from self._shown(f"[Warning] {warning}\n")
            try:
                yield from self._work()
            except SdcError as error:
                raise explain(error, DOING) from error
        except DockerError as error:
            self._cancelled = self._cancelled or call.state.builds.is_cancelled(str(self._vm.get("uuid")))
            self._leave()
            message = "build canceled" if self._cancelled else f"{error.message}\n{self._held}".rstrip()
            yield {"errorDetail": {**self._code(error), "message": message}, "error": message}
        finally:
            self._leave()

    @staticmethod
    def _code(error: DockerError) -> Json:
        return {"code": error.code} if isinstance(error, StepFailed) else {}

    def _make_container(self) -> None:
        call = self._call
        with speaking_docker(DOING):
            source = Image(ensure_scratch(call), ""), Json()
        name = f"build_{call.request_id.replace('-', '')}"
        made = create(call, call.body, name, source)
        call.state.undertakings.begin(BUILD_VM, dockerids.vm_uuid(made["Id"]), call.owner.uuid)
        self._warnings += made["Warnings"]
        with speaking_docker(DOING):
            self._vm = call.services.vmapi.get_vm(dockerids.vm_uuid(made["Id"]), call.owner.uuid)
            able = capabilities(call, self._vm["server_uuid"])
        if BUILD not in able:
            raise NotImplementedHere(f"build needs the capability {BUILD}, which the chosen compute node lacks")

    def _connect(self, upload: BinaryIO) -> None:
        options, vm, call = self._options, self._vm, self._call
        payload = {
            "command": BUILD,
            "account_uuid": call.owner.uuid,
            "imgapi_url": call.services.imgapi.url,
            "scratchImageUuid": ensure_scratch(call),
            "buildargs": dict(options.arguments),
            "dockerfile": options.dockerfile,
            "labels": call.arg("labels") or "{}",
            "nocache": not options.use_cache,
            "target": options.target,
            "tag": [str(tag) for tag in options.tags],
        }
        with speaking_docker(DOING):
            answer = call.services.cnapi.docker_build(vm["server_uuid"], vm["uuid"], payload)
            send(answer, iter(lambda: upload.read(_CHUNK), b""))
            self._channel = BuildChannel(answer, idle=_IDLE_SECONDS)
        self._events = self._channel.events()
        if options.build_id:
            _running[vm["uuid"]] = self
            call.state.builds.begin(vm["uuid"], call.owner.uuid, options.build_id)

    @staticmethod
    def _refuse_early(event: Event) -> None:
        if event.get("type") == "end" and event.get("error"):
            raise InvalidParameter(event["error"]) if event.get("invalid") else InternalError(event["error"])

    def _work(self) -> Iterator[Json]:
        assert self._channel is not None
        refusal: DockerError | None = None
        for event in self._events:
            kind = str(event.get("type"))
            if kind == "stdout":
                yield from self._shown(str(event.get("message", "")))
            elif kind == "end":
                _raise_end(event, refusal)
            elif kind in _HANDLERS:
                try:
                    result = yield from _HANDLERS[kind](self, event)
                except DockerError as error:
                    refusal = refusal or error
                    self._channel.refuse(event, error.message)
                else:
                    self._channel.answer(event, result)
        yield from self._result()

    def _result(self) -> Iterator[Json]:
        self._leave()
        final = self._final
        if final is None:
            raise InternalError(f"{DOING}: the compute node made no image")
        yield {"aux": {"ID": final.config_digest}}
        yield from self._shown(f"Successfully built {dockerids.short(final.config_digest)}\n")
        for tag in self._options.tags:
            yield from self._shown(f"Successfully tagged {tag}\n")
        if self._options.quiet:
            yield {"stream": f"{final.config_digest}\n"}

    def _shown(self, text: str) -> Iterator[Json]:
        """Show output, or remember it when the client wants none."""
        if self._options.quiet:
            self._held = (self._held + text)[-_MOST_HELD:]
        else:
            yield {"stream": text}

    def _find_cached(self, event: Event) -> Working:
        """Find an image that the same command made of the same parent, with the same labels."""
        yield from ()
        call, parent = self._call, str(event.get("parentDigest") or "")
        for record in call.state.images.children(call.owner.uuid, parent):
            document = record.config
            same = (document.get("container_config") or {}).get("Cmd") == event.get("cmd")
            labels = (document.get("config") or {}).get("Labels") or {}
            first = bool(parent) or len(document.get("history") or ()) == 1
            if same and first and labels == (event.get("labels") or {}) and still_there(call, record):
                return image_model(record)
        return None

    def _find(self, name: str, *, pulls: bool) -> Working:
        """Find an image of the account's, pulling it when it is not there, or when it is to be pulled anyway."""
        call = self._call
        try:
            found = find_image(call, name)
            if not pulls or name.startswith("sha256:"):
                return found
        except NotFound:
            if name.startswith("sha256:"):
                raise
        reference = parse_reference(name).with_default_tag()
        for message in pull(call, str(reference), "", ""):
            if "errorDetail" in message:
                raise InternalError(str(message.get("error")))
            if not self._options.quiet:
                yield message
        return find_image(call, name)

    def _find_image(self, event: Event) -> Working:
        record = yield from self._find(str(event["imageName"]), pulls=False)
        return image_model(record)

    def _reprovision(self, event: Event) -> Working:
        """Put the container on an image: that of a FROM, or one that the cache has led to."""
        pulls = self._options.always_pull and event.get("cmdName") == "FROM"
        record = yield from self._find(str(event["imageName"]), pulls=pulls)
        call, vm = self._call, self._vm
        with speaking_docker(DOING):
            run_job(
                call,
                vm["uuid"],
                "reprovision",
                lambda: call.services.vmapi.act(
                    vm["uuid"], "reprovision", vm["owner_uuid"], image_uuid=record.image_uuid
                ),
            )
        return image_model(record)

    def _keep(self, event: Event) -> Working:
        yield from ()
        known = self._call.state.images.get(self._call.owner.uuid, event["payload"]["config_digest"])
        record = keep_made(self._call, event["payload"])
        if known is None:
            self._kept.append(record)

    def _run(self, event: Event) -> Working:
        words = [str(word) for word in event.get("cmd") or []]
        running = run_step(self._call, self._vm, words)
        while True:
            try:
                text = next(running)
            except StopIteration as end:
                return {"exitCode": end.value}
            yield from self._shown(text)

    def _finish(self, event: Event) -> Working:
        """Name the result."""
        yield from ()
        call = self._call
        final = find_image(call, str(event["finalImageDigest"]))
        for tag in self._options.tags:
            call.state.images.tag(call.owner.uuid, tag.local_name, tag.tag or "latest", final.config_digest)
            tell_image(call, final, "tag", name=str(tag))
        self._final = final

    def cancel(self) -> None:
        """End it from beside: without its container and its node, whoever waits for them meets the end."""
        self._cancelled = True
        self._leave()

    def _leave(self) -> None:
        """Clean up, to the end even when the client goes meanwhile."""
        if not self._left:
            self._left = True
            self._call.spawn(self._clean_up).join()

    def _clean_up(self) -> None:
        """Leave the node, remove the container, and the images of a build that came to nothing."""
        if self._channel is not None:
            self._channel.close()
        _running.pop(str(self._vm.get("uuid")), None)
        if self._final is None:
            for record in reversed(self._kept):
                if not self._call.state.images.children(record.owner_uuid, record.config_digest):
                    discard(self._call, record)
            self._kept = []
        if self._vm:
            self._call.state.builds.end(self._vm["uuid"])
            with self._call.state.undertakings.under_way(BUILD_VM, self._vm["uuid"], self._call.owner.uuid):
                destroy(self._call, self._call.services.vmapi.get_vm(self._vm["uuid"]))


class StepFailed(InternalError):
    """A RUN ended with this exit code."""

    code = 1


def _raise_end(event: Event, refusal: DockerError | None) -> None:
    """Raise what the last event tells, if that is a failure."""
    if refusal is not None:
        raise refusal
    if not event.get("error"):
        return
    if event.get("code") is None:
        raise InternalError(str(event["error"]))
    failed = StepFailed(str(event["error"]))
    failed.code = int(event["code"])
    raise failed


_HANDLERS = {
    "find_cached_image": Build._find_cached,
    "image_find": Build._find_image,
    "image_reprovision": Build._reprovision,
    "image_create": Build._keep,
    "run": Build._run,
    "build_finished": Build._finish,
}
