"""Conditions: parsed filters, as values that any store can translate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .values import STRING, Scalar

Operator = Literal["eq", "gt", "gte", "lt", "lte"]


@dataclass(frozen=True, slots=True)
class And:
    """True if all conditions in `parts` are true. An `And` without parts is always true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True if at least one of the conditions in `parts` is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True if the condition `part` is false."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Equal:
    """True if the field `key` has the value `value`, or has a list that contains this value.

    kind: type of the value, NUMBER, STRING or BOOLEAN. A boolean value is stored as 0 or 1.
    """

    key: str
    kind: int
    value: Scalar


@dataclass(frozen=True, slots=True)
class In:
    """True if the field `key` has one of `values`, or has a list that contains one of them.

    values: (kind, value) pairs; the kind is NUMBER, STRING or BOOLEAN.
    """

    key: str
    values: tuple[tuple[int, Scalar], ...]

    @property
    def parts(self) -> tuple[Equal, ...]:
        """An `Equal` condition for each value. At least one of them must be true."""
        return tuple(Equal(self.key, kind, value) for kind, value in self.values)


@dataclass(frozen=True, slots=True)
class Range:
    """True if the value of the field `key` meets all `bounds`; for a list: if one element does.

    kind:   NUMBER or STRING.
    bounds: (operator, value) pairs, such as ("gte", 1990).

    Strings compare by code point.
    """

    key: str
    kind: int
    bounds: tuple[tuple[Operator, Scalar], ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """True if the value of the field `key` is a string that begins with `text`.

    If the value is a list, one element must be such a string.
    """

    key: str
    text: str
    kind: ClassVar[int] = STRING
    """Only strings have prefixes."""


@dataclass(frozen=True, slots=True)
class Dated:
    """True if the value of the field `key` is a date that meets all `bounds`.

    If the value is a list, one element must be such a date.

    bounds: (operator, instant) pairs. An instant is in microseconds since 1970 in UTC.
    """

    key: str
    bounds: tuple[tuple[Operator, int], ...]
    kind: ClassVar[int] = STRING
    """Dates are stored as strings."""


@dataclass(frozen=True, slots=True)
class Exists:
    """True if the field `key`, or a field nested inside it, has a value.

    The field `id` always has a value. An empty title counts as no value.
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
    """Return the (field name, kind) pairs of all values that a condition compares.

    kind: NUMBER, STRING or BOOLEAN. `Exists` compares no value, so its field is not included.
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
    """Return the truth value of a condition if it is the same for every document, else None.

    True: every document meets the condition. False: no document meets it.
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
