"""Why a search found what it did: what each term added to a score, and the words of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..core import Contribution, Representation, TermWeight, TopTerms
from ..index import LegResult, Snapshot
from ..index.protocol import heaviest_first
from .queries import QueryEncoder

TERMS = 20
"""Terms told of a query and of a passage."""

Found = Mapping[str, tuple[LegResult, int]]
"""Leg -> its result, and where in it the document is."""


def contributions(
    snapshot: Snapshot, queries: QueryEncoder, encoded: Mapping[str, Representation], found: Found
) -> dict[str, Sequence[Contribution]]:
    """By leg that can say so: the contribution of each term to a score, largest first.

    encoded: leg -> the query that it searched with.
    """
    explained: dict[str, Sequence[Contribution]] = {}
    for leg, (result, position) in found.items():
        terms = snapshot.explain(leg, encoded[leg], result, position)
        if terms:
            named = [replace(term, term=queries.name(leg, term.term)) for term in terms]
            explained[leg] = sorted(named, key=lambda term: (-term.score, term.term))
    return explained


def passage_terms(snapshot: Snapshot, queries: QueryEncoder, found: Found) -> dict[str, TopTerms]:
    """By sparse leg: the heaviest terms of the document's best passage there."""
    return {
        leg: _top(queries, leg, snapshot.terms(leg, result, position))
        for leg, (result, position) in found.items()
        if queries.is_sparse(leg)
    }


def query_terms(
    queries: QueryEncoder, encoded: Mapping[str, Representation]
) -> dict[str, TopTerms]:
    """By sparse leg: the heaviest terms of the query; of several vectors the greatest weight."""
    return {
        leg: _top(queries, leg, _weights(query))
        for leg, query in encoded.items()
        if queries.is_sparse(leg)
    }


def _weights(query: Representation) -> list[TermWeight]:
    greatest: dict[int, float] = {}
    if query.sparse is not None:
        for index, weight in zip(query.sparse.indices, query.sparse.data, strict=True):
            if weight > greatest.get(index, 0.0):
                greatest[index] = float(weight)
    return heaviest_first(TermWeight(str(index), weight) for index, weight in greatest.items())


def _top(queries: QueryEncoder, leg: str, terms: Sequence[TermWeight]) -> TopTerms:
    top = [replace(term, term=queries.name(leg, term.term)) for term in terms[:TERMS]]
    return TopTerms(top, len(terms))
