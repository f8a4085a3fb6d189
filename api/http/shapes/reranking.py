"""Pydantic models of reranking requests and replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, RootModel

from ....core import Config
from ....core.bounds import Calls, Count, Milliseconds
from ....core.config import Flag
from ....rerank import Budget
from .shape import LanguageModelUsage, Shape

MOST_DOCUMENTS = 1_000
"""Maximum number of documents of a request."""


class RerankPlace(Shape):
    """The position of a hit after reranking.

    rank:     rank after reranking, from 1.
    previous: rank before reranking, from 1.
    score:    score of the reranker; null if it returned none for this hit.
    judged:   true if the reranker read the hit.
    reasons:  name of a reason for the score -> value.
    """

    rank: int
    previous: int
    score: float | None
    judged: bool
    reasons: dict[str, Any]


RerankStatus = Literal["complete", "partial", "failed"]


class RerankedStage(Shape):
    """The work of one reranker in a chain of rerankers.

    name:       kind of the reranker.
    status:     "complete", "partial" or "failed", as in RerankReport.
    usage:      calls, tokens and time of language models.
    seconds:    duration in seconds.
    candidates: number of hits that this reranker received.
    judged:     number of these hits that it read.
    """

    name: str
    status: RerankStatus
    candidates: int
    judged: int
    usage: LanguageModelUsage
    seconds: float


class RerankReport(Shape):
    """The work of a reranker for one search.

    model:      name of the reranker.
    usage:      calls, tokens and time of language models.
    seconds:    duration in seconds.
    warnings:   warnings in words, such as an option that was ignored.
    status:     "complete"; "partial" if the budget ran out or some answers of the model were
                unusable; "failed" if the model failed. After a failure, the hits keep the order of
                the search or, in a chain, the order of the stage before.
    candidates: number of hits that the reranker received.
    judged:     number of these hits that it read.
    truncated:  number of hits whose text it did not read to the end.
    stages:     work of each reranker of a chain; empty for a single reranker.
    """

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
    """A document to rerank. A string stands for a document without a title.

    text:  text of the document.
    title: title, which the reranker reads before the text.
    """

    text: str
    title: str = ""


def _document(value: object) -> object:
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, Mapping):
        raise ValueError("must be a string, or an object with `text`")
    return value


class RerankBody(Config):
    """A request to rerank documents that it contains.

    model:      name of a configured reranker; `GET /v1/models` lists them.
    query:      query by which the documents are ranked.
    documents:  strings, or objects with `text` and `title`. Documents that the reranker does not
                read keep their order.
    top_n:      maximum number of results to return; null: all. All documents are reranked anyway.
    return_documents: include the documents in the results.
    timeout_ms: time limit in milliseconds; null: no limit.
    calls:      maximum number of prompts or pairs that the model reads; null: no limit.
    tokens:     maximum number of tokens that the model reads and writes; null: no limit.
    priority:   accepted as 0 only: requests are handled in their order.
    on_error:   if the model fails: "fail" returns an error, "keep" returns the documents in the
                given order, with the status "failed".
    """

    model: str
    query: str
    documents: list[
        Annotated[
            RerankDocument, BeforeValidator(_document, json_schema_input_type=str | RerankDocument)
        ]
    ] = Field(min_length=1, max_length=MOST_DOCUMENTS)
    top_n: Count | None = None
    return_documents: Flag = False
    timeout_ms: Milliseconds | None = None
    calls: Calls | None = None
    tokens: Calls | None = None
    priority: Literal[0] | None = None
    on_error: Literal["keep", "fail"] = "fail"

    @property
    def budget(self) -> Budget:
        """The limits on time, calls and tokens of the reranking."""
        return Budget(calls=self.calls, tokens=self.tokens, milliseconds=self.timeout_ms)


class RerankResult(Shape):
    """A reranked document.

    index:           position of the document in the request, from 0.
    relevance_score: score of the document; results are in descending order of it.
    judged:          true if the reranker read the document.
    reasons:         name of a reason for the score -> value.
    document:        the document; only with `return_documents`.
    """

    index: int
    relevance_score: float
    judged: bool
    reasons: dict[str, Any]
    document: dict[str, str] | None = None


class RerankUsage(LanguageModelUsage):
    """The calls, tokens and time of language models for a request.

    total_tokens: number of tokens that were read or generated.
    """

    total_tokens: int


class RerankMeta(Shape):
    """Metadata that clients of Cohere expect. Nothing is billed.

    api_version:  version of Cohere's interface.
    tokens:       "input_tokens" and "output_tokens" -> number of tokens.
    billed_units: `search_units`: one for each 100 documents.
    """

    api_version: dict[str, str]
    billed_units: dict[str, int]
    tokens: dict[str, int]


class TeiRank(Shape):
    """A reranked text.

    index: position of the text in the request, from 0.
    score: score of the text; results are in descending order of it.
    text:  the text; only with `return_text`.
    """

    index: int
    score: float
    text: str | None = None


class TeiRanks(RootModel[list[TeiRank]]):
    """The reranked texts, best first."""


class RerankReply(Shape):
    """Reranked documents.

    id, request_id: id of the request, which logs contain too.
    took_ms:        time on the server in milliseconds.
    object:         always "list".
    model:          name of the reranker.
    usage:          calls, tokens and time of language models.
    meta:           metadata that clients of Cohere expect.
    warnings:       warnings in words, such as an option that was ignored.
    status:         "complete"; "partial" if the budget ran out or some answers of the model were
                    unusable; "failed" if the model failed.
    results:        the documents, best first.
    truncated:      number of documents whose text was not read to the end.
    """

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
