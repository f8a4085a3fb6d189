"""What a search asks for and what comes back. The same objects serve Python, CLI and REST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ..core import Config, Hit, TopTerms, Usage, VectorSearch, VectorStorage
from ..core.config import LEG_NAME

WINDOW = 1_000
"""offset + limit may not go beyond this."""


class LegRequest(Config):
    """One leg of a search.

    weight: share in the fusion.
    depth:  documents taken from the leg; None = the request's `depth`.
    search: how far the index of a dense leg looks; None = as the request's `search` says.
    """

    name: str = Field(pattern=LEG_NAME)
    weight: float = Field(default=1.0, ge=0, le=1e6)
    depth: int | None = Field(default=None, ge=1, le=10_000)
    search: VectorSearch | None = None


class Fusion(Config):
    """How the legs' lists become one. See `twindex.search.fusion` for the formulae.

    method: "minmax", "zscore", "dbsf" (distribution-based), or "rrf" (reciprocal rank).
    k:      the constant of RRF; None = 60. Only "rrf" takes it.
    """

    method: Literal["rrf", "minmax", "zscore", "dbsf"] = "minmax"
    k: int | None = Field(default=None, ge=1)

    @field_validator("k")
    @classmethod
    def _of_rrf(cls, k: int | None, info: ValidationInfo) -> int | None:
        if k is not None and info.data.get("method", "rrf") != "rrf":
            raise ValueError("only the method rrf has a constant")
        return k

    @property
    def constant(self) -> int:
        """The k of RRF."""
        return 60 if self.k is None else self.k


class SearchRequest(Config):
    """A search.

    query:   text; encoded by every leg's own encoder.
    vectors: instead of text, the query vector of each dense leg: {leg: [float, ...]}.
    legs:    which legs run; empty = all of the collection with weight 1.
    filter:  a condition on metadata, see `twindex.index.filters`; applied inside every leg.
    depth:   documents each leg contributes to the fusion; fixed, so that pages neither overlap
             nor skip. At least one leg must be as deep as offset + limit.
    search:  how far the indexes of dense legs look; None = as the collection is configured.
    min_score: leave out documents whose fused score is lower. Comparable between queries only for
             methods with a fixed range (minmax).
    explain: also return the contribution of each term in sparse and lexical legs, and the heaviest
             terms that sparse legs have of the query and of each hit.
    include: parts of the stored document to return with each hit.
    """

    query: str | None = None
    vectors: dict[str, list[float]] = Field(default_factory=dict)
    legs: tuple[LegRequest, ...] = ()
    fusion: Fusion = Fusion()
    filter: dict[str, Any] | None = None
    depth: int = Field(default=WINDOW, ge=1, le=10_000)
    search: VectorSearch | None = None
    limit: int = Field(default=10, ge=1, le=WINDOW)
    offset: int = Field(default=0, ge=0)
    min_score: float | None = None
    explain: bool = False
    include: tuple[Literal["title", "text", "metadata"], ...] = ("title", "text", "metadata")

    @field_validator("query")
    @classmethod
    def _of_unicode(cls, query: str | None) -> str | None:
        try:
            (query or "").encode()
        except UnicodeEncodeError:
            raise ValueError(
                "contains half of a surrogate pair, which is not Unicode text"
            ) from None
        return query

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.query is None and not self.vectors:
            raise ValueError("give `query` (text) or `vectors`")
        if self.offset + self.limit > WINDOW:
            raise ValueError(
                f"offset + limit is {self.offset + self.limit}; at most {WINDOW}: "
                "narrow the search with a filter instead"
            )
        deepest = max((leg.depth or self.depth for leg in self.legs), default=self.depth)
        if self.offset + self.limit > deepest:
            raise ValueError(
                f"offset + limit is {self.offset + self.limit}, but `depth` takes only {deepest} "
                "documents from a leg: raise `depth` or lower `limit`"
            )
        names = [leg.name for leg in self.legs]
        if len(set(names)) != len(names):
            raise ValueError("a leg is named twice in `legs`")
        return self


class ReconfigureRequest(Config):
    """How the vectors of dense legs shall be stored: by leg, index, codec, projection and
    originals; what is left out has its default, whatever it is now."""

    legs: dict[Annotated[str, Field(pattern=LEG_NAME)], VectorStorage] = Field(min_length=1)


Relation = Annotated[Literal["eq", "gte"], "eq: exact; gte: at least this many"]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search gave.

    total:    documents in the fused list, and whether that is all that match ("eq") or the legs
              were cut at their depth ("gte").
    timings:  milliseconds by stage: `encode`, `filter`, one for each leg, `fuse`, `fetch`.
    warnings: what the caller should know, e.g. a truncated query.
    generation: the state of the collection that was searched.
    usage:    what language models did to encode the query; None where no leg has one. A remembered
              query is a cache hit and no call. In a batch, what was encoded together is divided
              evenly.
    query_terms: the heaviest terms of the query by sparse leg, when `explain` was asked for.
    """

    hits: Sequence[Hit]
    total: int
    relation: Relation
    timings: Mapping[str, float]
    warnings: Sequence[str] = field(default_factory=tuple)
    generation: int = 0
    usage: Usage | None = None
    query_terms: Mapping[str, TopTerms] | None = None
