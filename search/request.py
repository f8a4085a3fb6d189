"""Search requests. Python, the command line and REST use the same classes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..core import Config, InvalidInputError
from ..core.bounds import Bounds, Milliseconds, Score
from ..core.config import Flag
from ..core.errors import shown
from ..core.filters import Condition
from ..core.filters.help import FILTER_HELP
from ..index import VectorSearch, VectorStorage
from ..index.legs import LEG_NAME
from ..sources import SparseVector, check_vector
from ..sources.vectors import LARGEST_OF_QUERY
from .arranging.instants import AsOfField
from .arranging.like import LikeRequest, parse_like
from .arranging.request import (
    SCORE,
    Boost,
    FacetRequest,
    FilterBoost,
    GroupRequest,
    HighlightRequest,
    SortKey,
    parse_field,
    parse_highlight,
    parse_sort,
)
from .stages import FeedbackMethod, FeedbackRequest, RerankRequest, RewriteField, parse_feedback

WINDOW = 1_000
"""Maximum of `offset` + `limit` in a search request."""

Depth = Annotated[int, Bounds(1, 10_000)]
"""Number of documents that a leg contributes to the fusion."""


class LegRequest(Config):
    """One leg of a search.

    name:   name of a leg of the collection.
    weight: weight of the leg in the fusion.
    depth:  number of best documents that the leg contributes to the fusion; None = `depth` of the
            search request.
    search: search effort in the index of a dense leg; None = `search` of the search request.
    """

    name: str = Field(pattern=LEG_NAME)
    weight: Annotated[float, Bounds(0, 1e6)] = 1.0
    depth: Depth | None = None
    search: VectorSearch | None = None


Method = Literal["rrf", "minmax", "zscore", "dbsf"]


class Fusion(Config):
    """How the ranked lists of the legs are fused into one.

    The module `twindex.search.finding.fusion` documents the formulae.

    method: "minmax", "zscore", "dbsf" (distribution-based), or "rrf" (reciprocal rank fusion).
    k:      the constant k of reciprocal rank fusion; None = 60. Only "rrf" accepts it.
    """

    method: Method = "minmax"
    k: Annotated[int, Bounds(1, 1_000_000)] | None = None

    @field_validator("k")
    @classmethod
    def _only_for_rrf(cls, k: int | None, info: ValidationInfo) -> int | None:
        if k is not None and info.data.get("method", "rrf") != "rrf":
            raise ValueError(
                'only the method "rrf" accepts `k`; remove `k` or set `method` to "rrf"'
            )
        return k

    @property
    def constant(self) -> int:
        """Return the constant of reciprocal rank fusion: `k`, or 60 if `k` is None."""
        return 60 if self.k is None else self.k


def _parse_fusion(value: object) -> object:
    """Return {"method": value} for a string, and any other value unchanged."""
    return {"method": value} if isinstance(value, str) else value


def _parse_leg(value: object) -> object:
    """Return {"name": value} for a string, and any other value unchanged."""
    return {"name": value} if isinstance(value, str) else value


def _parse_vector(value: object) -> object:
    """Return a query vector in its JSON form. Raises ValidationError for an invalid vector."""
    try:
        found = check_vector(value, "", LARGEST_OF_QUERY)
    except InvalidInputError as error:
        kind: Any = PydanticCustomError("vector", "{text}", {"text": error.message})
        place = _place(error.field or "")
        raise ValidationError.from_exception_data(
            "vector", [InitErrorDetails(type=kind, loc=place, input=value)]
        ) from None
    if isinstance(found, np.ndarray):
        return found.tolist()
    if isinstance(found, SparseVector):
        return {"indices": found.indices.tolist(), "values": found.values.tolist()}
    return found


def _place(path: str) -> tuple[int | str, ...]:
    """Return a path in a vector, such as "[0]" or ".values[0]", as a location of pydantic."""
    numbers, _, name = path.partition(".")
    return (*map(int, re.findall(r"\d+", numbers)), *([name] if name else []))


_NUMBERS = {"type": "array", "items": {"type": "number"}}
_WEIGHTS = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}}
_INDICES = {
    "type": "object",
    "properties": {"indices": {"type": "array", "items": {"type": "integer"}}, "values": _NUMBERS},
    "required": ["indices", "values"],
}
QueryVector = Annotated[
    Any, PlainValidator(_parse_vector), WithJsonSchema({"anyOf": [_NUMBERS, _INDICES, _WEIGHTS]})
]
"""A query vector in JSON: a list of numbers, {term: weight}, or {"indices": ..., "values": ...}."""


class SearchRequest(Config):
    """A search request.

    query:   query text. The encoder of each leg encodes it. A request without `query` and
             `vectors`, but with `sort`, `facets` or `group`, finds every document that meets the
             filter, in the order of their ids.
    like:    search for documents that are like these, instead of `query` and `vectors`. An id, or a
             list of ids, is short for {"ids": [...]}. These documents are no hits.
    language: language of the query text, for lexical legs that detect languages: an ISO 639-1 code
             such as "de", or "none". None = detect it among the languages of the collection.
    vectors: query vectors, used instead of the text: {leg: vector}. For a dense leg a list of
             numbers; for a sparse leg {term: weight} or {"indices": [...], "values": [...]}.
    legs:    legs to search; a name is short for {"name": name}. Empty = every leg of the collection
             whose role is not "rerank", each with weight 1. If there is no `query`, empty = the
             legs in `vectors`.
    fusion:  how the ranked lists are fused. The string "rrf" is short for {"method": "rrf"}.
    filter:  a condition on metadata that every hit must meet. A metadata field that no document
             has causes a warning.
    depth:   number of best documents that each leg contributes to the fusion. The depth is the same
             for every page, so pages neither overlap nor have gaps. At least one leg must have a
             depth of `offset` + `limit` or more.
    search:  search effort in the indexes of dense legs; None = as configured in the collection.
    limit:   number of hits to return.
    offset:  number of best hits to skip before the first hit that is returned.
    min_score: minimum fused score of a hit. Fused scores of different queries are comparable only
             for a method with a fixed range ("minmax").
    explain: also return, for each hit, the contribution of each leg and of each query term to the
             score; and for the query and each hit, the terms with the highest weights in sparse
             legs. Dense legs have no terms.
    include: parts of the stored document to return with each hit.
    neighbours: number of passages before and after the best passage of a hit that are included in
             the hit's `context`.
    rerank:  how to rerank the best hits; None = no reranking. Requires `query`.
    feedback: expand the query with terms or vectors of the best documents, and search again. The
             name of a method, such as "rm3", is short for this method in all legs that have it.
    rewrite: how a language model rewrites the query before the search; None = not at all. The name
             of a rewriter is short for {"model": name}. Requires `query`. If several texts are
             searched, a hit must reach `min_score` in the list of at least one text.
    parse_filters: read conditions such as `year:>2019` in the query text as filters; see the page
             Filters of the documentation. The rest of the text is searched. A condition on a field
             that no document of the collection has stays in the text.
    predictors: also return predictors of query performance, computed from the final lists of the
             legs.
    suggest: also return a suggestion: the query with misspelled words replaced by words of the
             collection. It needs a lexical leg.
    sort:    keys of the order of the hits, the most important first; empty = by score. "year" is
             short for {"field": "year"}, and "-year" for {"field": "year", "order": "desc"}. The
             documents that the legs found are ordered, at most `depth` of each leg. Not with
             `rerank`.
    facets:  fields whose values are counted in the documents of the ranked list. A name is short
             for {"field": name}.
    group:   return the best hits for each value of a field. `limit` and `offset` then count groups.
             With `rerank`, only the reranked hits are grouped. A name is short for {"field": name}.
    boosts:  what raises the scores of documents besides the query: {"kind": "filter"}, {"kind":
             "number"} or {"kind": "decay"}. `min_score` is compared before.
    as_of:   search the collection as it was after an earlier commit, in a collection that keeps a
             history: the number of the commit, or a time such as "2026-05-04T12:00:00Z". Scores use
             the statistics of today's documents. None = as it is now.
    highlight: also return snippets of each hit, with the places of the words that match the query.
             true is short for {}. Requires `query`.
    timeout_ms: wall-clock time limit of the search in milliseconds, with reranking and rewriting.
             After it, no result is returned. In a service, the limit begins when the request has
             been read. None = no limit of the request.
    """

    query: str | None = None
    language: str | None = None
    vectors: dict[str, QueryVector] = Field(default_factory=dict)
    like: (
        Annotated[
            LikeRequest,
            BeforeValidator(parse_like, json_schema_input_type=LikeRequest | str | list[str]),
        ]
        | None
    ) = None
    legs: tuple[
        Annotated[LegRequest, BeforeValidator(_parse_leg, json_schema_input_type=LegRequest | str)],
        ...,
    ] = ()
    fusion: Annotated[
        Fusion, BeforeValidator(_parse_fusion, json_schema_input_type=Fusion | Method)
    ] = Fusion()
    filter: dict[str, Any] | None = Field(default=None, description=FILTER_HELP)
    depth: Depth = WINDOW
    search: VectorSearch | None = None
    limit: Annotated[int, Bounds(1, WINDOW)] = 10
    offset: Annotated[int, Bounds(0, WINDOW)] = 0
    min_score: Score | None = None
    explain: Flag = False
    include: tuple[Literal["title", "text", "metadata"], ...] = ("title", "text", "metadata")
    neighbours: Annotated[int, Bounds(0, 100)] = 0
    rerank: RerankRequest | None = None
    feedback: (
        Annotated[
            FeedbackRequest,
            BeforeValidator(
                parse_feedback, json_schema_input_type=FeedbackRequest | FeedbackMethod
            ),
        ]
        | None
    ) = None
    rewrite: RewriteField | None = None
    parse_filters: Flag = False
    predictors: Flag = False
    suggest: Flag = False
    sort: Annotated[
        tuple[
            Annotated[SortKey, BeforeValidator(parse_sort, json_schema_input_type=SortKey | str)],
            ...,
        ],
        Field(max_length=10),
    ] = ()
    facets: Annotated[
        tuple[
            Annotated[
                FacetRequest,
                BeforeValidator(parse_field, json_schema_input_type=FacetRequest | str),
            ],
            ...,
        ],
        Field(max_length=50),
    ] = ()
    group: (
        Annotated[
            GroupRequest, BeforeValidator(parse_field, json_schema_input_type=GroupRequest | str)
        ]
        | None
    ) = None
    boosts: Annotated[tuple[Boost, ...], Field(max_length=20)] = ()
    as_of: AsOfField | None = None
    highlight: Annotated[
        HighlightRequest | None,
        BeforeValidator(parse_highlight, json_schema_input_type=HighlightRequest | bool | None),
    ] = None
    timeout_ms: Milliseconds | None = None

    @field_validator("query")
    @classmethod
    def _is_unicode(cls, query: str | None) -> str | None:
        try:
            (query or "").encode()
        except UnicodeEncodeError:
            raise ValueError(
                "contains an unpaired surrogate, which is not valid Unicode; remove it"
            ) from None
        return query

    @field_validator("filter", mode="before")
    @classmethod
    def _is_not_parsed(cls, value: object) -> object:
        if isinstance(value, Condition):
            raise ValueError(
                f"must be an object, got the parsed condition {shown(value)}; pass "
                "twindex.core.filters.show_filter(condition)"
            )
        return value

    @field_validator("rerank")
    @classmethod
    def _has_query_text(
        cls, rerank: RerankRequest | None, info: ValidationInfo
    ) -> RerankRequest | None:
        if rerank is not None and info.data.get("query", "") is None:
            raise ValueError("requires a query text; set `query`")
        return rerank

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_query()
        if self.sort and self.rerank is not None:
            raise ValueError(
                "`sort` orders all hits, so `rerank` has no effect; remove one of them"
            )
        if self.group is not None and self.limit * self.group.size > WINDOW:
            raise ValueError(
                f"`limit` * `group.size` must be at most {WINDOW}, got "
                f"{self.limit * self.group.size}; lower one of them"
            )
        if self.offset + self.limit > WINDOW:
            raise ValueError(
                f"`offset` + `limit` must be at most {WINDOW}, got {self.offset + self.limit}; "
                "narrow the search with a filter instead"
            )
        deepest = max((leg.depth or self.depth for leg in self.legs), default=self.depth)
        if self.offset + self.limit > deepest:
            raise ValueError(
                f"`offset` + `limit` must be at most the largest `depth` of a leg ({deepest}), got "
                f"{self.offset + self.limit}; raise `depth` or lower `limit`"
            )
        names = [leg.name for leg in self.legs]
        if len(set(names)) != len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise ValueError(f"`legs` must name each leg once, got {twice!r} twice")
        return self

    def _check_query(self) -> None:
        """Raise ValueError for a field that requires a query which the request does not have."""
        if self.query is None:
            for name in ("rewrite", "parse_filters", "highlight"):
                if getattr(self, name):
                    raise ValueError(f"`{name}` requires a query text; set `query`")
        if self.like is not None:
            for name in ("query", "vectors", "feedback", "predictors", "suggest"):
                if getattr(self, name) not in (None, {}, False):
                    raise ValueError(f"`like` replaces the query; remove `{name}` or `like`")
        if not self.has_query:
            if not (self.sort or self.facets or self.group):
                raise ValueError(
                    "the request has no query; set `query` (text) or `vectors`, or set `sort`, "
                    "`facets` or `group` to find every document that meets the filter"
                )
            for name in ("legs", "min_score", "feedback", "boosts", "predictors", "suggest"):
                if getattr(self, name) not in (None, (), False):
                    raise ValueError(f"`{name}` requires a query; set `query` or `vectors`")

    @property
    def fields(self) -> dict[str, str]:
        """Return name of a metadata field -> the part of the request that names it.

        The fields of filters are left out.
        """
        boosts = (boost for boost in self.boosts if not isinstance(boost, FilterBoost))
        named = [
            *(("sort", key.field) for key in self.sort if key.field != SCORE),
            *(("facets", facet.field) for facet in self.facets),
            *(("boosts", boost.field) for boost in boosts),
        ]
        named += [] if self.group is None else [("group", self.group.field)]
        return {name: place for place, name in named}

    @property
    def has_query(self) -> bool:
        """Return True if there is something to search: a text, vectors or liked documents."""
        return self.query is not None or bool(self.vectors) or self.like is not None


class ReconfigureRequest(Config):
    """A request to change how the vectors of dense legs are stored.

    legs: leg name -> the leg's new vector storage: index, codec, projection and originals. A field
          that is left out gets its default, not its current value.
    """

    legs: dict[Annotated[str, Field(pattern=LEG_NAME)], VectorStorage] = Field(min_length=1)
