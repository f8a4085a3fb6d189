"""Values that filters compare: the scalars in metadata, each with a kind.

The kind is NUMBER, STRING or BOOLEAN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InvalidInputError, shown
from ..unicode import checked_text

Scalar = str | int | float

NUMBER, STRING, BOOLEAN = 0, 1, 2
"""Kinds of values. Values of different kinds are never equal."""

OWN = frozenset({"id", "title"})
"""Fields of the document, outside its metadata, that a filter may name."""


def flatten(metadata: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int, Scalar]]:
    """Yield (key, kind, value) for every scalar in `metadata`. kind: NUMBER, STRING or BOOLEAN.

    Keys of nested objects are joined with dots. A list yields one item for each element.

    prefix: text before every key.
    """
    for name, value in metadata.items():
        key = f"{prefix}{name}"
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, Mapping):
                yield from flatten(item, f"{key}.")
            elif item is not None and not isinstance(item, list | tuple):
                yield key, *typed(item, key)


def typed(value: Any, field: str) -> tuple[int, Scalar]:
    """Return (kind, value) of a scalar. kind: NUMBER, STRING or BOOLEAN.

    A boolean becomes 0 or 1. An integer beyond 64 bits becomes a float. Raises InvalidInputError,
    which names `field`, for a value that is not a scalar, for NaN and for infinity.
    """
    if isinstance(value, bool):
        return BOOLEAN, int(value)
    if isinstance(value, str):
        return STRING, checked_text(value, field)
    try:
        if isinstance(value, int):
            return NUMBER, value if -(2**63) <= value < 2**63 else float(value)
        if isinstance(value, float) and math.isfinite(value):
            return NUMBER, value
    except OverflowError:
        pass
    raise InvalidInputError(
        f"must be a string, a finite number or a boolean, got {shown(value)}", field=field
    )
