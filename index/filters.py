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
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import InvalidInputError

Numbers = NDArray[np.int64]
Scalar = str | int | float | bool

NUMBER, STRING, BOOLEAN = 0, 1, 2
MAX_DEPTH = 32
MAX_TERMS = 1_000
_RANGE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_OPERATORS = ("eq", "in", "contains", "exists", *_RANGE)


def flatten(metadata: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int, Any]]:
    """(key, kind, value) of every scalar in `metadata`; objects by dots, lists by element."""
    for name, value in metadata.items():
        key = f"{prefix}{name}"
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, Mapping):
                yield from flatten(item, f"{key}.")
            elif item is not None and not isinstance(item, list | tuple):
                yield key, *_typed(item, key)


def _typed(value: Any, field: str) -> tuple[int, str | int | float]:
    """(kind, value as SQLite holds it)."""
    if isinstance(value, bool):
        return BOOLEAN, int(value)
    if isinstance(value, str):
        return STRING, value
    if isinstance(value, int):
        # SQLite's integers have 64 bits.
        return NUMBER, value if -(2**63) <= value < 2**63 else float(value)
    if isinstance(value, float) and math.isfinite(value):
        return NUMBER, value
    raise InvalidInputError(
        f"{value!r} cannot be compared: give a string, a finite number or a boolean", field=field
    )


def select(connection: sqlite3.Connection, condition: Mapping[str, Any]) -> Numbers:
    """Numbers of the documents that meet `condition`, ascending.

    Raises InvalidInputError that names the wrong part of the condition.
    """
    return _select(connection, condition, "filter", 0)


def check(condition: Mapping[str, Any]) -> None:
    """Raise InvalidInputError when `condition` is not well formed."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE fields (key, kind, value, number)")
        connection.execute("CREATE TABLE documents (number)")
        select(connection, condition)
    connection.close()


def everything(connection: sqlite3.Connection) -> Numbers:
    """Numbers of all documents, ascending."""
    return _numbers(connection, "SELECT number FROM documents ORDER BY number", ())


def _select(connection: sqlite3.Connection, condition: Any, place: str, depth: int) -> Numbers:
    if not isinstance(condition, Mapping):
        raise InvalidInputError("must be an object, e.g. {'year': {'gte': 1990}}", field=place)
    if depth > MAX_DEPTH:
        raise InvalidInputError(f"is nested deeper than {MAX_DEPTH}", field=place)
    parts = []
    for name, value in condition.items():
        here = f"{place}.{name}"
        if name in ("and", "or"):
            if not isinstance(value, Sequence) or isinstance(value, str):
                raise InvalidInputError("must be a list of conditions", field=here)
            inner = [
                _select(connection, item, f"{here}[{i}]", depth + 1) for i, item in enumerate(value)
            ]
            if name == "and":
                parts.append(_all(inner, lambda: everything(connection)))
            else:
                parts.append(_any(inner))
        elif name == "not":
            inner_numbers = _select(connection, value, here, depth + 1)
            parts.append(np.setdiff1d(everything(connection), inner_numbers, assume_unique=True))
        else:
            parts.append(_field(connection, str(name), value, here))
    return _all(parts, lambda: everything(connection))


def _field(connection: sqlite3.Connection, key: str, test: Any, place: str) -> Numbers:
    if not isinstance(test, Mapping):
        test = {"eq": test}
    if not test:
        raise InvalidInputError(f"names no operator: use {', '.join(_OPERATORS)}", field=place)
    unknown = [name for name in test if name not in _OPERATORS]
    if unknown:
        raise InvalidInputError(
            f"unknown operator {unknown[0]!r}: use {', '.join(_OPERATORS)}", field=place
        )
    parts = []
    bounds = {name: test[name] for name in _RANGE if name in test}
    if bounds:
        parts.append(_range(connection, key, bounds, place))
    if "eq" in test:
        parts.append(_equal(connection, key, [test["eq"]], f"{place}.eq"))
    if "in" in test:
        parts.append(_equal(connection, key, _listed(test["in"], f"{place}.in"), f"{place}.in"))
    if "contains" in test:
        here = f"{place}.contains"
        wanted = test["contains"]
        values = _listed(wanted, here) if isinstance(wanted, list | tuple) else [wanted]
        parts.extend(_equal(connection, key, [value], here) for value in values)
    if "exists" in test:
        if not isinstance(test["exists"], bool):
            raise InvalidInputError("must be true or false", field=f"{place}.exists")
        # A nested object exists when anything below it does.
        present = _numbers(
            connection,
            "SELECT DISTINCT number FROM fields WHERE key = ? OR (key >= ? AND key < ?) "
            "ORDER BY number",
            (key, f"{key}.", f"{key}/"),
        )
        if test["exists"]:
            parts.append(present)
        else:
            parts.append(np.setdiff1d(everything(connection), present, assume_unique=True))
    return _all(parts, lambda: everything(connection))


def _listed(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise InvalidInputError("must be a list of values", field=place)
    if len(value) > MAX_TERMS:
        raise InvalidInputError(f"has {len(value)} values; at most {MAX_TERMS}", field=place)
    return list(value)


def _equal(connection: sqlite3.Connection, key: str, values: Sequence[Any], place: str) -> Numbers:
    found = []
    for value in values:
        if value is None:
            raise InvalidInputError("null is tested with {'exists': false}", field=place)
        found.append(
            _numbers(
                connection,
                "SELECT number FROM fields WHERE key = ? AND kind = ? AND value = ? "
                "ORDER BY number",
                (key, *_typed(value, place)),
            )
        )
    return _any(found)


def _range(
    connection: sqlite3.Connection, key: str, bounds: Mapping[str, Any], place: str
) -> Numbers:
    typed = {name: _typed(value, f"{place}.{name}") for name, value in bounds.items()}
    kinds = {kind for kind, _ in typed.values()}
    if len(kinds) > 1 or BOOLEAN in kinds:
        raise InvalidInputError("bounds must be all numbers or all strings", field=place)
    tests = " AND ".join(f"value {_RANGE[name]} ?" for name in typed)
    return _numbers(
        connection,
        f"SELECT DISTINCT number FROM fields WHERE key = ? AND kind = ? AND {tests} "
        "ORDER BY number",
        (key, kinds.pop(), *(value for _, value in typed.values())),
    )


def _numbers(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> Numbers:
    return np.fromiter((row[0] for row in connection.execute(sql, values)), dtype=np.int64)


def _all(parts: Sequence[Numbers], whole: Callable[[], Numbers]) -> Numbers:
    if not parts:
        return whole()
    result = parts[0]
    for part in parts[1:]:
        result = np.intersect1d(result, part, assume_unique=True)
    return result


def _any(parts: Sequence[Numbers]) -> Numbers:
    if not parts:
        return np.empty(0, dtype=np.int64)
    return parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))
