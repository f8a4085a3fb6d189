"""Shapes of facets, groups and boosts of a search."""

from __future__ import annotations

from .shape import Shape


class BoostPlace(Shape):
    """What one boost adds to the score of a hit.

    value:        value of the boost for this document, from 0 to 1.
    weight:       weight of the boost.
    contribution: what the boost adds to the score.
    """

    value: float
    weight: float
    contribution: float


class FacetCountPlace(Shape):
    """The number of found documents with a value, or with a value in a range.

    count: number of documents.
    value: the value; absent for a range.
    gte, lt: bounds of the range, as in the request.
    """

    count: int
    value: str | bool | int | float | None = None
    gte: float | str | None = None
    lt: float | str | None = None


class FacetPlace(Shape):
    """The values that the found documents have in one field.

    field:    the field.
    counts:   the requested values or ranges.
    distinct: number of different values.
    missing:  number of found documents without the field.
    minimum, maximum: smallest and largest number; null if no value is a number.
    """

    field: str
    counts: list[FacetCountPlace]
    distinct: int
    missing: int
    minimum: float | None
    maximum: float | None


class GroupPlace(Shape):
    """The hits with the same value in the field of `group`.

    value: the value; null: the documents do not have the field.
    total: number of found documents with the value.
    hits:  number of hits of this group in `hits`, which begins with those of the first group.
    """

    value: str | bool | int | float | None
    total: int
    hits: int


class SpanPlace(Shape):
    """Characters of a text.

    start: first character.
    end:   the character after the last one.
    """

    start: int
    end: int


class HighlightPlace(Shape):
    """A snippet of a document, with the places of the words that match the query.

    field:  "title" or "text".
    start, end: characters [start, end) of the field that the snippet has.
    text:   the snippet.
    spans:  the matching words, counted from the start of the field.
    marked: the snippet in HTML, with `pre` and `post` around matching words; only if the request
            has them.
    """

    field: str
    start: int
    end: int
    text: str
    spans: list[SpanPlace]
    marked: str | None = None
