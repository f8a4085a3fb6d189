"""Parts of Twindex filters, from which adapters build the filters of a framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.errors import InvalidInputError, shown

_GROUPS = ("and", "or", "not")
NOTHING: dict[str, Any] = {"or": []}
"""A filter that no document meets."""


def field_name(value: object) -> str:
    """Return the name of a field. Raises InvalidInputError for a name that no filter can test."""
    if not isinstance(value, str):
        raise InvalidInputError(
            f"the name of a field must be a string, got {shown(value)}", field="filter"
        )
    if value in _GROUPS:
        raise InvalidInputError(
            f"a filter cannot test a field with the name {value!r}; rename the field of the "
            "metadata",
            field="filter",
        )
    return value


def compare(name: object, operator: str, value: Any) -> dict[str, Any]:
    """Return a filter with one test of one field."""
    return {field_name(name): {operator: value}}


def every(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a filter that is true if all parts are true."""
    return parts[0] if len(parts) == 1 else {"and": list(parts)}


def some(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a filter that is true if at least one part is true."""
    return parts[0] if len(parts) == 1 else {"or": list(parts)}


def no(part: dict[str, Any]) -> dict[str, Any]:
    """Return a filter that is true if the part is false."""
    return {"not": part}


def joined(*filters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a filter that is true if all given filters are true. None: every document."""
    given = [one for one in filters if one is not None]
    return every(given) if given else None
