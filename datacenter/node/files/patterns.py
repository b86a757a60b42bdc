"""Patterns of file names as Go's filepath.Match has them: no star crosses a slash."""

from __future__ import annotations

import re

MAGIC = frozenset("*?[\\")


def match(pattern: str, name: str) -> bool:
    """Whether a whole path matches. Raises ValueError for a malformed pattern."""
    return re.fullmatch(regex(pattern), name, re.DOTALL) is not None


def regex(pattern: str) -> str:
    """Translate a pattern; ``**`` as a whole part stands for any folders, as in .dockerignore. Raises ValueError."""
    found, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*" and pattern[at : at + 1] == "*":
            at += 1
            if pattern[at : at + 1] == "/":
                at += 1
                found += "(?:.*/)?"
            else:
                found += ".*"
        elif char == "*":
            found += "[^/]*"
        elif char == "?":
            found += "[^/]"
        elif char == "[":
            end = _class_end(pattern, at)
            found += _class(pattern[at:end])
            at = end + 1
        elif char == "\\":
            if at == len(pattern):
                raise ValueError(f"syntax error in pattern: {pattern}")
            found += re.escape(pattern[at])
            at += 1
        else:
            found += re.escape(char)
    return found


def _class_end(pattern: str, at: int) -> int:
    end = pattern.find("]", at + 1)
    if end < 0:
        raise ValueError(f"syntax error in pattern: {pattern}")
    return end


def _class(inner: str) -> str:
    negated = inner.startswith(("^", "!"))
    body = inner[1:] if negated else inner
    parts = re.findall(r"\\?(.)(?:-\\?(.))?", body, re.DOTALL)
    if not parts or any(last and last < first for first, last in parts):
        raise ValueError(f"syntax error in pattern: [{inner}]")
    ranges = "".join(re.escape(first) + (f"-{re.escape(last)}" if last else "") for first, last in parts)
    return f"[{'^' if negated else ''}{ranges}]"
