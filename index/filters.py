"""Conditions on metadata, and the numbers of the documents that meet them.

    {"year": 1999}                                equal (also {"year": {"eq": 1999}})
    {"year": {"gte": 1990, "lt": 2000}}           range: gt, gte, lt, lte
    {"genre": {"in": ["drama", "comedy"]}}        one of
    {"genres": {"contains": ["drama", "war"]}}    a list that holds all of these
    {"director": {"exists": false}}               absent or null
    {"and": [...]}, {"or": [...]}, {"not": {...}} combined; several fields in one object: and

Fields of nested objects are reached with dots ("author.name"). On a list, eq, in and range hold
when some element meets them. Types are strict: 1 is not "1" and not true; 1 equals 1.0. Strings
compare by code point, so ISO dates can be ranged.

A filter has at most `MAX_CONDITIONS` conditions (every value that is compared is one, and so is
every `not`), nested at most `MAX_DEPTH` deep.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import InvalidInputError, checked_text

Numbers = NDArray[np.int64]
Scalar = str | int | float

NUMBER, STRING, BOOLEAN = 0, 1, 2
MAX_DEPTH = 32
MAX_CONDITIONS = 1_000
_RANGE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_OPERATORS = ("eq", "in", "contains", "exists", *_RANGE)


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
class Exists:
    key: str


Condition = And | Or | Not | Equal | Range | Exists


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


def select(connection: sqlite3.Connection, condition: Mapping[str, Any] | Condition) -> Numbers:
    """Numbers of the documents that meet `condition`, ascending.

    Raises InvalidInputError that names the wrong part of the condition.
    """
    parsed = parse(condition) if isinstance(condition, Mapping) else condition
    return _Selection(connection).numbers(parsed)


def check(condition: Mapping[str, Any]) -> None:
    """Raise InvalidInputError when `condition` is not well formed."""
    parse(condition)


def parse(condition: Mapping[str, Any]) -> Condition:
    """The condition with all its values checked; equal ones have equal `repr`.

    Raises InvalidInputError that names the wrong part.
    """
    return _Parser().condition(condition, "filter", 0)


def everything(connection: sqlite3.Connection) -> Numbers:
    """Numbers of all documents, ascending."""
    return _numbers(connection, "SELECT number FROM documents ORDER BY number", ())


class _Parser:
    """Reads one filter and counts its conditions."""

    def __init__(self) -> None:
        self._count = 0

    def condition(self, value: Any, place: str, depth: int) -> Condition:
        if not isinstance(value, Mapping):
            raise InvalidInputError("must be an object, e.g. {'year': {'gte': 1990}}", field=place)
        if depth > MAX_DEPTH:
            raise InvalidInputError(f"is nested deeper than {MAX_DEPTH}", field=place)
        parts: list[Condition] = []
        for name, inner in _items(value, place):
            here = f"{place}.{name}"
            if name in ("and", "or"):
                if not isinstance(inner, Sequence) or isinstance(inner, str):
                    raise InvalidInputError("must be a list of conditions", field=here)
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
        if "in" in tests:
            if not isinstance(tests["in"], list | tuple):
                raise InvalidInputError("must be a list of values", field=f"{place}.in")
            yield Or(tuple(self._equal(key, tests["in"], f"{place}.in")))
        if "contains" in tests:
            wanted = tests["contains"]
            values = wanted if isinstance(wanted, list | tuple) else [wanted]
            yield And(tuple(self._equal(key, values, f"{place}.contains")))
        if "exists" in tests:
            self._counted(1, place)
            if not isinstance(tests["exists"], bool):
                raise InvalidInputError("must be true or false", field=f"{place}.exists")
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
                f"the filter has more than {MAX_CONDITIONS:,} conditions", field=place
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


class _Selection:
    """Finds the numbers for one filter; those of all documents are read at most once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @cached_property
    def _whole(self) -> Numbers:
        return everything(self._connection)

    def numbers(self, condition: Condition) -> Numbers:
        """Ascending."""
        match condition:
            case And(parts):
                result = self.numbers(parts[0]) if parts else self._whole
                for part in parts[1:]:
                    result = np.intersect1d(result, self.numbers(part), assume_unique=True)
                return result
            case Or(parts):
                found = [self.numbers(part) for part in parts]
                return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
            case Not(part):
                return np.setdiff1d(self._whole, self.numbers(part), assume_unique=True)
            case _:
                return _numbers(self._connection, *_statement(condition))


def _statement(condition: Equal | Range | Exists) -> tuple[str, tuple[Scalar, ...]]:
    """SQL and its values."""
    values: tuple[Scalar, ...]
    match condition:
        case Equal(key, kind, value):
            tests, values = "key = ? AND kind = ? AND value = ?", (key, kind, value)
        case Range(key, kind, bounds):
            tests = " AND ".join(["key = ? AND kind = ?", *(f"value {op} ?" for op, _ in bounds)])
            values = (key, kind, *(value for _, value in bounds))
        case Exists(key):
            # A nested object exists when anything below it does.
            tests, values = "key = ? OR (key >= ? AND key < ?)", (key, f"{key}.", f"{key}/")
    return f"SELECT DISTINCT number FROM fields WHERE {tests} ORDER BY number", values


def _numbers(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> Numbers:
    return np.fromiter((row[0] for row in connection.execute(sql, values)), dtype=np.int64)


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
