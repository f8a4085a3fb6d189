"""Counts of the values that the found documents have in a field.

Every document of the ranked list counts, not only those of the page: `SearchResult.total` is the
number of these documents.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import cast

import numpy as np

from ...core.filters.dates import instant
from ...core.results import Facet, FacetCount
from ...index import FieldValues, Handles, View
from ...index.field_values import plain
from .request import FacetRange, FacetRequest
from .sorting import dates_of


def count_facets(view: View, documents: Handles, requests: Sequence[FacetRequest]) -> list[Facet]:
    """Return the counts of each request. documents: int64 [n], handles of the found documents."""
    return [_facet(view.values(one.field, documents), len(documents), one) for one in requests]


def _facet(values: FieldValues, documents: int, request: FacetRequest) -> Facet:
    numbers = values.values.number_count
    return Facet(
        field=request.field,
        counts=_ranges(values, request.ranges) if request.ranges else _values(values, request),
        distinct=len(values.values),
        missing=documents - _owners(values.positions),
        minimum=cast(float, values.values[0][1]) if numbers else None,
        maximum=cast(float, values.values[numbers - 1][1]) if numbers else None,
    )


def _values(values: FieldValues, request: FacetRequest) -> list[FacetCount]:
    counts = np.bincount(values.codes, minlength=len(values.values))
    # Every value is one of the documents', so no count is 0. Equal counts: by value.
    order = np.arange(min(len(counts), request.limit))
    if request.order == "count":
        order = np.argsort(-counts, kind="stable")[: request.limit]
    return [
        FacetCount(count, plain(value))
        for count, value in zip(counts[order].tolist(), values.values.at(order), strict=True)
    ]


def _ranges(values: FieldValues, ranges: Sequence[FacetRange]) -> list[FacetCount]:
    """Return the number of documents with at least one value in each range."""
    dated: FieldValues | None = None
    found = []
    for one in ranges:
        bounds = [one.gte, one.lt]
        among = values
        if any(isinstance(bound, str) for bound in bounds):
            among = dated = dates_of(values) if dated is None else dated
            bounds = [None if bound is None else instant(str(bound)) for bound in bounds]
            sequence = [value for _, value in among.values]
        else:
            sequence = [value for _, value in among.values[: among.values.number_count]]
        low = 0 if bounds[0] is None else bisect_left(sequence, bounds[0])
        high = len(sequence)
        if bounds[1] is not None:
            high = bisect_left(sequence, bounds[1])
        inside = (among.codes >= low) & (among.codes < high)
        found.append(FacetCount(_owners(among.positions[inside]), gte=one.gte, lt=one.lt))
    return found


def _owners(positions: np.ndarray) -> int:
    """Return the number of different documents. positions: ascending."""
    return int(np.count_nonzero(np.diff(positions))) + 1 if len(positions) else 0
