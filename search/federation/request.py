"""Requests that search several collections at once."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ...core import Config
from ...core.bounds import Bounds
from ..arranging.request import SCORE, FacetRequest
from ..request import SearchRequest

COLLECTIONS = 20
"""Maximum number of collections of one request."""
VALUES = 1_000
"""Number of values of a facet that are read of each collection."""


class CollectionRequest(Config):
    """One of the collections that a request searches.

    name:   name of the collection, or an alias.
    weight: weight of the collection's ranks; see `merge`.
    """

    name: Annotated[str, Field(min_length=1, max_length=300)]
    weight: Annotated[float, Bounds(0, 1e6)] = 1.0


def _parse_collection(value: object) -> object:
    """Return {"name": value} for a string, and any other value unchanged."""
    return {"name": value} if isinstance(value, str) else value


class FederatedRequest(SearchRequest):
    """A search over several collections, whose hits are merged into one list.

    Each collection is searched with the fields of a search request. `limit` and `offset` count the
    hits of the merged list. `group` is not supported.

    collections: the collections to search; a name is short for {"name": name}.
    merge:    "rank" = reciprocal rank fusion: the score of a hit is weight / (60 + rank), with its
              rank in its own collection. "score" = the scores of the collections are compared as
              they are, or the scores of the reranker; the weights do not count. With `sort`, hits
              are merged by the values of its fields instead. Equal hits follow the order of
              `collections`.
    on_error: "fail" = the request fails if the search of a collection fails; "skip" = this
              collection is left out, with a warning.
    """

    collections: Annotated[
        tuple[
            Annotated[
                CollectionRequest,
                BeforeValidator(_parse_collection, json_schema_input_type=CollectionRequest | str),
            ],
            ...,
        ],
        Field(min_length=1, max_length=COLLECTIONS),
    ]
    merge: Literal["rank", "score"] = "rank"
    on_error: Literal["fail", "skip"] = "fail"

    @model_validator(mode="after")
    def _check_federation(self) -> Self:
        names = [one.name for one in self.collections]
        if len(set(names)) != len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise ValueError(f"`collections` must name each collection once, got {twice!r} twice")
        if isinstance(self.as_of, int):
            raise ValueError(
                "`as_of` must be a time, because each collection counts its own commits, got "
                f"{self.as_of}"
            )
        if self.group is not None:
            raise ValueError("`group` is not supported over several collections; remove it")
        if any(key.field == SCORE for key in self.sort) and self.merge != "score":
            raise ValueError(
                f"`sort` by {SCORE!r} compares scores of different collections; set `merge` to "
                '"score", or remove this key'
            )
        return self

    def own(self) -> SearchRequest:
        """Return the request for each collection. The caller keeps `timeout_ms` for all of them."""
        given = {name: getattr(self, name) for name in SearchRequest.model_fields}
        given |= {"offset": 0, "limit": self.offset + self.limit, "timeout_ms": None}
        given["facets"] = tuple(map(_whole, self.facets))
        if self.sort:  # To compare the values of the fields.
            given["include"] = tuple(dict.fromkeys([*self.include, "title", "metadata"]))
        return SearchRequest.model_construct(**given)


def _whole(facet: FacetRequest) -> FacetRequest:
    return facet if facet.ranges else facet.model_copy(update={"limit": VALUES})
