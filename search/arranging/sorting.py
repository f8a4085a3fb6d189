"""The order of documents by fields, for pages of a search result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.filters import STRING
from ...core.filters.dates import instant
from ...index import FieldValues, Handles, View
from .request import SCORE, SortKey

Order = NDArray[np.intp]


def sort_documents(
    view: View,
    documents: Handles,
    scores: NDArray[np.float64],
    keys: Sequence[SortKey],
    begin: int,
    end: int,
) -> Order:
    """Return the positions of n documents in the order of the keys.

    Documents that are equal in all keys are ordered by id, at least if they are among the documents
    from `begin` to `end` (exclusive) of the result. So pages neither overlap nor have gaps.

    documents: int64 [n], handles.
    scores:    float64 [n], their scores.
    """
    columns = [_column(view, documents, scores, key) for key in keys]
    order = np.lexsort(columns[::-1])
    return _settled(view, documents, order, columns, begin, end)


def _column(
    view: View, documents: Handles, scores: NDArray[np.float64], key: SortKey
) -> NDArray[Any]:
    """Return a number for each document. The document with the smallest number comes first."""
    if key.field == SCORE:
        return -scores if key.descends else scores
    values = view.values(key.field, documents)
    if key.date:
        values = dates_of(values)
    codes = values.extremes(len(documents), largest=key.descends)
    absent = codes < 0
    found = -codes if key.descends else codes
    count = len(values.values)
    found[absent] = count if key.missing == "last" else -count - 1
    return found


def dates_of(values: FieldValues) -> FieldValues:
    """Return the values that are ISO 8601 dates, as microseconds since 1970 in UTC."""
    found = [instant(str(value)) if kind == STRING else None for kind, value in values.values]
    distinct = sorted({at for at in found if at is not None})
    place = {at: code for code, at in enumerate(distinct)}
    codes = np.array([-1 if at is None else place[at] for at in found], dtype=np.int64)
    codes = codes[values.codes] if len(found) else values.codes
    keep = codes >= 0
    positions, codes = values.positions[keep], codes[keep]
    order = np.lexsort((codes, positions))  # Two texts of one date may be in another order.
    return FieldValues(positions[order], codes[order], [(STRING, at) for at in distinct])


def _settled(
    view: View,
    documents: Handles,
    order: Order,
    columns: Sequence[NDArray[Any]],
    begin: int,
    end: int,
) -> Order:
    """Order by id the documents that are equal in all columns and touch the page."""
    end = min(end, len(order))
    if begin >= end or len(order) < 2:
        return order
    differs = np.zeros(len(order) - 1, dtype=np.bool_)
    for column in columns:
        placed = column[order]
        differs |= placed[1:] != placed[:-1]
    starts = np.concatenate([[0], np.flatnonzero(differs) + 1, [len(order)]])
    first = int(np.searchsorted(starts, begin, "right")) - 1
    last = int(np.searchsorted(starts, end, "left"))
    order = order.copy()
    for start, stop in zip(starts[first:last], starts[first + 1 : last + 1], strict=True):
        if stop - start > 1:
            tied = order[start:stop]
            names = view.names(documents[tied].tolist())
            by_name = sorted(tied.tolist(), key=lambda i: names[int(documents[i])])
            order[start:stop] = by_name
    return order
