"""The stages of a Dockerfile: what each begins with and what it does. Pure. Facts: moby's builder, the reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from datacenter.node.build.arguments import MetaArguments
from grammars.dockerfile import DockerfileError
from grammars.dockerfile.reading import Dockerfile, Instruction
from grammars.dockerfile.words import expand

_NAME = re.compile(r"[a-z][a-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and what follows. ``base`` is an image, an earlier stage or ``scratch``, variables replaced."""

    name: str
    base: str
    platform: str
    start: Instruction
    steps: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages up to the one that is wanted, and the ARGs before them."""

    arguments: tuple[Instruction, ...]
    meta: MetaArguments
    stages: tuple[Stage, ...]

    @property
    def steps(self) -> int:
        return len(self.arguments) + sum(1 + len(stage.steps) for stage in self.stages)


def plan(dockerfile: Dockerfile, given: Mapping[str, str], target: str, machine: str) -> Plan:
    """Split a Dockerfile into stages. ``given`` are build arguments; ``target`` names the last stage wanted.

    Raises DockerfileError.
    """
    ahead, rest = _ahead(dockerfile.instructions)
    meta = MetaArguments(given, machine, dockerfile.escape)
    for instruction in ahead:
        meta.declare(instruction)
    stages: list[Stage] = []
    for instruction in rest:
        if instruction.word == "FROM":
            stages.append(_stage(instruction, meta, dockerfile.escape))
        else:
            last = stages[-1]
            steps = (*last.steps, instruction)
            stages[-1] = Stage(last.name, last.base, last.platform, last.start, steps)
    return Plan(ahead, meta, tuple(stages[: _wanted(stages, target) + 1]))


def _ahead(instructions: tuple[Instruction, ...]) -> tuple[tuple[Instruction, ...], tuple[Instruction, ...]]:
    for number, instruction in enumerate(instructions):
        if instruction.word == "FROM":
            return instructions[:number], instructions[number:]
        if instruction.word != "ARG":
            break
    raise DockerfileError("no build stage in current context", instructions[0].line)


def _stage(instruction: Instruction, meta: MetaArguments, escape: str) -> Stage:
    words = instruction.rest.split()
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise DockerfileError("FROM requires either one or three arguments", instruction.line)
    name = words[2].lower() if len(words) == 3 else ""
    if name and not _NAME.fullmatch(name):
        raise DockerfileError(
            f'invalid name for build stage: "{words[2]}", name can\'t start with a number or contain symbols',
            instruction.line,
        )
    platform = ""
    for flag in instruction.flags:
        key, _, value = flag.partition("=")
        if key != "--platform":
            raise DockerfileError(f"unknown flag: {key.removeprefix('--')}", instruction.line)
        platform = expand(value, meta.values, escape)
    base = expand(words[0], meta.values, escape)
    if not base:
        raise DockerfileError(f"base name ({words[0]}) should not be blank", instruction.line)
    return Stage(name, base, platform, instruction, ())


def _wanted(stages: list[Stage], target: str) -> int:
    if not target:
        return len(stages) - 1
    for number, stage in enumerate(stages):
        if target.lower() in {stage.name, str(number)}:
            return number
    raise DockerfileError(f'failed to reach build target "{target}" in Dockerfile')
