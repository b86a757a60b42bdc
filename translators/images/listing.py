"""The image list and its filters."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter
from gateway.state.image_records import ImageRecord
from grammars import references
from translators.filters import parse_filters
from translators.images import view
from translators.images.lookup import find_image
from translators.prune_filters import moment

_KNOWN = frozenset({"dangling", "label", "before", "since", "reference", "until"})
_TRUE, _FALSE = {"true", "1"}, {"false", "0"}


def list_images(call: Call) -> list[dict[str, Any]]:
    """The account's images that pass every filter, newest first; steps on the way to others only with ``all``.

    Docker: GET /images/json   SDC: - (the gateway's own rows)
    """
    filters = parse_filters(call.arg("filters"), _KNOWN)
    if call.arg("filter"):
        filters.setdefault("reference", []).append(call.arg("filter"))
    records = call.state.images.all(call.owner.uuid) if call.flag("all") else results(call)
    kept = [record for record in records if _dangling(record, filters) and _labelled(record, filters)]
    kept = [shown for record in kept if (shown := _referenced(record, filters.get("reference", [])))]
    kept = _between(call, kept, filters)
    kept.sort(key=view.created_seconds, reverse=True)
    return [view.summary(record, call.version) for record in kept]


def results(call: Call) -> list[ImageRecord]:
    """The account's images, newest first, without nameless ones that others were made from."""
    images, owner = call.state.images, call.owner.uuid
    parents = images.parents(owner)
    return [one for one in images.all(owner) if one.tags or one.digests or one.config_digest not in parents]


def _dangling(record: ImageRecord, filters: Mapping[str, Sequence[str]]) -> bool:
    wanted = set(filters.get("dangling", []))
    if not wanted:
        return True
    if not wanted <= _TRUE | _FALSE:
        raise InvalidParameter(f"invalid filter 'dangling={min(wanted - _TRUE - _FALSE)}'")
    return (not record.tags and not record.digests) == bool(wanted & _TRUE)


def _labelled(record: ImageRecord, filters: Mapping[str, Sequence[str]]) -> bool:
    labels = view.labels(record)
    for wanted in filters.get("label", []):
        key, equals, value = wanted.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True


def _referenced(record: ImageRecord, patterns: Sequence[str]) -> ImageRecord | None:
    """The record with the names that match; None when none does."""
    if not patterns:
        return record
    tags = tuple(tag for tag in record.tags if any(_matches(tag, pattern) for pattern in patterns))
    digests = tuple(name for name in record.digests if any(_matches(name, pattern) for pattern in patterns))
    if not tags and not digests:
        return None
    return ImageRecord(**{**_fields(record), "tags": tags, "digests": digests})


def _fields(record: ImageRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in ImageRecord.__dataclass_fields__}


def _matches(name: str, pattern: str) -> bool:
    """Whether ``repo:tag`` matches as a whole, or its repository does when the pattern names no tag."""
    familiar = pattern
    try:
        familiar = str(references.parse(pattern))
    except ValueError:
        pass  # a glob is no reference
    repo = name.split("@", 1)[0] if "@" in name else name.rpartition(":")[0]
    return any(_glob(target, wanted) for target in (name, repo) for wanted in (pattern, familiar))


def _glob(text: str, pattern: str) -> bool:
    """Go's path.Match: a star does not cross a slash."""
    parts, wanted = text.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _between(call: Call, records: list[ImageRecord], filters: Mapping[str, Sequence[str]]) -> list[ImageRecord]:
    for name in filters.get("before", []):
        limit = view.created_seconds(find_image(call, name))
        records = [record for record in records if view.created_seconds(record) < limit]
    for name in filters.get("since", []):
        limit = view.created_seconds(find_image(call, name))
        records = [record for record in records if view.created_seconds(record) > limit]
    for text in filters.get("until", []):
        until = moment(text)
        records = [record for record in records if view.created_seconds(record) < until]
    return records
