"""What a search asks for and what comes back. The same objects serve Python, CLI and REST."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from ..core import Config
from ..core.bounds import Bounds, Calls, Few, Milliseconds, Score
from ..core.errors import shown
from ..core.filters import Condition
from ..core.filters.help import FILTER_HELP
from ..index import VectorSearch, VectorStorage
from ..index.legs import LEG_NAME
from ..rerank import Budget
from ..rerank.config import RERANKER_NAME

WINDOW = 1_000
"""offset + limit may not go beyond this."""

Depth = Annotated[int, Bounds(1, 10_000)]
"""Documents that a leg contributes to the fusion."""


class LegRequest(Config):
    """One leg of a search.

    weight: share in the fusion.
    depth:  documents taken from the leg; None = the request's `depth`.
    search: how far the index of a dense leg looks; None = as the request's `search` says.
    """

    name: str = Field(pattern=LEG_NAME)
    weight: Annotated[float, Bounds(0, 1e6)] = 1.0
    depth: Depth | None = None
    search: VectorSearch | None = None


Method = Literal["rrf", "minmax", "zscore", "dbsf"]


class Fusion(Config):
    """How the legs' lists become one. See `twindex.search.finding.fusion` for the formulae.

    method: "minmax", "zscore", "dbsf" (distribution-based), or "rrf" (reciprocal rank).
    k:      the constant of RRF; None = 60. Only "rrf" takes it.
    """

    method: Method = "minmax"
    k: Annotated[int, Bounds(1, 1_000_000)] | None = None

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


def _fusion(value: object) -> object:
    """A method's name stands for the method with its defaults."""
    return {"method": value} if isinstance(value, str) else value


_RERANKER = re.compile(RERANKER_NAME)


class RerankRequest(Config):
    """Reranking of the best hits.

    model:      a configured reranker.
    top_n:      how many of the best hits it judges; None = as it is configured. The hits after them
                follow in the order that they had.
    timeout_ms: wall-clock time that the reranker may take; what is not judged by then keeps its
                order, after the rest, and the status is "partial". Likewise:
    calls:      prompts, or pairs, that its models may read.
    tokens:     tokens that its models may read and write.
    on_error:   of a model that fails: "keep" = the hits as they were, with the status "failed" and
                a warning; "fail" = its error.
    min_score:  leave out hits whose rerank score is lower; a probability where the reranker is
                calibrated. Hits after the `top_n` have no such score and are left out too;
                those that a budget kept from being judged stay.
    """

    model: str = Field(json_schema_extra={"pattern": RERANKER_NAME})
    top_n: Few | None = None
    timeout_ms: Milliseconds | None = None
    on_error: Literal["keep", "fail"] = "keep"
    calls: Calls | None = None
    tokens: Calls | None = None
    min_score: Score | None = None

    @field_validator("model")
    @classmethod
    def _name(cls, model: str) -> str:
        if _RERANKER.fullmatch(model) is None:
            raise ValueError(
                f"must be the name of a reranker that is configured, got {shown(model)}; words "
                "such as leg:late or cross-encoder:FOLDER are for the command line"
            )
        return model

    @property
    def budget(self) -> Budget:
        """Of each query."""
        return Budget(calls=self.calls, tokens=self.tokens, milliseconds=self.timeout_ms)


class SearchRequest(Config):
    """A search.

    query:   text; encoded by every leg's own encoder.
    vectors: instead of text, the query vector of each dense leg: {leg: [float, ...]}.
    legs:    which legs run; empty = all of the collection with weight 1, but those whose role is
             "rerank".
    fusion:  how the lists become one; a word such as "rrf" stands for {"method": "rrf"}.
    filter:  a condition on metadata, see docs/filters.md; applied inside every leg. A field that
             no document has gives a warning.
    depth:   documents each leg contributes to the fusion; fixed, so that pages neither overlap
             nor skip. At least one leg must be as deep as offset + limit.
    search:  how far the indexes of dense legs look; None = as the collection is configured.
    min_score: leave out documents whose fused score is lower. Comparable between queries only for
             methods with a fixed range (minmax).
    explain: also return what each leg added to the fused score, the contribution of each term in
             sparse and lexical legs, and the heaviest terms that sparse legs have of the query and
             of each hit.
    include: parts of the stored document to return with each hit.
    rerank:  have the best hits ordered anew by a reranker, which reads the query's text.
    """

    query: str | None = None
    vectors: dict[str, list[float]] = Field(default_factory=dict)
    legs: tuple[LegRequest, ...] = ()
    fusion: Annotated[Fusion, BeforeValidator(_fusion, json_schema_input_type=Fusion | Method)] = (
        Fusion()
    )
    filter: dict[str, Any] | None = Field(default=None, description=FILTER_HELP)
    depth: Depth = WINDOW
    search: VectorSearch | None = None
    limit: Annotated[int, Bounds(1, WINDOW)] = 10
    offset: Annotated[int, Bounds(0, WINDOW)] = 0
    min_score: Score | None = None
    explain: bool = False
    include: tuple[Literal["title", "text", "metadata"], ...] = ("title", "text", "metadata")
    rerank: RerankRequest | None = None

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

    @field_validator("filter", mode="before")
    @classmethod
    def _as_json(cls, value: object) -> object:
        if isinstance(value, Condition):
            raise ValueError(
                f"must be an object, got {shown(value)}, a parsed condition: give "
                "twindex.core.filters.show_filter(condition)"
            )
        return value

    @field_validator("rerank")
    @classmethod
    def _of_text(cls, rerank: RerankRequest | None, info: ValidationInfo) -> RerankRequest | None:
        if rerank is not None and info.data.get("query", "") is None:
            raise ValueError("a reranker reads the text of the query: give `query`")
        return rerank

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
