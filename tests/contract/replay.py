"""Replay what real Triton services were seen to answer, against the embedded ones.

``captures/<service>.json`` holds facts: what was asked, and status, headers and body that came back. Where an answer
is not determined, its place holds a word: ``<uuid>``, ``<time>``, ``<mac>``, ``<version>``, ``<number>``, ``<bool>``,
``<list>``, ``<text>`` or ``<any>``. A word with a name, ``<uuid:job>``, stands for the same value wherever it comes up again, in later
questions too. ``{"<as>": NAME, ...}`` names an object, ``{"<like>": NAME, ...}`` is that object but for the fields
it gives itself; one with ``"<more>"`` may have further fields, as records have that agents add to. ``{"<hex>": ...}``
are the bytes of a body. Lists of objects have no order: the captured services had none without ``sort``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "captures"
WORDS = {
    "uuid": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    "mac": re.compile(r"90:b8:d0(:[0-9a-f]{2}){3}"),
    "version": re.compile(r"\d{13}\.\d+"),
    "text": re.compile(r".+", re.DOTALL),
}
WORD = re.compile(r"<(\w+)(?::(\w+))?>")
TYPES: dict[str, tuple[type, ...]] = {"number": (int, float), "bool": (bool,), "list": (list,), "any": (object,)}


class Replay:
    """One service's facts, asked of an app in the order in which they were seen."""

    def __init__(self, name: str, http: Any, **known: str) -> None:
        """``known`` are the values of named uuids that this data center has of its own."""
        self._http = http
        self._bound: dict[str, Any] = {f"<uuid:{word}>": value for word, value in known.items()}
        self._named: dict[str, dict[str, Any]] = {}
        self._told = json.loads((FOLDER / f"{name}.json").read_text())

    def set_scene(self) -> None:
        """Make what was there before the first question."""
        for request in self._told.get("given", ()):
            assert self._ask(request).status_code < 300, request

    def run(self) -> int:
        """Set the scene, then compare every answer. Return how many there were."""
        self.set_scene()
        for number, fact in enumerate(self._told["facts"], 1):
            problems = list(self._differences(fact))
            assert not problems, f"fact {number}, {fact['ask']}: " + "; ".join(problems)
        return len(self._told["facts"])

    def _ask(self, fact: dict[str, Any]) -> Any:
        method, path = self._filled(fact["ask"]).split(" ", 1)
        data = fact.get("send")
        if isinstance(data, dict) and "<hex>" in data:
            data = bytes.fromhex(data["<hex>"])
        if isinstance(data, str | bytes):
            return self._http.open(path, method=method, data=data, content_type="application/octet-stream")
        if data is None:
            return self._http.open(path, method=method)
        body = json.dumps(self._filled(self._whole(data)))
        return self._http.open(path, method=method, data=body, content_type="application/json")

    def _differences(self, fact: dict[str, Any]) -> Iterator[str]:
        answer = self._ask(fact)
        if answer.status_code != fact["status"]:
            yield f"status {answer.status_code} instead of {fact['status']}: {answer.text[:500]}"
            return
        if "gives" in fact:
            yield from self._differ(self._whole(fact["gives"]), answer.json, "body")
        else:
            assert not answer.data
        for name, expected in {**self._told["headers"], **fact.get("headers", {})}.items():
            wanted = expected if WORD.fullmatch(expected) else self._filled(expected)
            yield from self._differ(wanted, answer.headers.get(name), name)

    def _whole(self, value: Any) -> Any:
        """Objects written as differences from others, written out."""
        if isinstance(value, list):
            return [self._whole(item) for item in value]
        if not isinstance(value, dict):
            return value
        base = self._named[value["<like>"]] if "<like>" in value else {}
        own = {key: self._whole(item) for key, item in value.items() if key not in ("<as>", "<like>")}
        if "<as>" in value:
            self._named[value["<as>"]] = own
        return {**base, **own}

    def _filled(self, value: Any) -> Any:
        """A question with the values that named words have got."""
        if isinstance(value, dict):
            return {key: self._filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        if isinstance(value, str):
            return WORD.sub(lambda found: str(self._bound[found[0]]) if found[2] else found[0], value)
        return value

    def _differ(self, expected: Any, actual: Any, place: str) -> Iterator[str]:
        word = WORD.fullmatch(expected) if isinstance(expected, str) else None
        if word is not None:
            yield from self._differ_from_word(word, actual, place)
        elif isinstance(expected, dict) and isinstance(actual, dict):
            missing, extra = expected.keys() - actual.keys() - {"<more>"}, actual.keys() - expected.keys()
            if missing or (extra and "<more>" not in expected):
                yield f"{place} lacks {sorted(missing)}, has {sorted(extra)} too"
            for key in expected.keys() & actual.keys():
                yield from self._differ(expected[key], actual[key], f"{place}.{key}")
        elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
            for number, (wanted, got) in enumerate(zip(expected, self._lined_up(expected, actual), strict=True)):
                yield from self._differ(wanted, got, f"{place}[{number}]")
        elif expected != actual or type(expected) is not type(actual):
            yield f"{place} is {actual!r} instead of {expected!r}"

    def _lined_up(self, expected: list[Any], actual: list[Any]) -> list[Any]:
        """Objects in the order in which they are expected; whichever fit none come last."""
        if not all(isinstance(item, dict) for item in actual):
            return actual
        rest, found = list(actual), []
        for wanted in expected:
            bound = dict(self._bound)
            match = next((item for item in rest if not any(self._differ(wanted, item, ""))), None)
            self._bound = bound
            if match is None:
                return actual
            rest.remove(match)
            found.append(match)
        return found

    def _differ_from_word(self, word: re.Match[str], actual: Any, place: str) -> Iterator[str]:
        kind = word[1]
        fits = (
            isinstance(actual, TYPES[kind])
            if kind in TYPES
            else isinstance(actual, str) and WORDS[kind].fullmatch(actual)
        )
        if not fits:
            yield f"{place} is {actual!r} instead of a {kind}"
        elif word[2] and self._bound.setdefault(word[0], actual) != actual:
            yield f"{place} is {actual!r}, but {word[0]} was {self._bound[word[0]]!r}"
