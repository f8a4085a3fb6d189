"""The order of documents by fields, for pages of a search result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.filters import STRING
from ...index import FieldValues, Handles, View
from ...index.field_values import NO_DATE, Values
from .request import SCORE, SortKey

Order = NDArray[np.intp]


def sort_documents(
    view: View, documents: Handles, scores: NDArray[np.float64], keys: Sequence[SortKey]
) -> tuple[Order, NDArray[np.intp]]:
    """Return the positions of n documents in the order of the keys, and the starts of equal runs.

    Documents in a run are equal in all keys. The starts end with n.

    documents: int64 [n], handles.
    scores:    float64 [n], their scores.
    """
    columns = [_column(view, documents, scores, key) for key in keys]
    order = np.lexsort(columns[::-1])
    return order, runs_of([column[order] for column in columns])


def runs_of(columns: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    """Return the start of each run of positions that are equal in all columns, and their number."""
    count = len(columns[0])
    differs = np.zeros(max(0, count - 1), dtype=np.bool_)
    for column in columns:
        differs |= column[1:] != column[:-1]
    starts = np.flatnonzero(differs) + 1
    return np.concatenate([[0], starts, [count]]) if count else np.zeros(1, dtype=np.intp)


def settle(
    view: View, documents: Handles, runs: NDArray[np.intp], positions: NDArray[np.int64]
) -> Order | None:
    """Return the order in which the runs that touch some positions are ordered by id.

    None: it is the order of `documents`.

    documents: int64 [n], handles, in order.
    runs:      starts of the runs of equal documents, and n.
    positions: the documents whose order matters. Their runs do not change by being ordered.
    """
    touched = np.zeros(len(runs), dtype=np.bool_)
    touched[np.searchsorted(runs, positions, "right") - 1] = True
    touched[:-1] &= np.diff(runs) > 1
    pairs = [(runs[run], runs[run + 1]) for run in np.flatnonzero(touched[:-1])]
    if not pairs:
        return None
    order = np.arange(len(documents))
    tied = np.concatenate([np.arange(start, stop) for start, stop in pairs])
    names = view.names(documents[tied].tolist())
    for start, stop in pairs:
        own = [names[number] for number in documents[start:stop].tolist()]
        order[start:stop] = start + np.array(sorted(range(len(own)), key=own.__getitem__))
    return order


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
    instants = values.values.instants
    distinct, place = np.unique(instants, return_inverse=True)
    first = int(np.searchsorted(distinct, NO_DATE, "right"))  # 1 if some values are no dates.
    codes = place[values.codes] - first
    keep = codes >= 0
    positions, codes = values.positions[keep], codes[keep]
    order = np.lexsort((codes, positions))  # Two texts of one date may be in another order.
    dates = Values([(STRING, at) for at in distinct[first:].tolist()])
    return FieldValues(positions[order], codes[order], dates)
