"""Translates filters of Haystack to Twindex filters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from haystack.errors import FilterError

from ...core.errors import InvalidInputError, shown
from ...core.filters.dates import instant
from ..conditions import NOTHING, compare, every, no, some

_RANGE = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_COMPARISONS = ("==", "!=", *_RANGE, "in", "not in")
_LOGIC = ("AND", "OR", "NOT")
_NOT_STORED = ("content", "blob", "score", "embedding", "sparse_embedding")
"""Fields of a Haystack document that a filter cannot test."""


class TwindexFilterError(InvalidInputError, FilterError):
    """A filter is invalid, or Twindex cannot express it."""


def to_filter(value: Any) -> dict[str, Any] | None:
    """Return a filter of Haystack as a Twindex filter. None for None and for an empty filter.

    Raises TwindexFilterError for a filter that is invalid or that Twindex cannot express.
    """
    if value is None or value == {}:
        return None
    try:
        return _condition(value, "filters")
    except TwindexFilterError:
        raise
    except InvalidInputError as error:
        raise TwindexFilterError(error.message, field=error.field) from None


def _condition(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TwindexFilterError(f"must be an object, got {shown(value)}", field=place)
    if "field" in value:
        return _comparison(value, place)
    operator = _get(value, "operator", place)
    conditions = _get(value, "conditions", place)
    if operator not in _LOGIC:
        raise TwindexFilterError(
            f"must be one of {', '.join(_LOGIC)}, got {shown(operator)}", field=f"{place}.operator"
        )
    if not isinstance(conditions, list | tuple):
        raise TwindexFilterError(
            f"must be a list, got {shown(conditions)}", field=f"{place}.conditions"
        )
    parts = [_condition(one, f"{place}.conditions[{i}]") for i, one in enumerate(conditions)]
    if operator == "OR":
        return some(parts)
    return every(parts) if operator == "AND" else no(every(parts))


def _get(value: Mapping[str, Any], name: str, place: str) -> Any:
    if name not in value:
        raise TwindexFilterError(f"must have the key {name!r}", field=place)
    return value[name]


def _comparison(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    name = _name(given["field"], place)
    operator, value = _get(given, "operator", place), _get(given, "value", place)
    place = f"{place}.value"
    if operator == "==":
        return _equal(name, value, place)
    if operator == "!=":
        return no(_equal(name, value, place))
    if operator in ("in", "not in"):
        if not isinstance(value, list):
            raise TwindexFilterError(f"must be a list, got {shown(value)}", field=place)
        parts = [_equal(name, one, f"{place}[{i}]") for i, one in enumerate(value)]
        return some(parts) if operator == "in" else no(some(parts))
    if operator in _RANGE:
        return _range(name, _RANGE[operator], value, place)
    raise TwindexFilterError(
        f"must be one of {', '.join(_COMPARISONS)}, got {shown(operator)}",
        field=f"{place.removesuffix('.value')}.operator",
    )


def _name(field: Any, place: str) -> str:
    """Return the name of a field without the prefix `meta.`."""
    if not isinstance(field, str):
        raise TwindexFilterError(f"must be a string, got {shown(field)}", field=f"{place}.field")
    root = field.partition(".")[0]
    if root in _NOT_STORED:
        raise TwindexFilterError(
            f"{field!r} cannot be tested by a filter; only `id` and fields of `meta` can",
            field=f"{place}.field",
        )
    return field.removeprefix("meta.")


def _equal(name: str, value: Any, place: str) -> dict[str, Any]:
    """Return the test for a value. None means that the field is absent. Equal dates are equal."""
    if value is None:
        return compare(name, "exists", False)
    if isinstance(value, date):
        return compare(name, "date", {"eq": value.isoformat()})
    if not isinstance(value, str | bool | int | float):
        raise TwindexFilterError(
            f"must be a string, a number, a boolean, a date or null, got {shown(value)}",
            field=place,
        )
    equal = compare(name, "eq", value)
    if isinstance(value, str) and instant(value) is not None:
        return some([equal, compare(name, "date", {"eq": value})])
    return equal


def _range(name: str, operator: str, value: Any, place: str) -> dict[str, Any]:
    """Return the test of a bound: a number or a date. Nothing is above or below None."""
    if value is None:
        return dict(NOTHING)
    if isinstance(value, datetime | date):
        return compare(name, "date", {operator: value.isoformat()})
    if isinstance(value, str):
        if instant(value) is None:
            raise TwindexFilterError(
                "the operators >, >=, < and <= require a number or an ISO 8601 date, got "
                f"{shown(value)}",
                field=place,
            )
        return compare(name, "date", {operator: value})
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TwindexFilterError(
            f"the operators >, >=, < and <= require a number or a date, got {shown(value)}",
            field=place,
        )
    return compare(name, operator, value)
