"""The final order of the found documents: by score with boosts, or by fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...core import Trace
from ...index import Handles, View
from .boosts import boost_values, contributions
from .request import SCORE, Boost, SortKey
from .sorting import Order, runs_of, settle, sort_documents


@dataclass(frozen=True, slots=True)
class Ordered:
    """n documents in their final order, except for the order of equal documents; see `settled`.

    documents: int64 [n], handles.
    scores:    float64 [n], scores with boosts.
    runs:      start of each run of equal documents, and n.
    boosts:    float64 [2, boosts, n]: the value of each boost, and what it adds to the score; None
               if there are no boosts.
    """

    documents: Handles
    scores: NDArray[np.float64]
    runs: NDArray[np.intp]
    boosts: NDArray[np.float64] | None = None

    def settled(self, view: View, positions: NDArray[np.int64]) -> Ordered:
        """Return the list with equal documents ordered by id, in the runs that touch `positions`.

        So pages neither overlap nor have gaps, and the order does not depend on that of writes.
        """
        order = settle(view, self.documents, self.runs, positions)
        return self if order is None else self.taken(order)

    def taken(self, order: Order) -> Ordered:
        """Return the list in another order. The runs stay in place."""
        boosts = None if self.boosts is None else self.boosts[:, :, order]
        documents, scores = self.documents[order], self.scores[order]
        return replace(self, documents=documents, scores=scores, boosts=boosts)


def order_documents(
    view: View,
    trace: Trace,
    documents: Handles,
    scores: NDArray[np.float64],
    sort: Sequence[SortKey],
    boosts: Sequence[Boost],
    positions: NDArray[np.int64],
) -> Ordered:
    """Order n documents by the keys of `sort`; by their scores with boosts if there are none.

    documents: int64 [n], handles, best first.
    scores:    float64 [n], scores without boosts.
    positions: positions at which the order of equal documents matters; see `Ordered.settled`.
    """
    found = None
    if boosts:
        with trace.stage("boost"):
            values = boost_values(view, documents, boosts)
            added = contributions(scores, values, boosts)
            scores = scores + added.sum(axis=0)
            found = np.stack([values, added])
    with trace.stage("sort"):
        order, runs = sort_documents(view, documents, scores, sort or (SortKey(field=SCORE),))
        return Ordered(documents, scores, runs, found).taken(order).settled(view, positions)


def order_by_score(
    view: View, documents: Handles, scores: NDArray[np.float64], positions: NDArray[np.int64]
) -> Ordered:
    """Order documents with equal scores by id, in the runs that touch `positions`.

    documents: handles of n documents, best first.
    scores:    float64 [n], in descending order.
    """
    return Ordered(documents, scores, runs_of([scores])).settled(view, positions)


def settle_ties(
    view: View, documents: Handles, scores: NDArray[np.float64], end: int
) -> tuple[Handles, NDArray[np.float64]]:
    """Order documents with equal scores by id, at least among the first `end` documents.

    documents: handles of n documents, best first.
    scores:    float64 [n], in descending order.
    """
    found = order_by_score(view, documents, scores, np.arange(min(end, len(documents))))
    return found.documents, found.scores
