"""Which of the found documents meet a condition, computed from the values of fields.

A search finds at most some thousand documents. To test these is faster than to select all documents
of a collection that meet the condition.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from ...core.filters import (
    OWN,
    STRING,
    And,
    Condition,
    Dated,
    Equal,
    Exists,
    In,
    Not,
    Or,
    Prefix,
    Range,
)
from ...index import Handles, View
from ...index.field_values import NO_DATE, Value, Values

Mask = NDArray[np.bool_]


def meeting(view: View, condition: Condition, documents: Handles) -> Mask:
    """Return for each of n documents whether it meets a condition, as `core.filters.meets` does.

    documents: int64 [n], handles.
    """
    match condition:
        case And(parts):
            return _all(view, parts, documents)
        case Or(parts):
            return ~_all(view, tuple(Not(part) for part in parts), documents)
        case Not(part):
            return ~meeting(view, part, documents)
    if isinstance(condition, Exists) or condition.key in OWN:
        # A field nested inside a field counts for `Exists`, and an empty title is a title.
        return np.isin(documents, view.matching(condition))
    values = view.values(condition.key, documents)
    found = np.zeros(len(documents), dtype=np.bool_)
    found[values.positions[_chosen(condition, values.values)[values.codes]]] = True
    return found


def _all(view: View, parts: tuple[Condition, ...], documents: Handles) -> Mask:
    found = np.ones(len(documents), dtype=np.bool_)
    for part in parts:
        found &= meeting(view, part, documents)
    return found


def _chosen(condition: Equal | In | Range | Prefix | Dated, values: Values) -> Mask:
    """Return which of some distinct values meet a condition."""
    found = np.zeros(len(values), dtype=np.bool_)
    match condition:
        case Equal(_, kind, value):
            found[_span(values, (kind, value))] = True
        case In(values=accepted):
            for one in accepted:
                found[_span(values, one)] = True
        case Range(_, kind, bounds):
            low, high = _of_kind(values, kind)
            for operator, bound in bounds:
                low, high = _narrowed(values, low, high, operator, (kind, bound))
            found[low:high] = True
        case Prefix(_, text):
            low, high = bisect_left(values, (STRING, text)), _of_kind(values, STRING)[1]
            high = bisect_left(
                values, True, low, high, key=lambda one: not str(one[1]).startswith(text)
            )
            found[low:high] = True
        case Dated(_, dates):
            instants = values.instants
            found = instants != NO_DATE
            for operator, at in dates:
                found &= _COMPARE[operator](instants, at)
    return found


def _of_kind(values: Values, kind: int) -> tuple[int, int]:
    """Return the range of the values of one kind."""
    low = bisect_left(values, kind, key=itemgetter(0))
    return low, bisect_right(values, kind, key=itemgetter(0))


def _narrowed(values: Values, low: int, high: int, operator: str, bound: Value) -> tuple[int, int]:
    """Return the part of the range [low, high) whose values meet a bound."""
    left, right = bisect_left(values, bound), bisect_right(values, bound)
    match operator:
        case "gt":
            low = max(low, right)
        case "gte":
            low = max(low, left)
        case "lt":
            high = min(high, left)
        case "lte":
            high = min(high, right)
        case _:
            low, high = max(low, left), min(high, right)
    return low, max(low, high)


def _span(values: Values, value: Value) -> slice:
    return slice(bisect_left(values, value), bisect_right(values, value))


_COMPARE = {
    "eq": np.equal,
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}
