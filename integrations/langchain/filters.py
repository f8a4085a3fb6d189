"""Translates LangChain's filters to Twindex filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from langchain_core.structured_query import (
    Comparator,
    Comparison,
    FilterDirective,
    Operation,
    Operator,
    StructuredQuery,
    Visitor,
)

from ...core.errors import InvalidInputError, shown
from ..conditions import compare, every, no, some

_RANGE = {
    Comparator.EQ: "eq",
    Comparator.GT: "gt",
    Comparator.GTE: "gte",
    Comparator.LT: "lt",
    Comparator.LTE: "lte",
}
_DATES = {"date": "date", "datetime": "datetime"}
"""Type of a date of LangChain -> key of its ISO 8601 text."""


def to_filter(value: Any) -> dict[str, Any] | None:
    """Return a filter as a Twindex filter.

    value: a Twindex filter, which is returned unchanged; a Comparison or an Operation of
           `langchain_core.structured_query`; or None.

    Raises InvalidInputError for a comparison that Twindex cannot express.
    """
    if value is None:
        return None
    if isinstance(value, FilterDirective):
        found: dict[str, Any] = value.accept(TwindexTranslator())
        return found
    if not isinstance(value, Mapping):
        raise InvalidInputError(
            "must be a Twindex filter such as {'year': {'gte': 1990}}, or a Comparison or "
            f"Operation of langchain_core.structured_query, got {shown(value)}",
            field="filter",
        )
    return dict(value)


class TwindexTranslator(Visitor):
    """Translates a structured query, for retrievers that write filters with a language model."""

    allowed_comparators: Sequence[Comparator] | None = (
        *_RANGE,
        Comparator.NE,
        Comparator.IN,
        Comparator.NIN,
        Comparator.CONTAIN,
    )
    allowed_operators: Sequence[Operator] | None = tuple(Operator)

    def visit_operation(self, operation: Operation) -> dict[str, Any]:
        """Return the filter of an `and`, `or` or `not`. A `not` has exactly one argument."""
        parts = [one.accept(self) for one in operation.arguments]
        if operation.operator == Operator.AND:
            return every(parts)
        if operation.operator == Operator.OR:
            return some(parts)
        if len(parts) != 1:
            raise InvalidInputError(
                f"`not` must have 1 argument, got {len(parts)}; combine the arguments with `and` "
                "or `or`",
                field="filter",
            )
        return no(parts[0])

    def visit_comparison(self, comparison: Comparison) -> dict[str, Any]:
        """Return the filter of a comparison. Raises InvalidInputError for `like`."""
        name, value = comparison.attribute, comparison.value
        if comparison.comparator in _RANGE:
            return _range(name, _RANGE[comparison.comparator], value)
        if comparison.comparator == Comparator.NE:
            return no(_range(name, "eq", value))
        if comparison.comparator in (Comparator.IN, Comparator.NIN):
            if not isinstance(value, list | tuple):
                raise InvalidInputError(
                    f"must be a list, got {shown(value)}", field=f"filter.{name}"
                )
            among = some([_range(name, "eq", one) for one in value])
            return among if comparison.comparator == Comparator.IN else no(among)
        if comparison.comparator == Comparator.CONTAIN:
            return compare(name, "contains", value)
        raise InvalidInputError(
            f"the comparator {comparison.comparator.value!r} cannot be expressed; use `eq`, `in`, "
            "`contain`, or a Twindex filter with `prefix`",
            field=f"filter.{name}",
        )

    def visit_structured_query(
        self, structured_query: StructuredQuery
    ) -> tuple[str, dict[str, Any]]:
        """Return the query text, and the keyword arguments of a search."""
        given: dict[str, Any] = {}
        if structured_query.filter is not None:
            given["filter"] = structured_query.filter.accept(self)
        if structured_query.limit is not None:
            given["k"] = structured_query.limit
        return structured_query.query, given


def _range(name: str, operator: str, value: Any) -> dict[str, Any]:
    """Return the test of one value. Dates are compared as instants."""
    if isinstance(value, date):
        return compare(name, "date", {operator: value.isoformat()})
    if isinstance(value, Mapping) and value.get("type") in _DATES:
        return compare(name, "date", {operator: value.get(_DATES[value["type"]])})
    return compare(name, operator, value)
