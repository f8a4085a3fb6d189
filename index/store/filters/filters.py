"""Conditions on metadata: the filter language (docs/filters.md).

    {"year": 1999}                                equal (also {"year": {"eq": 1999}})
    {"year": {"ne": 1999}}                        not equal, or absent
    {"year": {"gte": 1990, "lt": 2000}}           range: gt, gte, lt, lte
    {"genre": {"in": ["drama", "comedy"]}}        one of
    {"genres": {"contains": ["drama", "war"]}}    a list that holds all of these
    {"path": {"prefix": "docs/"}}                 a string that begins so
    {"director": {"exists": false}}               absent or null
    {"day": {"date": {"gte": "2024-05-01T00:00:00+02:00"}}}   ISO 8601, compared as instants
    {"and": [...]}, {"or": [...]}, {"not": {...}} combined; several fields in one object: and

Fields of nested objects are reached with dots ("author.name"). `id` and `title` hold those of the
document besides what its metadata has under these names. On a list, eq, in, prefix, date and range
hold when some element meets them, ne when none is equal. Types are strict: 1 is not "1" and not
true; 1 equals 1.0. Strings compare by code point.

A filter has at most `MAX_CONDITIONS` conditions (every value that is compared is one, and so is
every `not`) and as many groups (`and`, `or`), nested at most `MAX_DEPTH` deep.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....core import InvalidInputError, checked_text
from ....core.bounds import shown
from .instants import instant

Scalar = str | int | float

NUMBER, STRING, BOOLEAN = 0, 1, 2
MAX_DEPTH = 32
MAX_CONDITIONS = 1_000
_RANGE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_SAMPLE = "{'year': {'gte': 1990}}"
_OPERATORS = ("eq", "ne", "in", "contains", "prefix", "exists", "date", *_RANGE)
_DATE_OPERATORS = {"eq": "=", **_RANGE}
OWN = frozenset({"id", "title"})
"""Fields of the document itself that a filter may name."""


@dataclass(frozen=True, slots=True)
class And:
    """All of these; of none, every document."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class Equal:
    """`key` has this value, or a list that holds it."""

    key: str
    kind: int
    value: Scalar


@dataclass(frozen=True, slots=True)
class Range:
    """`key` has one value that meets all `bounds`: (operator of SQL, value)."""

    key: str
    kind: int
    bounds: tuple[tuple[str, Scalar], ...]


@dataclass(frozen=True, slots=True)
class Dated:
    """`key` has one date that meets all `bounds`: (operator of SQL, microseconds since 1970)."""

    key: str
    bounds: tuple[tuple[str, int], ...]

    @property
    def kind(self) -> int:
        """Dates are stored as strings."""
        return STRING


@dataclass(frozen=True, slots=True)
class Exists:
    key: str


Condition = And | Or | Not | Equal | Range | Dated | Exists


def flatten(metadata: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int, Any]]:
    """(key, kind, value) of every scalar in `metadata`; objects by dots, lists by element."""
    for name, value in metadata.items():
        key = f"{prefix}{name}"
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, Mapping):
                yield from flatten(item, f"{key}.")
            elif item is not None and not isinstance(item, list | tuple):
                yield key, *_typed(item, key)


def _typed(value: Any, field: str) -> tuple[int, Scalar]:
    """(kind, value as SQLite holds it)."""
    if isinstance(value, bool):
        return BOOLEAN, int(value)
    if isinstance(value, str):
        return STRING, checked_text(value, field)
    try:
        # SQLite's integers have 64 bits.
        if isinstance(value, int):
            return NUMBER, value if -(2**63) <= value < 2**63 else float(value)
        if isinstance(value, float) and math.isfinite(value):
            return NUMBER, value
    except OverflowError:
        pass
    # The value itself is not told: it may be of any size and depth.
    raise InvalidInputError(
        "cannot be compared: give a string, a finite number or a boolean", field=field
    )


def check(condition: Mapping[str, Any]) -> None:
    """Raise InvalidInputError when `condition` is not well formed."""
    parse(condition)


def parse(condition: Mapping[str, Any]) -> Condition:
    """The condition with all its values checked; equal ones have equal `repr`.

    Raises InvalidInputError that names the wrong part.
    """
    return _Parser().condition(condition, "filter", 0)


class _Parser:
    """Reads one filter and counts its conditions and groups."""

    def __init__(self) -> None:
        self._count = 0
        self._groups = 0

    def condition(self, value: Any, place: str, depth: int) -> Condition:
        if not isinstance(value, Mapping):
            raise InvalidInputError(
                f"must be an object such as {_SAMPLE}, got {shown(value)}", field=place
            )
        if depth > MAX_DEPTH:
            raise InvalidInputError(
                f"is nested deeper than {MAX_DEPTH} levels; write it flatter", field=place
            )
        parts: list[Condition] = []
        for name, inner in _items(value, place):
            here = f"{place}.{name}"
            if name in ("and", "or"):
                if not isinstance(inner, list | tuple):
                    raise InvalidInputError(
                        f"must be a list of conditions, got {shown(inner)}", field=here
                    )
                self._group(here)
                listed = [
                    self.condition(item, f"{here}[{i}]", depth + 1) for i, item in enumerate(inner)
                ]
                parts.append(And(tuple(listed)) if name == "and" else Or(tuple(listed)))
            elif name == "not":
                self._counted(1, here)
                parts.append(Not(self.condition(inner, here, depth + 1)))
            else:
                parts.extend(self._field(name, inner, here))
        if not parts:
            self._counted(1, place)
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _field(self, key: str, test: Any, place: str) -> Iterator[Condition]:
        tests = dict(_items(test, place)) if isinstance(test, Mapping) else {"eq": test}
        if not tests:
            raise InvalidInputError(f"names no operator: use {', '.join(_OPERATORS)}", field=place)
        unknown = [name for name in tests if name not in _OPERATORS]
        if unknown:
            raise InvalidInputError(
                f"unknown operator {unknown[0]!r}: use {', '.join(_OPERATORS)}", field=place
            )
        bounds = {name: tests[name] for name in _RANGE if name in tests}
        if bounds:
            self._counted(1, place)
            yield _range(key, bounds, place)
        if "eq" in tests:
            yield from self._equal(key, [tests["eq"]], f"{place}.eq")
        if "ne" in tests:
            (equal,) = self._equal(key, [tests["ne"]], f"{place}.ne")
            yield Not(equal)
        if "prefix" in tests:
            self._counted(1, place)
            yield _prefix(key, tests["prefix"], f"{place}.prefix")
        if "date" in tests:
            self._counted(1, place)
            yield _dated(key, tests["date"], f"{place}.date")
        if "in" in tests:
            if not isinstance(tests["in"], list | tuple):
                raise InvalidInputError(
                    f"must be a list of values, got {shown(tests['in'])}", field=f"{place}.in"
                )
            yield Or(tuple(self._equal(key, tests["in"], f"{place}.in")))
        if "contains" in tests:
            wanted = tests["contains"]
            values = wanted if isinstance(wanted, list | tuple) else [wanted]
            yield And(tuple(self._equal(key, values, f"{place}.contains")))
        if "exists" in tests:
            self._counted(1, place)
            if not isinstance(tests["exists"], bool):
                raise InvalidInputError(
                    f"must be true or false, got {shown(tests['exists'])}",
                    field=f"{place}.exists",
                )
            yield Exists(key) if tests["exists"] else Not(Exists(key))

    def _equal(self, key: str, values: Sequence[Any], place: str) -> list[Condition]:
        self._counted(max(1, len(values)), place)
        if any(value is None for value in values):
            raise InvalidInputError("null is tested with {'exists': false}", field=place)
        return [Equal(key, *_typed(value, place)) for value in values]

    def _counted(self, n: int, place: str) -> None:
        self._count += n
        if self._count > MAX_CONDITIONS:
            raise InvalidInputError(
                f"the filter has more than {MAX_CONDITIONS:,} conditions; split it", field=place
            )

    def _group(self, place: str) -> None:
        self._groups += 1
        if self._groups > MAX_CONDITIONS:
            raise InvalidInputError(
                f"the filter has more than {MAX_CONDITIONS:,} groups (`and`, `or`); split it",
                field=place,
            )


def _items(value: Mapping[Any, Any], place: str) -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if not isinstance(name, str):
            raise InvalidInputError("a name must be a string", field=place)
        yield checked_text(name, place), item


def _range(key: str, bounds: Mapping[str, Any], place: str) -> Range:
    typed = {name: _typed(value, f"{place}.{name}") for name, value in bounds.items()}
    kinds = {kind for kind, _ in typed.values()}
    if len(kinds) > 1 or BOOLEAN in kinds:
        raise InvalidInputError("bounds must be all numbers or all strings", field=place)
    return Range(key, kinds.pop(), tuple((_RANGE[name], v) for name, (_, v) in typed.items()))


def _prefix(key: str, value: Any, place: str) -> Range:
    if not isinstance(value, str):
        raise InvalidInputError(f"must be a string, got {shown(value)}", field=place)
    begin = checked_text(value, place)
    # The first text after all that begin so; there is none after U+10FFFF.
    stem = begin.rstrip("\U0010ffff")
    bounds: tuple[tuple[str, Scalar], ...] = ((">=", begin),)
    if stem:
        after = ord(stem[-1]) + 1
        after = 0xE000 if after == 0xD800 else after  # Surrogates are no text.
        bounds = (*bounds, ("<", stem[:-1] + chr(after)))
    return Range(key, STRING, bounds)


def _dated(key: str, value: Any, place: str) -> Dated:
    tests = dict(_items(value, place)) if isinstance(value, Mapping) else {"eq": value}
    unknown = [name for name in tests if name not in _DATE_OPERATORS]
    if unknown or not tests:
        problem = f"unknown operator {unknown[0]!r}" if unknown else "names no operator"
        raise InvalidInputError(f"{problem}: use {', '.join(_DATE_OPERATORS)}", field=place)
    bounds = []
    for name, wanted in tests.items():
        found = instant(wanted) if isinstance(wanted, str) else None
        if found is None:
            raise InvalidInputError(
                "must be an ISO 8601 date such as '2024-05-01' or '2024-05-01T12:30:00+02:00', "
                f"got {shown(wanted)}",
                field=f"{place}.{name}",
            )
        bounds.append((_DATE_OPERATORS[name], found))
    return Dated(key, tuple(bounds))


def tested(condition: Condition) -> set[str]:
    """The fields that a condition tests."""
    match condition:
        case And(parts) | Or(parts):
            return set().union(*map(tested, parts))
        case Not(part):
            return tested(part)
    return {condition.key}


def kinds(condition: Condition) -> set[tuple[str, int]]:
    """The fields whose values a condition looks at, with the kind of value that it looks for."""
    match condition:
        case And(parts) | Or(parts):
            return set().union(*map(kinds, parts))
        case Not(part):
            return kinds(part)
        case Exists():
            return set()
    return {(condition.key, condition.kind)}


def names_a_field(condition: Any) -> bool:
    """Whether some field is tested anywhere; a filter without any is met by every document."""
    if not isinstance(condition, Mapping):
        return False
    return any(
        any(names_a_field(item) for item in value)
        if name in ("and", "or") and isinstance(value, list | tuple)
        else names_a_field(value)
        if name == "not"
        else True
        for name, value in condition.items()
    )
