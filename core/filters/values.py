"""Values that a filter compares: scalars of the metadata, each of one kind."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InvalidInputError
from ..unicode import checked_text

Scalar = str | int | float

NUMBER, STRING, BOOLEAN = 0, 1, 2
"""Kinds of values. Values of different kinds are never equal."""

OWN = frozenset({"id", "title"})
"""Fields of the document itself that a filter may name."""


def flatten(metadata: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int, Scalar]]:
    """(key, kind, value) of every scalar in `metadata`; objects by dots, lists by element."""
    for name, value in metadata.items():
        key = f"{prefix}{name}"
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, Mapping):
                yield from flatten(item, f"{key}.")
            elif item is not None and not isinstance(item, list | tuple):
                yield key, *typed(item, key)


def typed(value: Any, field: str) -> tuple[int, Scalar]:
    """(kind, value). A boolean is 0 or 1; an integer beyond 64 bits becomes a float.

    Raises InvalidInputError, which names `field`, for what is no scalar.
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
    # The message leaves the value out: it may be of any size and depth.
    raise InvalidInputError(
        "cannot be compared: give a string, a finite number or a boolean", field=field
    )
