"""Minimum and maximum of every number in a configuration or request.

Declare a numeric field as `Annotated[int, Bounds(1, 1_000)]`, or with one of the types below, such
as `Count`. A test fails for a field without bounds. `docs/limits.md` lists all bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, PydanticCustomError, ValidationError, core_schema

from .errors import shown

Number = int | float

STORED = {"stored": True}
"""Validation context of values that are read from disk. They may be out of bounds, because the
bounds may have been wider when the values were written."""

TEXTS = {"texts": True}
"""Validation context of values that arrive as text, from environment variables or a form. A numeric
field then accepts a text that contains a number."""

_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Bounds:
    """Minimum and maximum of a number.

    The number may equal `least` or `greatest`. If `above` is True, the number must be greater than
    `least`. Booleans, NaN and infinity are refused. Strings are refused too, except in the
    validation context `TEXTS`.
    """

    least: Number
    greatest: Number
    above: bool = False

    def holds(self, value: Number) -> bool:
        """Return True if the value is within the bounds."""
        return (value > self.least if self.above else value >= self.least) and (
            value <= self.greatest
        )

    @property
    def words(self) -> str:
        """The bounds in words, such as `between 1 and 1,000`."""
        if self.above:
            return f"above {_plain(self.least)} and at most {_plain(self.greatest)}"
        if self.least == self.greatest:
            return _plain(self.least)
        return f"between {_plain(self.least)} and {_plain(self.greatest)}"

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        if source is int:
            inner: CoreSchema = core_schema.int_schema(ge=int(self.least), le=int(self.greatest))
            loose: Any = int
        else:
            lower = {"gt": float(self.least)} if self.above else {"ge": float(self.least)}
            inner = core_schema.float_schema(
                **lower,  # type: ignore[arg-type]
                le=float(self.greatest),
                allow_inf_nan=False,
            )
            loose = float
        kind = "an integer" if source is int else "a number"

        def check(
            value: Any, validate: ValidatorFunctionWrapHandler, info: core_schema.ValidationInfo
        ) -> Number:
            try:
                # pydantic would accept both as numbers.
                if not isinstance(value, bool | str) or (
                    info.context == TEXTS and isinstance(value, str)
                ):
                    return validate(value)  # type: ignore[no-any-return]
            except ValidationError:
                pass
            if info.context == STORED and isinstance(value, int | float):
                return _kept(value, loose)
            raise PydanticCustomError(
                "number",
                "must be {kind} {bounds}, got {value}",
                {"kind": kind, "bounds": self.words, "value": shown(value)},
            )

        return core_schema.with_info_wrap_validator_function(check, inner)


def _kept(value: Number, kind: type[Number]) -> Number:
    """Return a number from disk that is out of bounds, converted to the type of its field.

    value: the number.
    kind:  type of the field, int or float.

    Integers beyond 64 bits become the nearest 64-bit integer.
    """
    if kind is int and (isinstance(value, int) or math.isfinite(value)):
        return max(-_INT64, min(int(value), _INT64 - 1))
    return float(max(-_INT64, min(value, _INT64))) if isinstance(value, int) else value


def _plain(value: Number) -> str:
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:g}"


Tokens = Annotated[int, Bounds(8, 1_048_576)]
"""Maximum number of tokens that a model reads from a text."""
Count = Annotated[int, Bounds(1, 1_000_000)]
"""Number of items, at least one."""
Few = Annotated[int, Bounds(1, 1_000)]
"""Number of hits, windows or passes of a reranker. Each costs a model call."""
Effort = Annotated[int, Bounds(1, 1_000_000)]
"""Effort of a vector search: number of lists or candidates that the search visits."""
Rows = Annotated[int, Bounds(0, 1_000_000_000)]
"""Number of passages in a segment (an immutable part of an index)."""
Share = Annotated[float, Bounds(0, 1)]
"""Fraction from 0 to 1, both included."""
PositiveShare = Annotated[float, Bounds(0, 1, above=True)]
"""Fraction greater than 0 and at most 1."""
Milliseconds = Annotated[float, Bounds(0, 86_400_000, above=True)]
"""Time limit in milliseconds, at most one day."""
Calls = Annotated[int, Bounds(0, 1_000_000_000_000)]
"""Number of prompts or tokens that a budget allows."""
Score = Annotated[float, Bounds(-1e30, 1e30)]
"""Score threshold for hits."""
Seed = Annotated[int, Bounds(0, 2**32 - 1)]
"""Seed of a random number generator."""
