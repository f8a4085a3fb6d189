"""Turns a condition on a field into a range of values, for a lookup in an index of SQLite."""

from __future__ import annotations

from ....core.filters import Dated, Equal, Operator, Prefix, Range, Scalar

Bounds = tuple[tuple[Operator, Scalar], ...]


def bounds_of(condition: Equal | Range | Prefix | Dated) -> Bounds:
    """Return (operator, bound) pairs. A value meets the condition if it meets all pairs.

    The bound of a date is in microseconds since 1970.
    """
    match condition:
        case Equal(_, _, value):
            return (("eq", value),)
        case Prefix(_, text):
            return _prefixed(text)
    return condition.bounds


def _prefixed(text: str) -> Bounds:
    """Return bounds that strings with the prefix `text` meet, and no other strings."""
    # The range ends before the next greater text. There is no character after U+10FFFF.
    stem = text.rstrip("\U0010ffff")
    if not stem:
        return (("gte", text),)
    after = ord(stem[-1]) + 1
    after = 0xE000 if after == 0xD800 else after  # Skip the surrogates.
    return (("gte", text), ("lt", stem[:-1] + chr(after)))
