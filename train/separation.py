"""Finds the test queries that are independent of the training queries.

An independent query shares no relevant document with any training query, and its text is not a near
copy of any training query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..core import InvalidInputError, Qrels, Query

SHINGLE = 3
"""Number of characters in a shingle, a short piece of a text."""
NEAR = 0.5
"""Two texts are near copies if the Jaccard similarity of their shingles is at least this."""


@dataclass(frozen=True, slots=True)
class Separation:
    """The test queries, divided by their relation to the training queries.

    Each list is in the order of the test queries. A query may be in `sharing` and in `copying`.

    sharing: ids of test queries that share a relevant document with a training query.
    copying: ids of test queries whose text is a near copy of a training query.
    clean:   the other test queries, which are independent of the training queries.
    """

    sharing: Sequence[str]
    copying: Sequence[str]
    clean: Sequence[Query]


def separate(
    queries: Sequence[Query],
    qrels: Qrels,
    train_queries: Sequence[Query],
    train_qrels: Qrels,
    *,
    near: float = NEAR,
) -> Separation:
    """Find the test queries that are independent of a training set.

    queries, qrels: test queries and their judgements.
    train_queries, train_qrels: training queries and their judgements. Training queries without
          judgements are ignored.
    near: two texts are near copies if the Jaccard similarity of their `shingles` is at least this.

    Raises InvalidInputError unless 0 < near <= 1.
    """
    if not 0 < near <= 1:
        raise InvalidInputError(f"must be above 0 and at most 1, got {near}", field="near")
    gold = set().union(*(_relevant(train_qrels, query) for query in train_qrels))
    seen = [shingles(query.text) for query in train_queries if query.id in train_qrels]
    index: dict[str, list[int]] = {}
    for number, pieces in enumerate(seen):
        for piece in pieces:
            index.setdefault(piece, []).append(number)
    sharing = [query.id for query in queries if gold & _relevant(qrels, query.id)]
    copying = [query.id for query in queries if _has_copy(query.text, seen, index, near)]
    dependent = {*sharing, *copying}
    return Separation(sharing, copying, [query for query in queries if query.id not in dependent])


def shingles(text: str) -> frozenset[str]:
    """Return all pieces of three successive characters of a text.

    The text is in lower case, and each run of white space is one space.
    """
    folded = " ".join(text.lower().split())
    last = max(1, len(folded) - SHINGLE + 1)
    return frozenset(folded[i : i + SHINGLE] for i in range(last))


def _has_copy(
    text: str, seen: Sequence[frozenset[str]], index: dict[str, list[int]], near: float
) -> bool:
    pieces = shingles(text)
    common = Counter(number for piece in pieces for number in index.get(piece, ()))
    return any(
        count >= near * (len(pieces) + len(seen[number]) - count)
        for number, count in common.items()
    )


def _relevant(qrels: Qrels, query: str) -> set[str]:
    return {document for document, grade in qrels.get(query, {}).items() if grade > 0}
