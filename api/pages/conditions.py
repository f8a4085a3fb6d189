"""Filters of the search form, in which a user enters a field, an operator and a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import orjson

from ...core import InvalidInputError
from ...core.filters import BOOLEAN, NUMBER, flatten

OPERATORS = {"eq": "is", "gte": "is at least", "lte": "is at most", "exists": "has a value"}
"""Operator of a filter -> how the form shows it."""
COMBINING = ("and", "or", "not")
"""Keys of a filter that combine conditions and are not fields."""
CHIPS = 12
"""Maximum number of metadata values of a document that the page shows, as links (chips)."""
CHIP = 60
"""Maximum number of characters of a metadata value that the page shows."""
LONGEST = 200
"""Maximum length in characters of a value that a chip can add to the filter."""

Kinds = Mapping[str, Set[int]]
"""Metadata field -> kinds of its values in the collection, such as NUMBER."""


def parse(text: str) -> dict[str, Any] | None:
    """Return the filter in a JSON text; None for an empty text. Raises InvalidInputError."""
    if not text.strip():
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"is not JSON ({error})", field="filter") from None
    if not isinstance(value, dict):
        raise InvalidInputError(
            'must be a JSON object, such as {"year": {"gte": 1990}}', field="filter"
        )
    return value


def condition(field: str, operator: str, value: str, kinds: Kinds) -> dict[str, Any]:
    """Return the filter for a field, an operator and a value that were entered in the form.

    Converts the value to a kind that the field has. Raises InvalidInputError for an unknown
    operator, and for a value that is missing or of a kind that the field does not have.
    """
    if operator not in OPERATORS:
        raise InvalidInputError(
            f"must be one of {', '.join(OPERATORS)}, got {operator!r}", field="operator"
        )
    if field in COMBINING:
        raise InvalidInputError(
            f"{field!r} is an operator, not a field; enter a metadata field", field="field"
        )
    if operator == "exists":
        return {field: {"exists": True}}
    if not value:
        raise InvalidInputError(
            f"is missing; enter a value to compare {field!r} with", field="value"
        )
    values = _typed(value, kinds.get(field, frozenset()))
    if not values:
        raise InvalidInputError(
            f"must be a number, true or false, as the values of {field!r} are; got {value!r}",
            field="value",
        )
    if operator == "eq":
        return {field: values[0] if len(values) == 1 else {"in": values}}
    return {field: {operator: values[0]}}


def _typed(text: str, kinds: Set[int]) -> list[Any]:
    """Return what a text can mean: the values of the given kinds that it can stand for.

    If `kinds` is empty, returns the number or boolean that the text stands for, else the text.
    """
    found: list[Any] = []
    try:
        literal = orjson.loads(text)
    except orjson.JSONDecodeError:
        literal = None
    number = isinstance(literal, int | float) and not isinstance(literal, bool)
    if number and (NUMBER in kinds or not kinds):
        found.append(literal)
    if isinstance(literal, bool) and (BOOLEAN in kinds or not kinds):
        found.append(literal)
    if kinds - {NUMBER, BOOLEAN} or not (kinds or found):
        found.append(text)
    return found


def joined(present: Mapping[str, Any] | None, added: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filter with the conditions of both filters. None: no filter."""
    if not present:
        return dict(added)
    parts = _parts(present)
    return _all([*parts, *(part for part in _parts(added) if part not in parts)])


def removed(
    present: Mapping[str, Any] | None, condition: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return a filter without one of its conditions; None if it does not have the condition."""
    parts = _parts(present) if present else []
    if condition not in parts:
        return None
    return _all([part for part in parts if part != condition])


def _parts(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the conditions that a filter combines with "and", each as a filter of its own."""
    if set(value) == {"and"} and isinstance(value["and"], list):
        inner = [part for part in value["and"] if isinstance(part, Mapping)]
        if len(inner) == len(value["and"]):
            return [dict(part) for part in inner]
    return [{name: condition} for name, condition in value.items()]


def _all(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = [name for part in parts for name in part]
    if len(set(names)) == len(names):
        return {name: condition for part in parts for name, condition in part.items()}
    return {"and": [dict(part) for part in parts]}


def dumped(value: Mapping[str, Any] | None) -> str:
    """Return a filter as JSON for the form; an empty text for no filter."""
    return orjson.dumps(value).decode() if value else ""


def active(value: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Return an entry for each condition of a filter.

    `text` describes the condition. `without` is the filter without this condition, as JSON.
    """
    parts = _parts(value) if value else []
    return [
        {"text": _words(part), "without": dumped(_all(parts[:i] + parts[i + 1 :]))}
        for i, part in enumerate(parts)
    ]


def _words(part: Mapping[str, Any]) -> str:
    if len(part) == 1:
        ((name, inner),) = part.items()
        if isinstance(inner, Mapping) and len(inner) == 1 and name not in COMBINING:
            ((operator, value),) = inner.items()
            if operator == "exists":
                return f"{name} {'has a value' if value else 'has no value'}"
            if operator in OPERATORS:
                return f"{name} {OPERATORS[operator]} {_value(value)}"
        if not isinstance(inner, Mapping | list):
            return f"{name} is {_value(inner)}"
    return _value(part)


def as_text(value: Any) -> str:
    """Return a metadata value as text: a string unchanged, another value as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _value(value: Any) -> str:
    text = as_text(value)
    return text if len(text) <= CHIP else text[:CHIP] + "…"


def chips(
    metadata: Mapping[str, Any], present: Mapping[str, Any] | None
) -> tuple[list[dict[str, Any]], int]:
    """Return chips for the first metadata values of a document, and the number of other values.

    A chip has `name` and `value` of the metadata field, and `filter`: JSON of the filter `present`
    with the added condition that the field has this value. `filter` is None if a filter cannot
    contain the value.
    """
    rows = list(flatten(metadata))
    found = []
    for name, kind, value in rows[:CHIPS]:
        shown = bool(value) if kind == BOOLEAN else value
        usable = name.partition(".")[0] not in COMBINING and len(str(value)) <= LONGEST
        found.append(
            {
                "name": name,
                "value": _value(shown),
                "filter": dumped(joined(present, {name: shown})) if usable else None,
            }
        )
    return found, len(rows) - len(found)
