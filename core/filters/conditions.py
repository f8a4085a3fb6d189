"""Conditions: parsed filters, as values that any store can translate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .values import STRING, Scalar

Operator = Literal["eq", "gt", "gte", "lt", "lte"]


@dataclass(frozen=True, slots=True)
class And:
    """True if all `parts` are true. Without parts, it is true for every document."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True if at least one of `parts` is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True if `part` is false."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Equal:
    """True if the field `key` has this value, or is a list that contains it.

    kind: NUMBER, STRING or BOOLEAN. A boolean value is stored as 0 or 1.
    """

    key: str
    kind: int
    value: Scalar


@dataclass(frozen=True, slots=True)
class In:
    """True if the field `key` has one of `values`, or is a list that contains one of them.

    values: (kind, value) pairs.
    """

    key: str
    values: tuple[tuple[int, Scalar], ...]

    @property
    def parts(self) -> tuple[Equal, ...]:
        """An `Equal` condition for each value. At least one of them must be true."""
        return tuple(Equal(self.key, kind, value) for kind, value in self.values)


@dataclass(frozen=True, slots=True)
class Range:
    """True if one value of the field `key` meets all `bounds`. Strings compare by code point."""

    key: str
    kind: int
    bounds: tuple[tuple[Operator, Scalar], ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """True if one string value of the field `key` begins with `text`."""

    key: str
    text: str
    kind: ClassVar[int] = STRING
    """Only strings have prefixes."""


@dataclass(frozen=True, slots=True)
class Dated:
    """True if one date in the field `key` meets all `bounds`.

    bounds: (operator, microseconds since 1970 in UTC) pairs.
    """

    key: str
    bounds: tuple[tuple[Operator, int], ...]
    kind: ClassVar[int] = STRING
    """Dates are stored as strings."""


@dataclass(frozen=True, slots=True)
class Exists:
    """True if the field `key`, or a field inside it, has a value.

    `id` always has a value. An empty title counts as no value.
    """

    key: str


Condition = And | Or | Not | Equal | In | Range | Prefix | Dated | Exists


def tested(condition: Condition) -> set[str]:
    """Return the names of the fields that a condition tests."""
    match condition:
        case And(parts) | Or(parts):
            return set().union(*map(tested, parts))
        case Not(part):
            return tested(part)
    return {condition.key}


def kinds(condition: Condition) -> set[tuple[str, int]]:
    """Return (field, kind) pairs for the values that a condition compares.

    `Exists` compares no value, so its field is not included.
    """
    match condition:
        case And(parts) | Or(parts):
            return set().union(*map(kinds, parts))
        case Not(part):
            return kinds(part)
        case In(key, values):
            return {(key, kind) for kind, _ in values}
        case Exists():
            return set()
    return {(condition.key, condition.kind)}


def constant(condition: Condition) -> bool | None:
    """Return whether a condition holds for every document or for none.

    True: it holds for every document. False: it holds for no document. None: it depends on the
    document.
    """
    match condition:
        case And(parts) | Or(parts):
            decisive = isinstance(condition, Or)
            found = {constant(part) for part in parts}
            if decisive in found:
                return decisive
            return None if None in found else not decisive
        case Not(part):
            inner = constant(part)
            return None if inner is None else not inner
        case In(_, ()):
            return False
        case Exists("id") | Prefix("id", ""):
            return True
        case Equal("id", value=""):
            return False
        case Range("id", bounds=bounds):  # Every id is greater than "".
            found = {operator in ("gt", "gte") for operator, value in bounds if value == ""}
            if False in found:
                return False
            return True if all(value == "" for _, value in bounds) else None
    return None
