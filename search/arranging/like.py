"""The field `like` of a search request."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ...core import Config
from ...core.bounds import Bounds

_Ids = Annotated[tuple[str, ...], Field(max_length=100)]


class LikeRequest(Config):
    """Documents that hits should be like, and unlike.

    ids:    ids of liked documents.
    unlike: ids of disliked documents.
    terms:  maximum number of terms in the query of a lexical or sparse leg.
    """

    ids: _Ids = Field(min_length=1)
    unlike: _Ids = ()
    terms: Annotated[int, Bounds(1, 200)] = 25

    @model_validator(mode="after")
    def _are_different(self) -> Self:
        both = sorted({*self.ids} & {*self.unlike})
        if both:
            raise ValueError(f"a document must be liked or disliked, got {both[0]!r} in both lists")
        return self


def parse_like(value: object) -> object:
    """Return {"ids": [value]} for an id, {"ids": value} for a list, and other values unchanged."""
    if isinstance(value, str):
        return {"ids": [value]}
    return {"ids": value} if isinstance(value, list | tuple) else value
