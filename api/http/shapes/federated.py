"""Shapes of a search over several collections."""

from __future__ import annotations

from .arranging import FacetPlace
from .schemas import IndexState, SearchHit, Total
from .shape import Shape


class FederatedHit(SearchHit):
    """A hit of one of several collections.

    Its other fields are those of the hit in its own collection.

    collection:   name of the collection.
    rank:         position in the list of the collection, from 1.
    merged_score: score in the merged list.
    """

    collection: str
    rank: int
    merged_score: float


class SearchedCollection(Shape):
    """What was found in one collection. Without `error`, it has all other fields.

    name:    name of the collection.
    index:   state of its index.
    total:   number of documents that match.
    took_ms: time of its search in milliseconds.
    error:   why it was left out.
    """

    name: str
    index: IndexState | None = None
    total: Total | None = None
    took_ms: float | None = None
    error: str | None = None


class FederatedReply(Shape):
    """The result of a search over several collections.

    request_id:  id of the request, which logs contain too.
    took_ms:     time on the server in milliseconds.
    collections: what was found in each collection, in the order of the request.
    total:       number of documents that match in all collections together.
    hits:        the merged hits.
    warnings:    messages for the caller; each begins with the name of its collection.
    facets:      counts of all collections together; only if the request has `facets`.
    """

    request_id: str
    took_ms: float
    collections: list[SearchedCollection]
    total: Total
    hits: list[FederatedHit]
    warnings: list[str]
    facets: list[FacetPlace] | None = None
