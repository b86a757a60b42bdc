"""Provision limits: what they are, where they come from, and how an account's VMs count against one. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import structlog
from msgspec import Meta

logger = structlog.get_logger("middleware.quota")

Check = Literal["brand", "image", "os"]
By = Literal["count", "ram", "quota"]
ANY = "any"
_CHECKS: tuple[Check, ...] = ("brand", "image", "os")


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most ``value`` of ``by``, over the VMs that pass the check, or over all of them."""

    value: Annotated[float | str, Meta(description="0: no limit; negative: nothing may be provisioned")]
    by: Annotated[By, Meta(description="count of VMs, ram in MiB, or quota (disk) in GiB")] = "count"
    check: Annotated[Check | None, Meta(description="Count only VMs of one brand, image or os")] = None
    brand: str | None = None
    image: str | None = None
    os: str | None = None

    @property
    def most(self) -> float:
        """The value as a number; what is none counts as 0, no limit."""
        try:
            return float(self.value)
        except ValueError:
            return 0.0

    @property
    def wanted(self) -> str | None:
        """Which brand, image or os is checked for; None without a check."""
        return getattr(self, self.check) if self.check else None

    @property
    def unconditional(self) -> bool:
        return self.check is None or self.wanted == ANY

    @property
    def complete(self) -> bool:
        return self.check is None or bool(self.wanted)

    def collides(self, other: Limit) -> bool:
        return self.check == other.check and self.by == other.by


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A VM as far as limits see it: memory in MiB, disk in GiB. ``image`` holds every name its image goes by."""

    uuid: str
    ram: float
    disk: float
    brand: str | None = None
    image_uuid: str | None = None
    image: frozenset[str] = frozenset()
    os: str | None = None

    def matches(self, limit: Limit) -> bool:
        if limit.unconditional:
            return True
        if limit.check == "image":
            return limit.wanted in self.image
        return limit.wanted == (self.brand if limit.check == "brand" else self.os)

    def amount(self, by: By) -> float:
        return {"count": 1.0, "ram": self.ram, "quota": self.disk}[by]


def account_limits(entries: Iterable[Mapping[str, Any]], datacenter: str) -> list[Limit]:
    """The account's own limits for a data center, from UFDS's ``capilimit`` entries.

    Each entry's ``limit`` is JSON text, or a list of such. What cannot be read is logged and left out: it must
    not stop the account from working, and the operator's own limits still hold.
    """
    found = []
    for entry in entries:
        if entry.get("datacenter") != datacenter:
            continue
        texts = entry.get("limit") or []
        for text in [texts] if isinstance(texts, (str, Mapping)) else texts:
            try:
                found.append(_read_limit(text))
            except (ValueError, TypeError, msgspec.ValidationError) as error:
                logger.warning("unreadable limit", limit=text, error=str(error))
    return found


def _read_limit(text: str | Mapping[str, Any]) -> Limit:
    """UFDS's form is looser than the settings': an unknown ``by`` counts VMs, other keys mean nothing."""
    raw = msgspec.convert(text if isinstance(text, Mapping) else json.loads(text), dict[str, Any])
    known = {key: value for key, value in raw.items() if key in Limit.__struct_fields__ and value is not None}
    if known.get("by") not in ("ram", "quota"):
        known["by"] = "count"
    if known.get("check") not in _CHECKS:
        known.pop("check", None)
    return msgspec.convert(known, Limit)


def merge(own: Iterable[Limit], configured: Iterable[Limit]) -> list[Limit]:
    """The limits that hold: the account's own, and the operator's where the account has none of that sort.

    An unconditional limit of the account's own puts all of the operator's aside.
    """
    chosen = list(own)
    if not any(limit.unconditional for limit in chosen):
        chosen += [limit for limit in configured if not any(limit.collides(mine) for mine in chosen)]
    return [limit for limit in chosen if limit.complete and limit.most != 0]


def passed(limits: Iterable[Limit], new: Machine, existing: Iterable[Machine]) -> Iterator[str]:
    """Say of each limit that one more VM would pass what is used, what is allowed and what was asked for."""
    machines = list(existing)
    for limit in limits:
        if not new.matches(limit):
            continue
        if limit.most < 0:
            yield "provisioning is not allowed"
            continue
        used = sum(machine.amount(limit.by) for machine in machines if machine.matches(limit))
        asked = new.amount(limit.by)
        if used + asked > limit.most:
            in_use, most, more = (_size(amount, limit) for amount in (used, limit.most, asked))
            yield f"{_subject(limit)}: {in_use} used, limit {most}, asked {more}"


def weighed(limits: Iterable[Limit], new: Machine, existing: Iterable[Machine]) -> Iterator[dict[str, Any]]:
    """Tell of each limit what is used before and after one more VM; memory in MiB, disk in GiB."""
    machines = list(existing)
    for limit in limits:
        if new.matches(limit):
            used = sum(machine.amount(limit.by) for machine in machines if machine.matches(limit))
            after = used + new.amount(limit.by)
            amounts = {"Used": used, "After": after, "Limit": limit.most}
            yield {"What": _subject(limit), **{name: round(amount, 2) for name, amount in amounts.items()}}


def _subject(limit: Limit) -> str:
    what = {"count": "containers", "ram": "memory", "quota": "disk"}[limit.by]
    return what if limit.unconditional else f"{what} of {limit.check} {limit.wanted}"


def _size(amount: float, limit: Limit) -> str:
    unit = {"count": "", "ram": " MiB", "quota": " GiB"}[limit.by]
    return f"{round(amount, 2):.10g}{unit}"
