"""Short hands for rows of operations that are told in a few words each."""

from __future__ import annotations

from gateway.versions import ApiVersion
from translators.options.row import Fate, Option, Place

UNIT, CONTRACT, E2E = "tests/unit/translators", "tests/contract", "tests/e2e"
HONOURED, PLAIN, MAPPED, REFUSED, WARNED = Fate.HONOURED, Fate.PLAIN, Fate.MAPPED, Fate.REFUSED, Fate.WARNED


def rows(operation: str, place: Place, proof: str, **options: str | tuple[Fate, str]) -> list[Option]:
    """Make rows; ``__`` in a name stands for ``-``. A text is ``[since] [needs:capability] note`` of an honoured one."""
    made = []
    for name, said in options.items():
        fate, text = said if isinstance(said, tuple) else (HONOURED, said)
        since, needs, words = ApiVersion(1, 24), "", text.split()
        if words and words[0].startswith("1."):
            since = ApiVersion.parse(words.pop(0))
        if words and words[0].startswith("needs:"):
            needs = words.pop(0).removeprefix("needs:")
        made.append(
            Option(
                operation=operation, place=place, name=name.replace("__", "-"), fate=fate, note=" ".join(words),
                since=since, needs=needs, without=REFUSED, proof="" if fate is PLAIN else proof,
            )
        )  # fmt: skip
    return made


def query(operation: str, proof: str, **options: str | tuple[Fate, str]) -> list[Option]:
    return rows(operation, Place.QUERY, proof, **options)


def body(operation: str, proof: str, **options: str | tuple[Fate, str]) -> list[Option]:
    return rows(operation, Place.BODY, proof, **options)
