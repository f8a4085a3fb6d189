"""Scores that a caller can sort by, for the results of any reranker."""

from __future__ import annotations

from collections.abc import Sequence

from .protocol import Placed


def scores(order: Sequence[Placed]) -> list[float]:
    """Return the scores that the reranker gave."""
    return [float(placed.score) for placed in order if placed.score is not None]


def relevance(order: Sequence[Placed]) -> list[float]:
    """Return a score for each result, in descending order.

    It is the score of the reranker. If the reranker returns no scores at all, results that it
    judged get 1 / rank. Other results get 0, or the lowest score if that is below 0.
    """
    known = scores(order)
    floor = min([0.0, *known])
    found: list[float] = []
    for rank, placed in enumerate(order, 1):
        score = placed.score
        if score is None:
            score = 1 / rank if placed.judged and not known else floor
        found.append(min(float(score), found[-1]) if found else float(score))
    return found
