"""Tests one document against a condition, without a store."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from ..types import Document
from .conditions import And, Condition, Dated, Equal, Exists, In, Not, Or, Prefix, Range
from .dates import instant
from .values import OWN, STRING, Scalar, flatten

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def meets(document: Document, condition: Condition) -> bool:
    """Return True if a document meets a condition. Every store selects the same documents."""
    return _Fields(document).meet(condition)


class _Fields:
    """The values of one document, by field."""

    def __init__(self, document: Document) -> None:
        self._own = {"id": document.id, "title": document.title}
        self._values = list(flatten(document.metadata))

    def meet(self, condition: Condition) -> bool:
        match condition:
            case And(parts):
                return all(map(self.meet, parts))
            case Or(parts) | In(parts=parts):
                return any(map(self.meet, parts))
            case Not(part):
                return not self.meet(part)
            case Exists(key):
                return self._exists(key)
            case Equal(key, kind, value):
                return value in self._of(key, kind)
            case Prefix(key, text):
                return any(str(value).startswith(text) for value in self._of(key, STRING))
            case Range(key, kind, bounds):
                return any(_within(value, bounds) for value in self._of(key, kind))
            case Dated(key, dates):
                found = (instant(str(value)) for value in self._of(key, STRING))
                return any(at is not None and _within(at, dates) for at in found)
        raise AssertionError(f"unknown condition {condition!r}")

    def _of(self, key: str, kind: int) -> list[Scalar]:
        """Return the values of one kind that a field has."""
        values = [v for name, own, v in self._values if name == key and own == kind]
        return [*values, self._own[key]] if key in OWN and kind == STRING else values

    def _exists(self, key: str) -> bool:
        inside = f"{key}."
        return bool(self._own.get(key)) or any(
            name == key or name.startswith(inside) for name, _, _ in self._values
        )


def _within(value: Any, bounds: Sequence[tuple[str, Any]]) -> bool:
    return all(_COMPARE[name](value, bound) for name, bound in bounds)
