"""Instructions that change an image's configuration and no file: in a Dockerfile, in commit's and import's changes."""

from __future__ import annotations

import copy
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from grammars.dockerfile.faults import DockerfileError
from grammars.dockerfile.health import health_check
from grammars.dockerfile.reading import Instruction, read_one
from grammars.dockerfile.words import exec_form, expand, expand_words, name_values

Config = dict[str, Any]

SHELL = ("/bin/sh", "-c")
CHANGES = frozenset({
    "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
"""What commit and import take."""
MOST_PORTS = 3 * 65535
"""That one instruction may name, repeated ones counted: there are no more."""

_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
_SIGNAL = re.compile(r"(?:SIG)?[A-Z][A-Z0-9]*(?:[+-]\d{1,2})?|\d{1,2}", re.IGNORECASE)


class Metadata:
    """A configuration that instructions change, and what they remember of each other.

    ``arguments`` are variables beside the configuration's own environment: the build's arguments.
    """

    def __init__(self, config: Mapping[str, Any], escape: str = "\\") -> None:
        self.config: Config = copy.deepcopy(dict(config))
        self.author = ""
        self.arguments: dict[str, str] = {}
        self.escape = escape
        self._cmd_was_set = False

    @property
    def variables(self) -> dict[str, str]:
        """What ``$name`` stands for; the environment wins over arguments."""
        own = dict(entry.partition("=")[::2] for entry in self.config.get("Env") or [])
        return {**self.arguments, **own}

    @property
    def shell(self) -> list[str]:
        return list(self.config.get("Shell") or SHELL)

    def apply(self, instruction: Instruction) -> str:
        """Carry one instruction out; return how the image's history tells it. Raises DockerfileError."""
        try:
            return _HANDLERS[instruction.word](self, instruction)
        except DockerfileError as error:
            raise DockerfileError(error.message, error.line or instruction.line) from error

    def expand(self, text: str) -> str:
        return expand(text, self.variables, self.escape)

    def command(self, text: str) -> list[str]:
        """Return the words of a command: those of its exec form, else the shell and the text."""
        words = exec_form(text)
        return [*self.shell, text] if words is None else words

    def _cmd(self, instruction: Instruction) -> str:
        self.config["Cmd"] = self.command(instruction.rest)
        self._cmd_was_set = True
        return f"CMD {_quoted(self.config['Cmd'])}"

    def _entrypoint(self, instruction: Instruction) -> str:
        self.config["Entrypoint"] = self.command(instruction.rest) or None
        if not self._cmd_was_set:
            self.config["Cmd"] = None
        return f"ENTRYPOINT {_quoted(self.config['Entrypoint'] or [])}"

    def _env(self, instruction: Instruction) -> str:
        pairs = self._pairs(instruction)
        env = list(self.config.get("Env") or [])
        places = {entry.partition("=")[0]: number for number, entry in reversed([*enumerate(env)])}
        for name, value in pairs:
            place = places.setdefault(name, len(env))
            env[place : place + 1] = [f"{name}={value}"]
        self.config["Env"] = env
        return _told("ENV", pairs)

    def _label(self, instruction: Instruction) -> str:
        pairs = self._pairs(instruction)
        self.config["Labels"] = {**(self.config.get("Labels") or {}), **dict(pairs)}
        return _told("LABEL", pairs)

    def _pairs(self, instruction: Instruction) -> list[tuple[str, str]]:
        variables = self.variables
        found = []
        for name, value in name_values(instruction.word, instruction.rest, self.escape):
            plain = expand(name, variables, self.escape)
            if not plain:
                raise DockerfileError(f"{instruction.word} names can not be blank")
            found.append((plain, expand(value, variables, self.escape)))
        return found

    def _expose(self, instruction: Instruction) -> str:
        words = expand_words(instruction.rest, self.variables, self.escape)
        ports = dict(self.config.get("ExposedPorts") or {})
        named = 0
        for word in words:
            found = _ports(word)
            named += len(found)
            if named > MOST_PORTS:
                raise DockerfileError(f"EXPOSE names more than {MOST_PORTS} ports")
            ports.update({name: {} for name in found})
        self.config["ExposedPorts"] = ports
        return f"EXPOSE {' '.join(words)}"

    def _volume(self, instruction: Instruction) -> str:
        words = exec_form(instruction.rest)
        variables = self.variables
        words = instruction.rest.split() if words is None else words
        names = [expand(word, variables, self.escape) for word in words]
        if not names or any(not name.strip() for name in names):
            raise DockerfileError("VOLUME specified can not be an empty string")
        self.config["Volumes"] = {**(self.config.get("Volumes") or {}), **{name: {} for name in names}}
        return f"VOLUME [{' '.join(names)}]"

    def _user(self, instruction: Instruction) -> str:
        self.config["User"] = self.expand(_only(instruction))
        return f"USER {self.config['User']}"

    def _workdir(self, instruction: Instruction) -> str:
        path = self.expand(instruction.rest)
        if not path:
            raise DockerfileError("cannot normalize nothing")
        joined = posixpath.normpath(posixpath.join("/", str(self.config.get("WorkingDir") or ""), path))
        self.config["WorkingDir"] = "/" + joined.lstrip("/")
        return f"WORKDIR {self.config['WorkingDir']}"

    def _stop_signal(self, instruction: Instruction) -> str:
        signal = self.expand(_only(instruction))
        if not _SIGNAL.fullmatch(signal):
            raise DockerfileError(f"invalid signal: {signal}")
        self.config["StopSignal"] = signal
        return f"STOPSIGNAL {signal}"

    def _health(self, instruction: Instruction) -> str:
        self.config["Healthcheck"] = health_check(instruction.flags, instruction.rest)
        return str(instruction)

    def _on_build(self, instruction: Instruction) -> str:
        trigger = read_one(" ".join([*instruction.flags, instruction.rest]), self.escape, instruction.line)
        if trigger.word == "ONBUILD":
            raise DockerfileError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
        if trigger.word in {"FROM", "MAINTAINER"}:
            raise DockerfileError(f"{trigger.word} isn't allowed as an ONBUILD trigger")
        if trigger.heredocs:
            raise DockerfileError("here-documents aren't allowed in an ONBUILD trigger")
        self.config["OnBuild"] = [*(self.config.get("OnBuild") or []), str(trigger)]
        return f"ONBUILD {trigger}"

    def _shell(self, instruction: Instruction) -> str:
        words = exec_form(instruction.rest)
        if not words:
            raise DockerfileError("SHELL requires the arguments to be in JSON form")
        self.config["Shell"] = words
        return f"SHELL [{' '.join(words)}]"

    def _maintainer(self, instruction: Instruction) -> str:
        self.author = instruction.rest
        return f"MAINTAINER {self.author}"


_HANDLERS: dict[str, Callable[[Metadata, Instruction], str]] = {
    "CMD": Metadata._cmd,
    "ENTRYPOINT": Metadata._entrypoint,
    "ENV": Metadata._env,
    "EXPOSE": Metadata._expose,
    "HEALTHCHECK": Metadata._health,
    "LABEL": Metadata._label,
    "MAINTAINER": Metadata._maintainer,
    "ONBUILD": Metadata._on_build,
    "SHELL": Metadata._shell,
    "STOPSIGNAL": Metadata._stop_signal,
    "USER": Metadata._user,
    "VOLUME": Metadata._volume,
    "WORKDIR": Metadata._workdir,
}


def change(config: Mapping[str, Any], changes: Iterable[str]) -> Config:
    """Return the configuration with commit's or import's changes applied in order. Raises DockerfileError."""
    metadata = Metadata(config)
    for line in (line.strip() for text in changes for line in text.splitlines()):
        if not line or line.startswith("#"):
            continue
        word = line.split(None, 1)[0].upper()
        if word not in CHANGES:
            raise DockerfileError(f"{word} is not a valid change command")
        metadata.apply(read_one(line))
    return metadata.config


def _only(instruction: Instruction) -> str:
    if len(instruction.rest.split()) != 1:
        raise DockerfileError(f"{instruction.word} requires exactly one argument")
    return instruction.rest


def _ports(text: str) -> list[str]:
    match = _PORT.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if match is None or not 0 < first <= last < 65536:
        raise DockerfileError(f"invalid containerPort: {text}")
    return [f"{port}/{(match[3] or 'tcp').lower()}" for port in range(first, last + 1)]


def _quoted(words: list[str]) -> str:
    return f"[{' '.join(json.dumps(word, ensure_ascii=False) for word in words)}]"


def _told(word: str, pairs: list[tuple[str, str]]) -> str:
    return " ".join([word, *(f"{name}={value}" for name, value in pairs)])
