"""Converts conditions back to JSON filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .conditions import And, Condition, Dated, Equal, Exists, In, Not, Or, Prefix, Range
from .dates import date_text
from .values import BOOLEAN, Scalar


def show_filter(condition: Condition) -> dict[str, Any]:
    """Return a condition as a JSON filter. `parse_filter` turns the filter into an equal condition.

    Several tests of one field become an `and` group. This group counts towards the maximum number
    of groups in a filter.
    """
    match condition:
        case And(parts):
            return _contains(parts) or _all([show_filter(part) for part in parts])
        case Or(parts):
            return {"or": [show_filter(part) for part in parts]}
        case In(key, values):
            return {key: {"in": [_value(kind, value) for kind, value in values]}}
        case Not(Equal(key, kind, value)):
            return {key: {"ne": _value(kind, value)}}
        case Not(Exists(key)):
            return {key: {"exists": False}}
        case Not(part):
            return {"not": show_filter(part)}
        case Equal(key, kind, value):
            return {key: {"eq": _value(kind, value)}}
        case Range(key, _, bounds):
            return {key: dict(bounds)}
        case Prefix(key, text):
            return {key: {"prefix": text}}
        case Dated(key, bounds):
            return {key: {"date": {name: date_text(at) for name, at in bounds}}}
        case Exists(key):
            return {key: {"exists": True}}


def _all(shown: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join JSON filters, all of which must be true, into one filter.

    Filters on different fields become one object with several fields. Other filters become an `and`
    group.
    """
    names = {name for part in shown for name in part}
    if len(shown) > 1 and all(len(part) == 1 for part in shown) and len(names) == len(shown):
        return {name: test for part in shown for name, test in part.items()}
    return {"and": list(shown)}


def _contains(parts: Sequence[Condition]) -> dict[str, Any] | None:
    """Return the parts of an `And` as a JSON filter with the operator `contains`.

    Returns None unless all parts are `Equal` conditions on the same field.
    """
    equal = [part for part in parts if isinstance(part, Equal)]
    if not parts or len(equal) < len(parts) or len({part.key for part in equal}) > 1:
        return None
    return {equal[0].key: {"contains": [_value(part.kind, part.value) for part in equal]}}


def _value(kind: int, value: Scalar) -> Scalar:
    return bool(value) if kind == BOOLEAN else value
