"""The final order of the found documents: by score with boosts, or by fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core import Trace
from ...index import Handles, View
from .boosts import boost_values, contributions
from .request import SCORE, Boost, SortKey
from .sorting import sort_documents


@dataclass(frozen=True, slots=True)
class Ordered:
    """n documents in their final order.

    documents: int64 [n], handles.
    scores:    float64 [n], scores with boosts.
    boosts:    float64 [2, boosts, n]: the value of each boost, and what it adds to the score; None
               if there are no boosts.
    """

    documents: Handles
    scores: NDArray[np.float64]
    boosts: NDArray[np.float64] | None


def order_documents(
    view: View,
    trace: Trace,
    documents: Handles,
    scores: NDArray[np.float64],
    sort: Sequence[SortKey],
    boosts: Sequence[Boost],
    begin: int,
    end: int,
) -> Ordered:
    """Order n documents by the keys of `sort`; by their scores if there are none.

    Equal documents are ordered by id, at least among the documents `begin` to `end` of the result.

    documents: int64 [n], handles, best first.
    scores:    float64 [n], scores without boosts.
    """
    found = None
    if boosts:
        with trace.stage("boost"):
            values = boost_values(view, documents, boosts)
            added = contributions(scores, values, boosts)
            scores = scores + added.sum(axis=0)
            found = np.stack([values, added])
    elif not sort:
        return Ordered(*settle_ties(view, documents, scores, end), None)
    with trace.stage("sort"):
        keys = sort or (SortKey(field=SCORE),)
        order = sort_documents(view, documents, scores, keys, begin, end)
    return Ordered(documents[order], scores[order], None if found is None else found[:, :, order])


def settle_ties(
    view: View, documents: Handles, scores: NDArray[np.float64], end: int
) -> tuple[Handles, NDArray[np.float64]]:
    """Order documents with equal scores by id, at least among the first `end` documents.

    documents: handles of n documents, best first.
    scores:    float64 [n], in descending order.
    """
    if len(scores) < 2:
        return documents, scores
    worst = scores[min(end, len(scores)) - 1]
    equal = scores[1:] == scores[:-1]
    tied = np.zeros(len(scores), dtype=np.bool_)
    tied[1:] |= equal
    tied[:-1] |= equal
    tied &= scores >= worst
    if not tied.any():
        return documents, scores
    names = view.names(documents[tied].tolist())
    by_name = sorted(np.flatnonzero(tied).tolist(), key=lambda i: names[int(documents[i])])
    positions = np.zeros(len(documents), dtype=np.int64)
    positions[by_name] = np.arange(len(by_name))
    order = np.lexsort((positions, -scores))
    return documents[order], scores[order]
