"""The Dockerfile engine: every step is an image, as with Docker's classic builder. Facts: sdc-apis 5.6, moby."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from datacenter.clock import iso
from datacenter.node.build import images, stages
from datacenter.node.build.arguments import StageArguments, declared, unused
from datacenter.node.build.channel import BuildError, Channel
from datacenter.node.build.context import Context
from datacenter.node.build.copying import Copy, destination, gathered, names_a_file, read_copy
from datacenter.node.build.images import Layer, Step, child, layers_of
from datacenter.node.build.storing import LayerStore
from datacenter.node.build.workshop import Workshop
from grammars.dockerfile import DockerfileError
from grammars.dockerfile.metadata import Metadata
from grammars.dockerfile.reading import Dockerfile, Instruction, heredoc_only, read, read_one
from grammars.dockerfile.words import exec_form
from grammars.dockerids import short

if TYPE_CHECKING:
    from datacenter.node.agent import Node

Json = dict[str, Any]
_PACKAGE_LABEL = "com.joyent.package"


class Builder:
    """Carries a Dockerfile out in a workshop. Raises BuildError, ClientGone, TaskError and OSError."""

    def __init__(self, node: Node, shop: Workshop, payload: Json, channel: Channel) -> None:
        self._shop = shop
        self._payload = payload
        self._channel = channel
        self._store = LayerStore(node.home.settings.url("imgapi"))
        self._context: Context | None = None
        self._results: dict[str, Json] = {}
        """Images of the stages that are done, by name and by number."""
        self._made: set[str] = set()
        self._step = 0
        self._steps = 0
        self._escape = "\\"

    def run(self, context: Context) -> str:
        """Build; return the id of the image."""
        self._context = context
        try:
            dockerfile = read(context.dockerfile(str(self._payload.get("dockerfile") or "")))
            self._escape = dockerfile.escape
            plan = self._plan(dockerfile)
        except DockerfileError as error:
            where = f" on line {error.line}" if error.line else ""
            raise BuildError(f"dockerfile parse error{where}: {error.message}") from error
        self._steps = plan.steps + bool(self._labels())
        for instruction in plan.arguments:
            self._announce(instruction)
        result: Json = {}
        for number, stage in enumerate(plan.stages):
            last = number == len(plan.stages) - 1
            try:
                result = self._build_stage(stage, StageArguments(plan.meta), self._labels() if last else None)
            except DockerfileError as error:
                raise BuildError(error.message) from error
            self._results[str(number)] = result
            if stage.name:
                self._results[stage.name] = result
        if left := unused(plan.meta):
            self._say(f"[Warning] One or more build-args [{' '.join(left)}] were not consumed\n")
        return str(result["config_digest"])

    def _plan(self, dockerfile: Dockerfile) -> stages.Plan:
        given = {str(key): str(value) for key, value in (self._payload.get("buildargs") or {}).items()}
        machine = images.scratch()["image"]["architecture"]
        return stages.plan(dockerfile, given, str(self._payload.get("target") or ""), machine)

    def _labels(self) -> dict[str, str]:
        labels = json.loads(self._payload.get("labels") or "{}") or {}
        return {key: value for key, value in labels.items() if key != _PACKAGE_LABEL}

    def _say(self, text: str) -> None:
        self._channel.tell("stdout", message=text)

    def _announce(self, instruction: object) -> None:
        self._step += 1
        self._say(f"Step {self._step}/{self._steps} : {instruction}\n")

    def _build_stage(self, stage: stages.Stage, arguments: StageArguments, labels: Mapping[str, str] | None) -> Json:
        self._announce(stage.start)
        model = self._base(stage)
        self._say(f" ---> {short(model['config_digest'])}\n")
        config = copy.deepcopy(model["image"].get("config") or {})
        triggers = config.pop("OnBuild", None) or []
        work = _Stage(self, model, Metadata(config, self._escape), arguments)
        if triggers:
            self._say(f"# Executing {len(triggers)} build trigger{'s' if len(triggers) > 1 else ''}\n")
        for trigger in triggers:
            work.perform(read_one(trigger, self._escape, stage.start.line))
        for instruction in stage.steps:
            self._announce(instruction)
            work.perform(instruction)
        if labels:
            self._announce(f"LABEL {' '.join(f'{key}={value}' for key, value in labels.items())}")
            work.label(labels)
        return work.model

    def _base(self, stage: stages.Stage) -> Json:
        if stage.base.lower() in self._results:
            return self._results[stage.base.lower()]
        machine = images.scratch()["image"]["architecture"]
        if stage.platform and stage.platform not in {f"linux/{machine}", "linux", machine}:
            raise BuildError(f"platform {stage.platform} is not that of the data center's machines, linux/{machine}")
        if stage.base == "scratch":
            return {**images.scratch(), "image_uuid": self._payload["scratchImageUuid"]}
        model: Json = self._channel.ask("image_reprovision", cmdName="FROM", imageName=stage.base)
        return model

    def image(self, name: str) -> Json:
        """Find what ``COPY --from`` names: a stage that is done, or an image, which the gateway finds or pulls."""
        if name.lower() in self._results:
            return self._results[name.lower()]
        if name.isdigit():
            raise BuildError(f"invalid from flag value {name}: refers to a stage that is not done yet")
        model: Json = self._channel.ask("image_find", imageName=name)
        return model

    def cached(self, parent: Json, command: list[str], config: Json) -> Json | None:
        """Ask for an image that the same step made of the same one before."""
        labels = config.get("Labels")
        found: Json | None = self._channel.ask(
            "find_cached_image", cmd=command, labels=labels, parentDigest=parent["config_digest"]
        )
        if found:
            self._say(f" ---> Using cache\n ---> {short(found['config_digest'])}\n")
        return found

    def keep(self, base: Json, step: Step, file: Any) -> Json:
        """Make an image of a step and have it kept."""
        model = child(base, step, head=False)
        if not model["image_uuid"]:
            model["image_uuid"] = self._payload["scratchImageUuid"]
        fresh = self._store.put(model, step.layer, file) if step.layer else False
        try:
            self._channel.ask("image_create", payload=model)
        except BaseException:
            if fresh:
                self._store.drop(model["image_uuid"])
            raise
        self._made.add(model["config_digest"])
        self._say(f" ---> {short(model['config_digest'])}\n")
        return model

    def enter(self, model: Json, word: str) -> Workshop:
        """Have the workshop on an image, with nothing changed in it yet."""
        if not self._shop.is_on(model["image_uuid"]):
            if not layers_of(model) or model["config_digest"] in self._made:
                self._shop.put_on(model["image_uuid"])
            else:
                self._channel.ask("image_reprovision", cmdName=word, imageName=model["config_digest"])
        return self._shop

    def tree(self, name: str) -> Any:
        """Return the files that COPY and ADD take from: those of an image, or the context."""
        if not name:
            assert self._context is not None
            return nullcontext(self._context.folder)
        model = self.image(name)
        return self._shop.tree_of(model["image_uuid"])

    @property
    def uses_cache(self) -> bool:
        return not self._payload.get("nocache")

    def start(self, words: list[str], config: Json, env: list[str]) -> None:
        """Run a command in the workshop to its end. Raises BuildError unless it ends well."""
        self._say(f" ---> Running in {self._shop.short_id}\n")
        self._shop.equip(words, config, env)
        ended = self._channel.ask(
            "run", cmd=words, env=env, user=config.get("User") or "", workdir=config.get("WorkingDir") or ""
        )
        code = int((ended or {}).get("exitCode") or 0)
        if code:
            raise BuildError(f"The command '{' '.join(words)}' returned a non-zero code: {code}", code=code)
        self._say(f" ---> Removed intermediate container {self._shop.short_id}\n")

    @property
    def shop(self) -> Workshop:
        return self._shop


class _Stage:
    """One stage at work: the image it has come to, and what will be configured of it."""

    def __init__(self, builder: Builder, model: Json, metadata: Metadata, arguments: StageArguments) -> None:
        self.model = model
        self._builder = builder
        self._metadata = metadata
        self._arguments = arguments
        self._broken = not builder.uses_cache
        self._author = str(model["image"].get("author") or "")

    def perform(self, instruction: Instruction) -> None:
        self._metadata.arguments = self._arguments.values
        work = {"RUN": self._run, "COPY": self._copy, "ADD": self._copy, "ARG": self._arg, "WORKDIR": self._workdir}
        if instruction.word in work:
            work[instruction.word](instruction)
            return
        self._metadata_step(self._metadata.apply(instruction))
        if instruction.word == "MAINTAINER":
            self._author = self._metadata.author

    def label(self, labels: Mapping[str, str]) -> None:
        config = self._metadata.config
        config["Labels"] = {**(config.get("Labels") or {}), **labels}
        self._metadata_step(" ".join(["LABEL", *(f"{key}={value}" for key, value in labels.items())]))

    def _nop(self, comment: str) -> list[str]:
        return [*self._metadata.shell, "#(nop) ", comment]

    def _metadata_step(self, comment: str) -> None:
        command = self._nop(comment)
        if not self._use_cache(command):
            self._keep(command)

    def _use_cache(self, command: list[str]) -> bool:
        found = None if self._broken else self._builder.cached(self.model, command, self._metadata.config)
        self._broken = found is None
        self.model = found or self.model
        return found is not None

    def _keep(self, command: list[str], *, files: bool = False) -> None:
        if not files:
            self.model = self._builder.keep(self.model, self._done(command), None)
            return
        with self._builder.shop.layer() as (layer, file):
            self.model = self._builder.keep(self.model, self._done(command, layer), file)

    def _done(self, command: list[str], layer: Layer | None = None) -> Step:
        return Step(
            config=copy.deepcopy(self._metadata.config),
            command=command,
            created=iso(),
            author=self._author,
            container=str(self._builder.shop.zone.metadata.get("docker:id") or ""),
            layer=layer,
        )

    def _arg(self, instruction: Instruction) -> None:
        for name, default in declared(instruction, self._metadata.variables, self._metadata.escape):
            self._arguments.declare(name, default)
        self._metadata_step(f"ARG {instruction.rest}")

    def _workdir(self, instruction: Instruction) -> None:
        command = self._nop(self._metadata.apply(instruction))
        if self._use_cache(command):
            return
        shop = self._builder.enter(self.model, instruction.word)
        shop.place(self._metadata.config["WorkingDir"], None)
        self._keep(command, files=True)

    def _run(self, instruction: Instruction) -> None:
        for flag in instruction.flags:
            name = flag.removeprefix("--").partition("=")[0]
            raise BuildError(f"the --{name} option requires BuildKit, which this data center does not have")
        words = self._words(instruction)
        own = dict(entry.partition("=")[::2] for entry in self._metadata.config.get("Env") or [])
        told = self._arguments.told(own)
        command = [f"|{len(told)}", *told, *words] if told else words
        if self._use_cache(command):
            return
        self._builder.enter(self.model, instruction.word)
        extra = [f"{name}={value}" for name, value in self._arguments.values.items() if name not in own]
        env = [*(self._metadata.config.get("Env") or []), *extra]
        self._builder.start(words, self._metadata.config, env)
        self._keep(command, files=True)

    def _words(self, instruction: Instruction) -> list[str]:
        if not instruction.heredocs:
            return self._metadata.command(instruction.rest)
        if exec_form(instruction.rest) is not None:
            raise BuildError("a here-document needs the shell form of RUN")
        if heredoc_only(instruction.rest):
            text = instruction.heredocs[0].text
            if text.startswith("#!"):
                raise BuildError("a script with an interpreter line in a here-document of RUN requires BuildKit")
            return [*self._metadata.shell, text]
        script = instruction.rest + "".join(f"\n{doc.text}{doc.name}" for doc in instruction.heredocs)
        return [*self._metadata.shell, script]

    def _copy(self, instruction: Instruction) -> None:
        wanted = read_copy(instruction, self._metadata)
        shop = self._builder.shop
        with self._builder.tree(wanted.origin) as tree, gathered(wanted, shop.folder, tree) as (found, file):
            command = self._nop(wanted.told(found["sum"]))
            if self._use_cache(command):
                return
            self._builder.enter(self.model, instruction.word)
            self._place(wanted, found, file)
            self._keep(command, files=True)

    def _place(self, wanted: Copy, found: Json, file: Any) -> None:
        dest = destination(wanted, str(self._metadata.config.get("WorkingDir") or ""))
        self._builder.shop.place(
            dest,
            file,
            owner=wanted.owner,
            rename=names_a_file(wanted, found),
            mode=found["mode"],
        )
