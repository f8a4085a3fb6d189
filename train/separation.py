"""Test queries that training has not seen: no shared gold document and no near copy of the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..core import InvalidInputError, Qrels, Query

SHINGLE = 3
"""Characters in a shingle."""
NEAR = 0.5
"""Jaccard similarity of two texts' shingles from which one is a near copy of the other."""


@dataclass(frozen=True, slots=True)
class Separation:
    """How test queries relate to training queries; each part is in the order of the test queries.

    sharing: ids of those with a relevant document that is relevant to a training query.
    copying: ids of those whose text is a near copy of a training query's.
    clean:   the queries that are neither.
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
    """Which test queries are independent of a training set.

    near: Jaccard similarity of the sets of character trigrams, lower case and white space folded,
    from which a text is a near copy. Only training queries with judgements count. Raises
    InvalidInputError unless 0 < near <= 1.
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
    dirty = {*sharing, *copying}
    return Separation(sharing, copying, [query for query in queries if query.id not in dirty])


def shingles(text: str) -> frozenset[str]:
    """The character trigrams of a text in lower case, runs of white space as one blank."""
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
