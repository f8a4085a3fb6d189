"""Requests for the order of hits, facets, groups and boosts. `SearchRequest` contains them."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, field_validator, model_validator

from ...core import Config, InvalidInputError
from ...core.bounds import Bounds
from ...core.config import Flag
from ...core.errors import shown
from ...core.filters import parse_filter
from ...core.filters.dates import instant
from ...core.filters.help import FILTER_HELP

SCORE = "_score"
"""Name of the score in a sort order."""

FieldName = Annotated[str, Field(min_length=1, max_length=1_000)]
"""Name of a metadata field. The fields of nested objects are written with dots."""

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class SortKey(Config):
    """One key of a sort order.

    field:   metadata field; also `id` and `title`. `_score` is the score of the hit.
    order:   "asc" or "desc"; None = "desc" for `_score`, and "asc" for other fields. Numbers come
             before strings, and strings before booleans. Strings are ordered by code point. Of
             several values, "asc" compares the smallest, "desc" the largest.
    missing: place of documents that do not have the field: "last" or "first", in both orders.
    date:    compare strings as ISO 8601 dates, in any time zone. Other values count as missing.
    """

    field: FieldName
    order: Literal["asc", "desc"] | None = None
    missing: Literal["first", "last"] = "last"
    date: Flag = False

    @property
    def descends(self) -> bool:
        """Return True if the largest value comes first."""
        return (self.order or ("desc" if self.field == SCORE else "asc")) == "desc"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.field == SCORE and (self.date or self.missing != "last"):
            raise ValueError("every hit has a score; remove `date` and `missing`")
        return self


def parse_sort(value: object) -> object:
    """Return a sort key as an object; "-year" is short for {"field": "year", "order": "desc"}."""
    if isinstance(value, str):
        name = value.removeprefix("-")
        return {"field": name, "order": "desc"} if name != value else {"field": value}
    return value


def parse_field(value: object) -> object:
    """Return {"field": value} for a string, and any other value unchanged."""
    return {"field": value} if isinstance(value, str) else value


_LARGEST = 1e30
"""Largest absolute value of a number in a range or boost."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _parse_bound(value: object) -> object:
    if _is_number(value) or (isinstance(value, str) and instant(value) is not None):
        return value
    raise ValueError(f"must be a number or an ISO 8601 date such as 2024-05-01, got {shown(value)}")


_NUMBER_OR_TEXT = WithJsonSchema({"type": ["number", "string"]})
Bound = Annotated[Any, PlainValidator(_parse_bound), _NUMBER_OR_TEXT]
"""A number, or an ISO 8601 date as a string."""


def _parse_origin(value: object) -> object:
    return value if value == "now" else _parse_bound(value)


def _parse_distance(value: object) -> object:
    if _is_number(value) or isinstance(value, str):
        return value
    raise ValueError(f'must be a number, or a duration such as "30d" for dates, got {shown(value)}')


Origin = Annotated[Any, PlainValidator(_parse_origin), _NUMBER_OR_TEXT]
"""A number, an ISO 8601 date as a string, or "now"."""
Distance = Annotated[Any, PlainValidator(_parse_distance), _NUMBER_OR_TEXT]
"""A number, or a duration such as "30d"."""


class FacetRange(Config):
    """A range of numbers or dates, with the names of filters. Without bounds: every number.

    gte: smallest value of the range; None = no limit.
    lt:  the range ends before this value; None = no limit.
    """

    gte: Bound | None = None
    lt: Bound | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        kinds = {isinstance(bound, str) for bound in (self.gte, self.lt) if bound is not None}
        if len(kinds) > 1:
            raise ValueError("`gte` and `lt` must both be numbers or both be dates")
        return self


class FacetRequest(Config):
    """The counts of the values that documents have in one field.

    field:  metadata field; also `id` and `title`.
    limit:  maximum number of values that are returned.
    order:  "count" = the most frequent values first; "value" = ascending order of values.
    ranges: ranges of numbers or dates to count instead of single values.
    """

    field: FieldName
    limit: Annotated[int, Bounds(1, 1_000)] = 10
    order: Literal["count", "value"] = "count"
    ranges: Annotated[tuple[FacetRange, ...], Field(max_length=100)] = ()


class HighlightRequest(Config):
    """Snippets of each hit, with the places of the words that match the query.

    The analysis of a lexical leg finds the words. In a collection without a lexical leg, words
    match that are equal to those of the query, whatever their case.

    fields:    parts of the document to take snippets from. A part without a matching word has none.
    fragments: maximum number of snippets of each part.
    size:      maximum number of characters of a snippet; a longer matching word is not cut.
    pre, post: what is put before and after matching words in `marked`, the snippet in HTML, such as
               "<mark>" and "</mark>". The text itself is escaped. None = no `marked`.
    """

    fields: Annotated[tuple[Literal["title", "text"], ...], Field(min_length=1)] = ("title", "text")
    fragments: Annotated[int, Bounds(1, 20)] = 1
    size: Annotated[int, Bounds(20, 10_000)] = 200
    pre: Annotated[str, Field(max_length=200)] | None = None
    post: Annotated[str, Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.pre is None) != (self.post is None):
            raise ValueError("`pre` and `post` belong together; set both of them or none")
        return self


def parse_highlight(value: object) -> object:
    """Return {} for true, None for false, and any other value unchanged."""
    if isinstance(value, bool):
        return {} if value else None
    return value


class GroupRequest(Config):
    """The best hits for each value of a field.

    field: metadata field; also `id` and `title`. A document with several values is in the group of
           each. Documents without the field are a group of their own.
    size:  maximum number of hits of a group.
    """

    field: FieldName
    size: Annotated[int, Bounds(1, 100)] = 3


Weight = Annotated[float, Bounds(0, 1e6)]


class FilterBoost(Config):
    """Raises the scores of documents that meet a filter: their value is 1.

    weight: weight of the boost.
    """

    kind: Literal["filter"] = "filter"
    filter: dict[str, Any] = Field(description=FILTER_HELP)
    weight: Weight = 1.0

    @field_validator("filter")
    @classmethod
    def _parses(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            parse_filter(value)
        except InvalidInputError as error:
            raise ValueError(str(error)) from None
        return value


class NumberBoost(Config):
    """Raises scores by a number such as a popularity x >= 0: the value is x / (x + pivot).

    field:  metadata field with numbers. Of several numbers, the largest counts. A document without
            the field, or with a negative number, has the value 0.
    pivot:  number whose value is one half.
    weight: weight of the boost.
    """

    kind: Literal["number"] = "number"
    field: FieldName
    pivot: Annotated[float, Bounds(0, 1e15, above=True)]
    weight: Weight = 1.0


class DecayBoost(Config):
    """Raises scores by nearness of a number or date x to an origin, such as today.

    With d = max(0, |x - origin| - offset), the value is:

        exp     decay ** (d / scale)
        gauss   decay ** ((d / scale) ** 2)
        linear  max(0, 1 - (1 - decay) * d / scale)

    field:  metadata field with numbers, or with ISO 8601 dates. Of several values, the nearest
            counts. A document without the field has the value 0.
    origin: number, ISO 8601 date, or "now".
    scale:  distance, beyond `offset`, at which the value is `decay`. For dates it is a duration
            such as "30d": a number with ms, s, m, h, d or w.
    offset: distance up to which the value is 1, as `scale`; None = 0.
    decay:  value at the distance `scale`.
    shape:  "exp", "gauss" or "linear".
    weight: weight of the boost.
    """

    kind: Literal["decay"] = "decay"
    field: FieldName
    origin: Origin
    scale: Distance
    offset: Distance | None = None
    decay: Annotated[float, Bounds(0, 0.999_999, above=True)] = 0.5
    shape: Literal["exp", "gauss", "linear"] = "exp"
    weight: Weight = 1.0

    @property
    def dates(self) -> bool:
        """Return True if the values are dates."""
        return isinstance(self.origin, str)

    @model_validator(mode="after")
    def _check(self) -> Self:
        wanted = 'a duration such as "30d"' if self.dates else "a number, as `origin` is one"
        for name in ("scale", "offset"):
            value = getattr(self, name)
            if value is not None and isinstance(value, str) != self.dates:
                raise ValueError(f"`{name}` must be {wanted}, got {shown(value)}")
            if value is not None and self.distance(value) < (0 if name == "offset" else 1e-12):
                raise ValueError(f"`{name}` must be above 0, got {shown(value)}")
        return self

    def distance(self, value: float | str | None) -> float:
        """Return a scale or offset as a number; of dates, in microseconds."""
        if value is None:
            return 0.0
        if not isinstance(value, str):
            return float(value)
        found = _DURATION.fullmatch(value)
        if found is None:
            raise ValueError(f'must be a duration such as "30d" or "12h", got {shown(value)}')
        return math.ceil(float(found[1]) * _SECONDS[found[2]] * 1e6)


Boost = Annotated[FilterBoost | NumberBoost | DecayBoost, Field(discriminator="kind")]
"""Something besides the query that raises the scores of documents. See `arranging.boosts`."""
