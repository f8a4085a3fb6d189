"""Filters as people make them: a field, an operator and a value instead of JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import orjson

from ...core import InvalidInputError
from ...core.filters import BOOLEAN, NUMBER, flatten

OPERATORS = {"eq": "is", "gte": "is at least", "lte": "is at most", "exists": "has a value"}
"""Operators of the form, with their words."""
COMBINING = ("and", "or", "not")
"""Keys of a filter that are no fields."""
CHIPS = 12
"""Values of a document's metadata that are shown as chips."""
CHIP = 60
"""Characters shown of a value."""
LONGEST = 200
"""Characters of a value that a chip filters by."""

Kinds = Mapping[str, Set[int]]
"""Field -> kinds of its values."""


def parse(text: str) -> dict[str, Any] | None:
    """The filter of a field of a form; None when it is empty. Raises InvalidInputError."""
    if not text.strip():
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"is not JSON: {error}", field="filter") from None
    if not isinstance(value, dict):
        raise InvalidInputError(
            'must be a JSON object, such as {"year": {"gte": 1990}}', field="filter"
        )
    return value


def condition(field: str, operator: str, value: str, kinds: Kinds) -> dict[str, Any]:
    """The condition that a row of the form means; a text becomes a value of the field's kind.

    Raises InvalidInputError for an unknown operator, a missing value or one of another kind.
    """
    if operator not in OPERATORS:
        raise InvalidInputError(
            f"must be one of {', '.join(OPERATORS)}, got {operator!r}", field="operator"
        )
    if field in COMBINING:
        raise InvalidInputError(f"{field!r} combines conditions and is no field", field="field")
    if operator == "exists":
        return {field: {"exists": True}}
    if not value:
        raise InvalidInputError(
            f"is missing: what shall {field!r} be compared with?", field="value"
        )
    values = _typed(value, kinds.get(field, frozenset()))
    if not values:
        raise InvalidInputError(
            f"{field!r} has only numbers or true and false, got {value!r}", field="value"
        )
    if operator == "eq":
        return {field: values[0] if len(values) == 1 else {"in": values}}
    return {field: {operator: values[0]}}


def _typed(text: str, kinds: Set[int]) -> list[Any]:
    """The values that a text may mean; of an unknown field whatever it looks like."""
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
    """A filter of both; what is there already is not added again."""
    if not present:
        return dict(added)
    parts = _parts(present)
    return _all([*parts, *(part for part in _parts(added) if part not in parts)])


def _parts(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The conditions that must all hold."""
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
    """As the field of a form holds it."""
    return orjson.dumps(value).decode() if value else ""


def active(value: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """The conditions in words, each with the filter that is left `without` it."""
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
    """A value of the metadata as people read it."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _value(value: Any) -> str:
    text = as_text(value)
    return text if len(text) <= CHIP else text[:CHIP] + "…"


def chips(
    metadata: Mapping[str, Any], present: Mapping[str, Any] | None
) -> tuple[list[dict[str, Any]], int]:
    """The values of a document, each with the `filter` that adds it to the present one (None where
    a filter cannot name it); and how many more there are."""
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
