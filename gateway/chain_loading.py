"""Make the members of the chain from settings: find each class, check it, read its options.

Everything that can be wrong with a chain is found here, at start-up, as a ValueError that says what to do.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any, Literal

import msgspec

import middleware
from gateway.operations import OPERATIONS
from gateway.settings import Settings
from middleware.base import MOMENTS, Middleware

ENTRY_POINTS = "docker_gateway.middleware"


class MemberSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every member may be told in ``[middleware.<name>]``, beside its own options."""

    runs_on: tuple[str, ...] | None = None
    on_error: Literal["closed", "open"] = "closed"
    observe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A middleware at its place in the chain, with what the operator decided about it."""

    name: str
    middleware: Middleware
    operations: frozenset[str]
    """Names of the operations it runs on."""
    on_error: Literal["closed", "open"] = "closed"
    observe: bool = False

    @property
    def moments(self) -> tuple[str, ...]:
        return tuple(moment for moment in MOMENTS if hasattr(self.middleware, moment))


def load_members(settings: Settings) -> list[Member]:
    """Make all members, in order.

    Raises ValueError for unknown and doubled members, wrong moments, wrong options and unknown operations.
    """
    members: list[Member] = []
    for reference in settings.chain:
        member = make_member(find_class(reference), settings.middleware, _defaults(settings))
        if any(member.name == other.name for other in members):
            raise ValueError(f"chain: the member {member.name!r} is listed twice")
        members.append(member)
    _check_sections(settings.middleware, {member.name for member in members})
    return members


def make_member(
    kind: type[Middleware],
    sections: Mapping[str, Mapping[str, Any]],
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
) -> Member:
    """Make one member from its class and its section of the settings. Raises ValueError."""
    _check_class(kind)
    section = {**(defaults or {}).get(kind.name, {}), **sections.get(kind.name, {})}
    common = {key: section.pop(key) for key in MemberSettings.__struct_fields__ if key in section}
    try:
        chosen = msgspec.convert(common, MemberSettings, strict=False)
        options = msgspec.convert(section, kind.Options, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"[middleware.{kind.name}]: {error}") from error
    operations = _operations(kind.name, kind.runs_on if chosen.runs_on is None else chosen.runs_on)
    try:
        made = kind(options)
    except ValueError as error:
        raise ValueError(f"[middleware.{kind.name}]: {error}") from error
    return Member(
        name=kind.name,
        middleware=made,
        operations=operations,
        on_error=chosen.on_error,
        observe=chosen.observe,
    )


def find_class(reference: str) -> type[Middleware]:
    """Find a member by built-in name, entry point or dotted path. Raises ValueError when there is none."""
    if "." in reference or ":" in reference:
        return _by_path(reference)
    built_in = _built_in(reference)
    if built_in is not None:
        return built_in
    for entry in entry_points(group=ENTRY_POINTS, name=reference):
        return _by_path(entry.value)
    known = [*_built_in_names(), *(entry.name for entry in entry_points(group=ENTRY_POINTS))]
    raise ValueError(f"chain: there is no middleware {reference!r}{_guess(reference, known)}")


def _built_in(name: str) -> type[Middleware] | None:
    """A built-in member ``x`` is the class of that name in the module ``middleware.x``."""
    if not name.isidentifier() or find_spec(f"middleware.{name}") is None:
        return None
    classes = vars(import_module(f"middleware.{name}")).values()
    return next((kind for kind in classes if _is_member(kind) and kind.name == name), None)


def _built_in_names() -> list[str]:
    return [module.name for module in iter_modules(middleware.__path__) if _built_in(module.name)]


def _is_member(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Middleware) and kind is not Middleware and hasattr(kind, "name")


def _by_path(path: str) -> type[Middleware]:
    module, _, name = path.partition(":") if ":" in path else path.rpartition(".")
    try:
        kind = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ValueError(f"chain: {path}: no module {error.name!r}; is its folder on PYTHONPATH?") from error
    except AttributeError as error:
        raise ValueError(f"chain: {path}: {module} has no class {name!r}") from error
    if not _is_member(kind):
        raise ValueError(f"chain: {path} is not a subclass of middleware.base.Middleware with a name")
    found: type[Middleware] = kind
    return found


def _check_class(kind: type[Middleware]) -> None:
    where = f"{kind.__module__}.{kind.__qualname__}"
    for name, value in inspect.getmembers(kind, callable):
        if name.startswith("_") or isinstance(value, type):
            continue
        if name not in MOMENTS:
            raise ValueError(
                f"{where}: {name!r} is none of the moments {', '.join(MOMENTS)}{_guess(name, MOMENTS)}; "
                "methods of your own begin with an underscore"
            )
        if inspect.iscoroutinefunction(value):
            raise ValueError(f"{where}.{name} is async; moments are plain functions")
        try:
            inspect.signature(value).bind(kind, *[None] * MOMENTS[name])
        except TypeError as error:
            wanted = inspect.signature(getattr(_Template, name))
            raise ValueError(f"{where}.{name} must take {wanted}: {error}") from error
    if not (isinstance(kind.Options, type) and issubclass(kind.Options, Middleware.Options)):
        raise ValueError(f"{where}.Options is not a subclass of middleware.base.Options")  # noqa: TRY004 - a setting
    if not any(hasattr(kind, moment) for moment in MOMENTS):
        raise ValueError(f"{where} has none of the moments {', '.join(MOMENTS)}")


class _Template:
    """The moments' signatures, for messages."""

    def before(self, call: Any) -> None: ...
    def provision(self, call: Any, payload: Any) -> None: ...
    def after(self, call: Any, reply: Any) -> None: ...
    def item(self, call: Any, item: Any) -> Any: ...
    def stream(self, call: Any, stream: Any) -> Any: ...
    def failed(self, call: Any, error: Any) -> Any: ...


def _operations(member: str, patterns: Iterable[str]) -> frozenset[str]:
    names = {row.name for row in OPERATIONS if not row.open}
    chosen: set[str] = set()
    for pattern in patterns:
        prefix = pattern.removesuffix("*")
        matching = {name for name in names if name == pattern or (prefix != pattern and name.startswith(prefix))}
        if not matching or (prefix != pattern and prefix and not prefix.endswith(".")):
            resources = {f"{row.resource}.*" for row in OPERATIONS}
            raise ValueError(
                f"[middleware.{member}]: runs_on: there is no operation {pattern!r}{_guess(pattern, names | resources)}"
            )
        chosen |= matching
    return frozenset(chosen)


def _defaults(settings: Settings) -> dict[str, dict[str, Any]]:
    """Options whose default is another setting."""
    return {
        "authentication": {"socket_account": settings.socket_account},
        "audit": {"file": f"{settings.state_dir}/audit.log"},
        "maintenance": {"file": f"{settings.state_dir}/maintenance"},
    }


def _check_sections(sections: Iterable[str], members: set[str]) -> None:
    """A section of a known member that is not in the chain is a switched-off member; any other is a slip."""
    for section in sections:
        if section not in members and _built_in(section) is None:
            raise ValueError(f"[middleware.{section}]: the chain has no such member{_guess(section, members)}")


def _guess(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
