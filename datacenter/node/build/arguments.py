"""Build arguments: ARG and --build-arg. Pure. Facts: the Dockerfile reference, moby's buildargs.go."""

from __future__ import annotations

from collections.abc import Mapping

from grammars.dockerfile import DockerfileError
from grammars.dockerfile.reading import Instruction
from grammars.dockerfile.words import expand, split

PROXIES = frozenset(
    name
    for plain in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
    for name in (plain, plain.upper())
)
"""Arguments that need no ARG, and that no history tells."""


def declared(instruction: Instruction, variables: Mapping[str, str], escape: str) -> list[tuple[str, str | None]]:
    """Return the names of an ARG with their defaults, None where there is none. Raises DockerfileError."""
    found: list[tuple[str, str | None]] = []
    for word in split(instruction.rest, escape):
        name, equals, value = word.partition("=")
        if not name:
            raise DockerfileError("ARG names can not be blank", instruction.line)
        found.append((expand(name, variables, escape), expand(value, variables, escape) if equals else None))
    return found


class MetaArguments:
    """The arguments before the first FROM. ``values`` is what variables in FROM stand for."""

    def __init__(self, given: Mapping[str, str], machine: str, escape: str) -> None:
        """``machine`` is the architecture in Docker's words; there is but one platform here."""
        self.given = given
        self._escape = escape
        one = {"PLATFORM": f"linux/{machine}", "OS": "linux", "ARCH": machine, "VARIANT": ""}
        self.platform = {f"{side}{key}": value for side in ("BUILD", "TARGET") for key, value in one.items()}
        self.values: dict[str, str] = {**self.platform}
        self.used: set[str] = set()

    def declare(self, instruction: Instruction) -> None:
        for name, default in declared(instruction, self.values, self._escape):
            self.used.add(name)
            value = self.given.get(name, default)
            if value is not None:
                self.values[name] = value


class StageArguments:
    """The arguments of one stage, in the order of their ARGs."""

    def __init__(self, meta: MetaArguments) -> None:
        self._meta = meta
        self._declared: dict[str, str] = {}

    def declare(self, name: str, default: str | None) -> None:
        """Take an ARG: given on the command line, else its own default, else that of an ARG before the first FROM."""
        self._meta.used.add(name)
        value = self._meta.given.get(name, default)
        value = self._meta.values.get(name) if value is None else value
        if value is not None:
            self._declared[name] = value

    @property
    def values(self) -> dict[str, str]:
        proxies = {name: value for name, value in self._meta.given.items() if name in PROXIES}
        return {**proxies, **self._declared}

    def told(self, environment: Mapping[str, str]) -> list[str]:
        """Return what history, and so the cache, knows of the arguments that a RUN sees."""
        values = {name: value for name, value in self._declared.items() if name not in environment}
        return sorted(f"{name}={value}" for name, value in values.items())


def unused(meta: MetaArguments) -> list[str]:
    """Return the arguments that were given and that no ARG asked for."""
    return sorted(meta.given.keys() - meta.used - PROXIES)
