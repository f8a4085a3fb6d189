"""Translates metadata filters of LlamaIndex to Twindex filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

from ...core.errors import InvalidInputError, shown
from ..conditions import compare, every, no, some

_RANGE = {
    FilterOperator.GT: "gt",
    FilterOperator.GTE: "gte",
    FilterOperator.LT: "lt",
    FilterOperator.LTE: "lte",
}
_NEEDS_LIST = (FilterOperator.IN, FilterOperator.NIN, FilterOperator.ANY, FilterOperator.ALL)


def to_filter(value: Any) -> dict[str, Any] | None:
    """Return a filter as a Twindex filter.

    value: MetadataFilters; a Twindex filter, which is returned unchanged; or None.

    Raises InvalidInputError for a filter that Twindex cannot express.
    """
    if value is None:
        return None
    if isinstance(value, MetadataFilters):
        return _group(value)
    if not isinstance(value, Mapping):
        raise InvalidInputError(
            f"must be MetadataFilters or a Twindex filter, got {shown(value)}", field="filters"
        )
    return dict(value)


def _group(filters: MetadataFilters) -> dict[str, Any] | None:
    parts = [
        _group(one) if isinstance(one, MetadataFilters) else _one(one) for one in filters.filters
    ]
    known = [part for part in parts if part is not None]
    if not known:
        return None
    if filters.condition == FilterCondition.OR:
        return some(known)
    if filters.condition == FilterCondition.NOT:
        return no(some(known))
    return every(known)


def _one(given: MetadataFilter) -> dict[str, Any]:
    name, operator, value = given.key, given.operator, given.value
    place = f"filters.{name}"
    if operator == FilterOperator.IS_EMPTY:
        return some([compare(name, "exists", False), compare(name, "eq", "")])
    if operator in (FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE):
        raise InvalidInputError(
            f"the operator {operator.value!r} cannot be expressed; use `==` or `in`, a Twindex "
            "filter with `prefix`, or search the text with a lexical leg",
            field=place,
        )
    if operator in _NEEDS_LIST and not isinstance(value, list):
        raise InvalidInputError(
            f"the operator {operator.value!r} requires a list, got {shown(value)}", field=place
        )
    if operator not in _NEEDS_LIST and (value is None or isinstance(value, list)):
        raise InvalidInputError(
            f"the operator {operator.value!r} requires a string or a number, got {shown(value)}",
            field=place,
        )
    if operator == FilterOperator.EQ:
        return compare(name, "eq", value)
    if operator == FilterOperator.NE:
        return compare(name, "ne", value)
    if operator in _RANGE:
        return compare(name, _RANGE[operator], value)
    if operator in (FilterOperator.IN, FilterOperator.ANY):
        return compare(name, "in", value)
    if operator == FilterOperator.NIN:
        return no(compare(name, "in", value))
    return compare(name, "contains", value)  # ALL and CONTAINS
