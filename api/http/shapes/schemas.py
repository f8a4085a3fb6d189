"""Shapes of requests and replies, for the OpenAPI document and for tests.

Replies are written from plain values (`render`): validating what we made ourselves would cost more
than a small search. Tests hold every reply against these models.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from ....core import Config
from ....core.filters.help import FILTER_HELP
from ....search import SearchRequest
from .reranking import RerankPlace, RerankReport
from .shape import LanguageModelUsage, Shape


class FieldError(Shape):
    field: str = Field(examples=["legs[0].weight"])
    message: str


class ProblemDetails(Shape):
    """RFC 9457. `code` is a stable word for programs; `errors` name wrong fields."""

    type: str = Field(examples=["urn:twindex:problem:not_found"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["not_found"])
    request_id: str
    errors: list[FieldError]


class DocumentBody(BaseModel):
    """A document. `_id` is another name for `id`; in a PUT it may be left out."""

    id: str | int | None = Field(default=None, examples=["kiwi"])
    title: str | None = Field(default=None, examples=["Kiwi"])
    text: str = Field(examples=["The kiwi is a bird that cannot fly."])
    metadata: dict[str, Any] | None = Field(default=None, examples=[{"year": 2024}])


class StoredDocument(Shape):
    id: str
    title: str
    text: str
    metadata: dict[str, Any]


class Written(Shape):
    """unchanged: the document was stored already, so nothing was encoded (`passages` is 0);
    truncated: leg -> passages whose end its encoder did not read; usage: where a leg's encoder is a
    language model."""

    id: str
    created: bool
    unchanged: bool
    passages: int
    truncated: dict[str, int]
    usage: LanguageModelUsage | None = None


class DocumentPage(Shape):
    """next_cursor: give it as `cursor` to go on; null on the last page."""

    documents: list[StoredDocument]
    total: int
    next_cursor: str | None


class DeleteRequest(Config):
    """Exactly one of `ids` and `filter`."""

    ids: list[str] | None = Field(default=None, max_length=10_000, examples=[["kiwi"]])
    filter: dict[str, Any] | None = Field(default=None, description=FILTER_HELP)


class Deleted(Shape):
    """not_found: the given ids that no document had. warnings: of a filter."""

    deleted: int
    not_found: list[str]
    warnings: list[str]


class BulkError(Shape):
    code: str
    line: int
    detail: str
    field: str | None = None


class BulkItem(Shape):
    """status: 200 written, 400 not JSON, 422 not a document."""

    id: str | None
    status: int
    error: BulkError | None = None


class BulkReply(Shape):
    """One item for each line that is not blank, in order. unchanged: documents that were stored
    already and were skipped; passages: encoded."""

    errors: bool
    items: list[BulkItem]
    replaced: int
    unchanged: int
    passages: int
    truncated: dict[str, int]
    usage: LanguageModelUsage | None = None


class Progress(Shape):
    done: int
    total: int | None
    unit: str


class JobReply(Shape):
    """Long work. A bulk job's `result` counts documents and has the first errors by line; that of a
    reconfiguration has the legs as asked for, whether they `changed`, and warnings. `waiting`: the
    disk stopped it (`error` says how), and it is tried again by itself."""

    id: str
    collection: str
    kind: Literal["bulk", "merge", "reconfigure"]
    state: Literal["queued", "running", "waiting", "done", "failed"]
    progress: Progress
    error: str | None
    result: dict[str, Any]
    created: str
    updated: str


class JobList(Shape):
    jobs: list[JobReply]


class CollectionSummary(Shape):
    """documents: null while it is not ready; `problem` then says why."""

    name: str
    status: Literal["loading", "ready", "building", "damaged", "unreadable", "unavailable"]
    documents: int | None
    problem: str | None


class CollectionList(Shape):
    collections: list[CollectionSummary]


class CollectionInfo(BaseModel):
    """What is in a collection; sizes in bytes."""

    name: str
    status: str
    documents: int
    passages: int
    generation: int
    config: dict[str, Any]


class LegPlace(Shape):
    """scaled, weight, contribution: for `explain: true`. The contributions of a hit sum to its
    score."""

    rank: int
    score: float
    scaled: float | None = None
    weight: float | None = None
    contribution: float | None = None


class PassagePlace(Shape):
    """Characters `start` to `end` (exclusive) of the text."""

    start: int
    end: int


class Term(Shape):
    term: str
    score: float
    query: float
    document: float


class TermWeight(Shape):
    """term: a piece of the model's vocabulary, as it is written there."""

    term: str
    weight: float


class TopTerms(Shape):
    """The heaviest terms of a text, heaviest first, of `total` that have a weight."""

    top: list[TermWeight]
    total: int


class SearchHit(Shape):
    """title, text, metadata: as `include` asks; explain, terms: for `explain: true`, by leg. terms:
    those of the passage that the sparse leg found. rerank: where a reranker was asked for."""

    id: str
    score: float
    legs: dict[str, LegPlace]
    passage: PassagePlace | None
    title: str | None = None
    text: str | None = None
    metadata: dict[str, Any] | None = None
    explain: dict[str, list[Term]] | None = None
    terms: dict[str, TopTerms] | None = None
    rerank: RerankPlace | None = None


class IndexState(Shape):
    """version: raised by every write; encoder: leg -> model or language."""

    version: int
    encoder: dict[str, str]


class Total(Shape):
    """relation: "eq" = exact, "gte" = at least this many."""

    value: int
    relation: Literal["eq", "gte"]


class ResultBody(Shape):
    """timings: milliseconds by stage; usage: where a leg's encoder is a language model;
    query_terms: for `explain: true`, what each sparse leg has of the query; rerank: where a
    reranker was asked for."""

    timings: dict[str, float]
    index: IndexState
    total: Total
    hits: list[SearchHit]
    warnings: list[str]
    usage: LanguageModelUsage | None = None
    query_terms: dict[str, TopTerms] | None = None
    rerank: RerankReport | None = None


class SearchReply(ResultBody):
    request_id: str
    took_ms: float


class BatchRequest(Config):
    """Searches of the same state of the collection; their queries are encoded together."""

    requests: list[SearchRequest] = Field(min_length=1, max_length=100)


class BatchReply(Shape):
    """results: in the order of the requests."""

    request_id: str
    took_ms: float
    results: list[ResultBody]


class Model(Shape):
    """A model that the server uses. type: a reranker's `id` is what requests name; of an encoder,
    `legs` says where it is used. weights: the model that a reranker asks, null where it has none
    of its own; candidates: hits that it judges unless a request says otherwise."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: Literal["encoder", "reranker"]
    kind: str
    status: Literal["loading", "ready", "unavailable"]
    legs: list[str] | None = None
    weights: str | None = None
    candidates: int | None = None


class ModelList(Shape):
    object: Literal["list"]
    data: list[Model]


class Alive(Shape):
    """The process answers."""

    status: Literal["ok"]


class Health(Shape):
    """collections, rerankers: name -> status. writable: whether the disk takes writes; `problem`
    says why not. unwritable: it should and does not; a read-only folder is not that."""

    status: Literal["ok", "loading", "degraded", "unwritable"]
    writable: bool
    problem: str | None
    collections: dict[str, str]
    rerankers: dict[str, str]


class Info(Shape):
    name: str
    version: str
    limits: dict[str, int]
    collections: int
