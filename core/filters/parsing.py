"""Parses filters: conditions on metadata, as JSON (docs/filters.md).

    {"year": 1999}                                equal (also {"year": {"eq": 1999}})
    {"year": {"ne": 1999}}                        not equal, or absent
    {"year": {"gte": 1990, "lt": 2000}}           range: gt, gte, lt, lte
    {"genre": {"in": ["drama", "comedy"]}}        one of
    {"genres": {"contains": ["drama", "war"]}}    a list that holds all of these
    {"path": {"prefix": "docs/"}}                 a string that begins with docs/
    {"director": {"exists": false}}               absent or null
    {"day": {"date": {"gte": "2024-05-01T00:00:00+02:00"}}}   ISO 8601, compared as instants
    {"and": [...]}, {"or": [...]}, {"not": {...}} combined; several fields in one object: and

Fields of nested objects are written with dots ("author.name"). `id` and `title` test the document's
own id and title, and also metadata fields with these names. On a list, `eq`, `in`, `prefix`,
`date` and ranges are true if at least one element meets them; `ne` is true if no element is equal.
Types are strict: 1 is not "1" and not true, but 1 equals 1.0. Strings compare by code point.

A filter has at most `MAX_CONDITIONS` conditions. Each compared value and each `not` counts as a
condition. A filter also has at most `MAX_CONDITIONS` groups (`and`, `or`), and at most `MAX_DEPTH`
levels of nesting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast, overload

from ..errors import InvalidInputError, shown
from ..unicode import checked_text
from .conditions import (
    And,
    Condition,
    Dated,
    Equal,
    Exists,
    In,
    Not,
    Operator,
    Or,
    Prefix,
    Range,
    constant,
    tested,
)
from .dates import instant
from .values import BOOLEAN, typed

MAX_DEPTH = 32
MAX_CONDITIONS = 1_000
_RANGE: tuple[Operator, ...] = ("gt", "gte", "lt", "lte")
_DATE_OPERATORS: tuple[Operator, ...] = ("eq", *_RANGE)
_SAMPLE = "{'year': {'gte': 1990}}"
_OPERATORS = ("eq", "ne", "in", "contains", "prefix", "exists", "date", *_RANGE)


Filter = Mapping[str, Any] | Condition
"""A filter as a JSON object, or as a parsed condition."""


@overload
def parse_filter(value: Filter) -> Condition: ...
@overload
def parse_filter(value: None) -> None: ...
@overload
def parse_filter(value: Filter | None) -> Condition | None: ...
def parse_filter(value: Filter | None) -> Condition | None:
    """Check a JSON filter and return the condition that it describes.

    None and a parsed condition are returned unchanged. Raises InvalidInputError, which names the
    wrong part of the filter.
    """
    if value is None or isinstance(value, Condition):
        return value
    return _Parser().condition(value, "filter", 0)


def check_selective(condition: Condition) -> None:
    """Raise InvalidInputError if a condition is too broad for a deletion.

    A condition is too broad if every document meets it or if it names no field.
    """
    if constant(condition) or not tested(condition):
        raise InvalidInputError(
            "matches every document or names no field, so it could delete everything; "
            "use a filter on a field, or delete the collection to delete all documents",
            field="filter",
        )


class _Parser:
    """Parses one filter and counts its conditions and groups."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def condition(self, value: Any, place: str, depth: int) -> Condition:
        if not isinstance(value, Mapping):
            raise InvalidInputError(
                f"must be an object such as {_SAMPLE}, got {shown(value)}", field=place
            )
        if depth > MAX_DEPTH:
            raise InvalidInputError(
                f"is nested deeper than {MAX_DEPTH} levels; use fewer levels", field=place
            )
        parts: list[Condition] = []
        for name, inner in _items(value, place):
            here = f"{place}.{name}"
            if name in ("and", "or"):
                if not isinstance(inner, list | tuple):
                    raise InvalidInputError(
                        f"must be a list of conditions, got {shown(inner)}", field=here
                    )
                self._count(1, here, "groups (`and`, `or`)")
                listed = [
                    self.condition(item, f"{here}[{i}]", depth + 1) for i, item in enumerate(inner)
                ]
                parts.append(And(tuple(listed)) if name == "and" else Or(tuple(listed)))
            elif name == "not":
                self._count(1, here)
                parts.append(Not(self.condition(inner, here, depth + 1)))
            else:
                parts.extend(self._field(name, inner, here))
        if not parts:
            self._count(1, place)
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _field(self, key: str, test: Any, place: str) -> Iterator[Condition]:
        tests = dict(_items(test, place)) if isinstance(test, Mapping) else {"eq": test}
        if not tests:
            raise InvalidInputError(
                f"has no operator; use one of {', '.join(_OPERATORS)}", field=place
            )
        unknown = [name for name in tests if name not in _OPERATORS]
        if unknown:
            raise InvalidInputError(
                f"unknown operator {unknown[0]!r}; use one of {', '.join(_OPERATORS)}", field=place
            )
        bounds = {name: tests[name] for name in _RANGE if name in tests}
        if bounds:
            self._count(1, place)
            yield _range(key, bounds, place)
        if "eq" in tests:
            yield from self._equal(key, [tests["eq"]], f"{place}.eq")
        if "ne" in tests:
            (equal,) = self._equal(key, [tests["ne"]], f"{place}.ne")
            yield Not(equal)
        if "prefix" in tests:
            self._count(1, place)
            yield _prefix(key, tests["prefix"], f"{place}.prefix")
        if "date" in tests:
            self._count(1, place)
            yield _dated(key, tests["date"], f"{place}.date")
        if "in" in tests:
            if not isinstance(tests["in"], list | tuple):
                raise InvalidInputError(
                    f"must be a list of values, got {shown(tests['in'])}", field=f"{place}.in"
                )
            among = self._equal(key, tests["in"], f"{place}.in")
            yield In(key, tuple((one.kind, one.value) for one in among))
        if "contains" in tests:
            wanted = tests["contains"]
            values = wanted if isinstance(wanted, list | tuple) else [wanted]
            yield And(tuple(self._equal(key, values, f"{place}.contains")))
        if "exists" in tests:
            self._count(1, place)
            if not isinstance(tests["exists"], bool):
                raise InvalidInputError(
                    f"must be true or false, got {shown(tests['exists'])}",
                    field=f"{place}.exists",
                )
            yield Exists(key) if tests["exists"] else Not(Exists(key))

    def _equal(self, key: str, values: Sequence[Any], place: str) -> list[Equal]:
        self._count(max(1, len(values)), place)
        if any(value is None for value in values):
            raise InvalidInputError("must not be null; use {'exists': false}", field=place)
        return [Equal(key, *typed(value, place)) for value in values]

    def _count(self, n: int, place: str, what: str = "conditions") -> None:
        self._counts[what] += n
        if self._counts[what] > MAX_CONDITIONS:
            raise InvalidInputError(
                f"the filter has more than {MAX_CONDITIONS:,} {what}; use several smaller filters",
                field=place,
            )


def _items(value: Mapping[Any, Any], place: str) -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if not isinstance(name, str):
            raise InvalidInputError(
                f"the name of a field or operator must be a string, got {shown(name)}", field=place
            )
        yield checked_text(name, place), item


def _range(key: str, bounds: Mapping[Operator, Any], place: str) -> Range:
    found = {name: typed(value, f"{place}.{name}") for name, value in bounds.items()}
    kinds = {kind for kind, _ in found.values()}
    if len(kinds) > 1 or BOOLEAN in kinds:
        raise InvalidInputError(
            "the bounds of a range must be either all numbers or all strings", field=place
        )
    return Range(key, kinds.pop(), tuple((name, v) for name, (_, v) in found.items()))


def _prefix(key: str, value: Any, place: str) -> Prefix:
    if not isinstance(value, str):
        raise InvalidInputError(f"must be a string, got {shown(value)}", field=place)
    return Prefix(key, checked_text(value, place))


def _dated(key: str, value: Any, place: str) -> Dated:
    tests = dict(_items(value, place)) if isinstance(value, Mapping) else {"eq": value}
    unknown = [name for name in tests if name not in _DATE_OPERATORS]
    if unknown or not tests:
        problem = f"unknown operator {unknown[0]!r}" if unknown else "has no operator"
        raise InvalidInputError(f"{problem}; use one of {', '.join(_DATE_OPERATORS)}", field=place)
    bounds = []
    for name, wanted in tests.items():
        found = instant(wanted) if isinstance(wanted, str) else None
        if found is None:
            raise InvalidInputError(
                "must be an ISO 8601 date such as '2024-05-01' or '2024-05-01T12:30:00+02:00', "
                f"got {shown(wanted)}",
                field=f"{place}.{name}",
            )
        bounds.append((cast(Operator, name), found))
    return Dated(key, tuple(bounds))
