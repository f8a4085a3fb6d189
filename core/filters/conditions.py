"""What a filter means, as values that any store can translate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .values import STRING, Scalar

Operator = Literal["eq", "gt", "gte", "lt", "lte"]


@dataclass(frozen=True, slots=True)
class And:
    """All of these hold; of none, it holds for every document."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Equal:
    """`key` has this value, or a list that holds it. A boolean is 0 or 1."""

    key: str
    kind: int
    value: Scalar


@dataclass(frozen=True, slots=True)
class In:
    """`key` has one of these values, or a list that holds one: (kind, value) of each."""

    key: str
    values: tuple[tuple[int, Scalar], ...]

    @property
    def parts(self) -> tuple[Equal, ...]:
        """Conditions of which one must hold."""
        return tuple(Equal(self.key, kind, value) for kind, value in self.values)


@dataclass(frozen=True, slots=True)
class Range:
    """One value of `key` meets all `bounds`. Strings compare by code point."""

    key: str
    kind: int
    bounds: tuple[tuple[Operator, Scalar], ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """One string of `key` begins with `text`."""

    key: str
    text: str
    kind: ClassVar[int] = STRING
    """Only strings have a beginning."""


@dataclass(frozen=True, slots=True)
class Dated:
    """One date of `key` meets all `bounds`, in microseconds since 1970 in UTC."""

    key: str
    bounds: tuple[tuple[Operator, int], ...]
    kind: ClassVar[int] = STRING
    """Dates are stored as strings."""


@dataclass(frozen=True, slots=True)
class Exists:
    """`key`, or an object below it, has a value. `id` always has one, an empty title is none."""

    key: str


Condition = And | Or | Not | Equal | In | Range | Prefix | Dated | Exists


def tested(condition: Condition) -> set[str]:
    """The fields that a condition tests."""
    match condition:
        case And(parts) | Or(parts):
            return set().union(*map(tested, parts))
        case Not(part):
            return tested(part)
    return {condition.key}


def kinds(condition: Condition) -> set[tuple[str, int]]:
    """The fields whose values a condition compares, with the kind of value that it compares to."""
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
    """True for a condition that holds for every document whatever its fields are, False for one
    that holds for none, None where it depends on the document."""
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
