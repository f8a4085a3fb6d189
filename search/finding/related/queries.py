"""Makes the queries of a search for documents like others ("more like this")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from ....core import (
    Document,
    InvalidInputError,
    NotFoundError,
    QueryStage,
    Representation,
    TermWeight,
    TopTerms,
)
from ....core.errors import shown
from ....core.filters import parse_filter
from ....index import (
    DenseLeg,
    ExplainingView,
    Handles,
    LexicalLeg,
    VectorView,
    View,
    heaviest_first,
)
from ...feedback.like import informative_terms, liked_vector, liked_weights
from ...feedback.terms import heaviest
from ..planning import EncodedPlan

LIKE = "like"
"""Name of the stage, and of its time in `timings`."""


def like_documents(view: View, encoded: EncodedPlan) -> EncodedPlan:
    """Return a plan with a query for each leg, made of the documents of the request's `like`.

    Appends a stage with the terms of the queries. Raises InvalidInputError for an unknown id.
    """
    like = encoded.plan.request.like
    assert like is not None, "checked by the caller"
    with encoded.trace.stage(LIKE):
        made = _Queries(view, encoded, like.terms)
        liked = [made.document(name, f"like.ids[{i}]") for i, name in enumerate(like.ids)]
        disliked = [made.document(n, f"like.unlike[{i}]") for i, n in enumerate(like.unlike)]
        queries = [made.query(leg.name, liked, disliked) for leg in encoded.plan.legs]
    encoded.stages.append(
        QueryStage(LIKE, "ran", terms=made.terms, documents=[*like.ids, *like.unlike])
    )
    return replace(encoded, query=replace(encoded.query, legs=queries))


class _Queries:
    """Makes the queries of one search. limit: maximum number of terms of a query."""

    def __init__(self, view: View, encoded: EncodedPlan, limit: int) -> None:
        self._view = view
        self._encoded = encoded
        self._limit = limit
        self._passages: dict[str, Handles] = {}
        self.terms: dict[str, TopTerms] = {}

    def document(self, name: str, field: str) -> Document:
        """Return a document by its id. Raises InvalidInputError if there is none."""
        try:
            return self._view.get(name)
        except NotFoundError:
            raise InvalidInputError(
                f"there is no document {shown(name)}; use ids of stored documents", field=field
            ) from None

    def query(
        self, leg: str, liked: Sequence[Document], disliked: Sequence[Document]
    ) -> Representation:
        """Return the query of one leg."""
        config = self._view.config.legs[leg]
        sides = liked, disliked
        if isinstance(config, DenseLeg):
            view = cast(VectorView, self._view)
            vectors = [[view.vectors(leg, self._of(one)) for one in side] for side in sides]
            return Representation(dense=liked_vector(*vectors)[None, :])
        if isinstance(config, LexicalLeg):
            counts = [self._counts(leg, side) for side in sides]
            every = sorted({term for side in counts for one in side for term in one})
            statistics = self._view.statistics(leg, every)
            found = informative_terms(counts[0], counts[1], statistics, self._limit)
            self._show(leg, found)
            return Representation(terms=[found])
        weights = [[self._weights(leg, one) for one in side] for side in sides]
        found = heaviest(liked_weights(*weights), self._limit)
        self._show(leg, found)
        numbered = {int(term): weight for term, weight in found.items()}
        return self._encoded.encoder.sparse_query(leg, numbered)

    def _counts(self, leg: str, documents: Sequence[Document]) -> list[Mapping[str, float]]:
        """Return the frequencies of terms in documents."""
        if not documents:
            return []
        texts = [f"{one.title}\n{one.text}".strip() for one in documents]
        return [dict(one) for one in self._encoded.encoder.passage_terms(leg, documents, texts)]

    def _weights(self, leg: str, document: Document) -> dict[str, float]:
        """Return the mean of the stored weights of a document's passages in a sparse leg."""
        handles, found = self._of(document), dict[str, float]()
        for passage in cast(ExplainingView, self._view).terms(leg, handles):
            for term in passage:
                found[term.term] = found.get(term.term, 0.0) + term.weight / len(handles)
        return found

    def _of(self, document: Document) -> Handles:
        """Return the passages of a document."""
        if document.id not in self._passages:
            where = {"id": document.id}
            numbers = self._view.matching(parse_filter(where))
            self._passages[document.id] = cast(VectorView, self._view).passages_of(numbers)
        return self._passages[document.id]

    def _show(self, leg: str, weights: Mapping[str, float]) -> None:
        ordered = heaviest_first(TermWeight(term, weight) for term, weight in weights.items())
        name = self._encoded.encoder.name
        self.terms[leg] = TopTerms(
            [TermWeight(name(leg, one.term), one.weight) for one in ordered], len(ordered)
        )
