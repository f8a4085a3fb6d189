"""The least and the greatest value of every number that a caller may give.

A numeric field of a configuration or request is declared as `Annotated[int, Bounds(1, 1_000)]`, or
by one of the names below. A test refuses a field without bounds, and `docs/limits.md` lists all.
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
"""Validation context of values that are on disk already: they are read even where they lie beyond
the bounds, which may have been wider when they were written."""

_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a number, both inclusive; with `above`, greater than `least` instead.

    Texts that are numbers are accepted, as pydantic does; booleans, NaN and infinity are not.
    """

    least: Number
    greatest: Number
    above: bool = False

    def holds(self, value: Number) -> bool:
        """Whether a number lies between them."""
        return (value > self.least if self.above else value >= self.least) and (
            value <= self.greatest
        )

    @property
    def words(self) -> str:
        """`between 1 and 1,000`."""
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
                if not isinstance(value, bool):  # pydantic would take it for a number.
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
    """A stored number beyond its bounds. Integers end where JSON's readers end, at 64 bits."""
    if kind is int and (isinstance(value, int) or math.isfinite(value)):
        return max(-_INT64, min(int(value), _INT64 - 1))
    return float(max(-_INT64, min(value, _INT64))) if isinstance(value, int) else value


def _plain(value: Number) -> str:
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:g}"


Tokens = Annotated[int, Bounds(8, 1_048_576)]
"""Tokens that a model reads of a text."""
Count = Annotated[int, Bounds(1, 1_000_000)]
"""Things in a list, of which there is at least one."""
Few = Annotated[int, Bounds(1, 1_000)]
"""Hits, windows or passes: each costs a call of a model."""
Effort = Annotated[int, Bounds(1, 1_000_000)]
"""How far a search looks, in lists or candidates; the same for configurations and requests."""
Rows = Annotated[int, Bounds(0, 1_000_000_000)]
"""Passages of a segment."""
Share = Annotated[float, Bounds(0, 1)]
"""A part of a whole, none and all included."""
PositiveShare = Annotated[float, Bounds(0, 1, above=True)]
"""A part of a whole that is not nothing."""
Milliseconds = Annotated[float, Bounds(0, 86_400_000, above=True)]
"""A time limit, a day at most."""
Calls = Annotated[int, Bounds(0, 1_000_000_000_000)]
"""Prompts or tokens that a budget allows."""
Score = Annotated[float, Bounds(-1e30, 1e30)]
"""A score that hits are compared with."""
Seed = Annotated[int, Bounds(0, 2**32 - 1)]
"""Of a generator of random numbers."""
