"""Shapes of what reranking takes and gives; see `schemas`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ....core import Config
from ....core.bounds import Calls, Count, Milliseconds
from ....rerank import Budget
from .shape import LanguageModelUsage, Shape


class RerankPlace(Shape):
    """Where a reranker put a hit: `rank` and its place before (`previous`), from 1. score: the
    reranker's, null where it gave none; judged: it looked at the hit; reasons: why, by kind."""

    rank: int
    previous: int
    score: float | None
    judged: bool
    reasons: dict[str, Any]


RerankStatus = Literal["complete", "partial", "failed"]


class RerankedStage(Shape):
    """What one reranker of a chain did."""

    name: str
    status: RerankStatus
    candidates: int
    judged: int
    usage: LanguageModelUsage
    seconds: float


class RerankReport(Shape):
    """What reranking did: of the `candidates` so many were `judged`, of `truncated` ones the text
    was not read to its end. partial: the budget ran out, or some of a model's answers could not be
    used; failed: a model did, and the hits are in the order that they had, or that the stages of a
    chain before it gave them."""

    model: str
    status: RerankStatus
    candidates: int
    judged: int
    usage: LanguageModelUsage
    seconds: float
    truncated: int
    warnings: list[str]
    stages: list[RerankedStage]


class RerankDocument(Config):
    """A text to be reranked; a string stands for one without a title."""

    text: str
    title: str = ""


def _document(value: object) -> object:
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, Mapping):
        raise ValueError("must be a text, or an object with `text`")
    return value


class RerankBody(Config):
    """Documents to be reranked.

    model:      a configured reranker; `GET /v1/models` lists them.
    documents:  texts, or objects with `text` and `title`, in the order that stands for those that
                are not judged.
    top_n:      results returned; null = all. All documents are judged.
    return_documents: repeat the documents in the results.
    timeout_ms, calls, tokens: what the reranking may take, as in a search.
    on_error:   of a model that fails: "fail" = an error, "keep" = the documents in the order given,
                with the status "failed".
    """

    model: str
    query: str
    documents: list[
        Annotated[
            RerankDocument, BeforeValidator(_document, json_schema_input_type=str | RerankDocument)
        ]
    ] = Field(min_length=1, max_length=1_000)
    top_n: Count | None = None
    return_documents: bool = False
    timeout_ms: Milliseconds | None = None
    calls: Calls | None = None
    tokens: Calls | None = None
    on_error: Literal["keep", "fail"] = "fail"

    @property
    def budget(self) -> Budget:
        """Of the reranking."""
        return Budget(calls=self.calls, tokens=self.tokens, milliseconds=self.timeout_ms)


class RerankResult(Shape):
    """index: of the document in the request; relevance_score: of results in this order, never
    ascending. judged, reasons: as in a search."""

    index: int
    relevance_score: float
    judged: bool
    reasons: dict[str, Any]
    document: dict[str, str] | None = None


class RerankUsage(LanguageModelUsage):
    """total_tokens: read and generated."""

    total_tokens: int


class RerankMeta(Shape):
    """As clients of Cohere read it. search_units: one for each 100 documents; nothing is billed."""

    api_version: dict[str, str]
    billed_units: dict[str, int]
    tokens: dict[str, int]


class RerankReply(Shape):
    """results: best first. status, truncated, warnings: as in a search."""

    id: str
    request_id: str
    took_ms: float
    object: Literal["list"]
    model: str
    status: RerankStatus
    results: list[RerankResult]
    usage: RerankUsage
    meta: RerankMeta
    truncated: int
    warnings: list[str]
