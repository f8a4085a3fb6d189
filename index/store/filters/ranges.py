"""Conditions as ranges of values, which an index can look up."""

from __future__ import annotations

from ....core.filters import Dated, Equal, Operator, Prefix, Range, Scalar

Bounds = tuple[tuple[Operator, Scalar], ...]


def bounds_of(condition: Equal | Range | Prefix | Dated) -> Bounds:
    """What one value of the field must meet; of a date, in microseconds."""
    match condition:
        case Equal(_, _, value):
            return (("eq", value),)
        case Prefix(_, text):
            return _prefixed(text)
    return condition.bounds


def _prefixed(text: str) -> Bounds:
    """The range of the strings that begin with `text`."""
    # It ends before the first text that is greater than all of these; nothing is after U+10FFFF.
    stem = text.rstrip("\U0010ffff")
    if not stem:
        return (("gte", text),)
    after = ord(stem[-1]) + 1
    after = 0xE000 if after == 0xD800 else after  # Surrogates are no text.
    return (("gte", text), ("lt", stem[:-1] + chr(after)))
