"""Pydantic models of requests and replies, for the OpenAPI document and for tests.

The server builds replies from plain values (see `render`), because validation would cost more than
a small search. Tests validate every reply with these models.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from ....core import Config
from ....search import SearchRequest
from .arranging import BoostPlace, FacetPlace, GroupPlace, HighlightPlace
from .reranking import RerankPlace, RerankReport
from .shape import LanguageModelUsage, Shape


class FieldError(Shape):
    """An invalid field of a request.

    field:   path of the field, such as `legs[0].weight`.
    message: what is wrong with it.
    """

    field: str = Field(examples=["legs[0].weight"])
    message: str


class ProblemDetails(Shape):
    """An error, as in RFC 9457.

    type:       URN of the kind of error.
    title:      name of the HTTP status, such as "Not Found".
    status:     HTTP status.
    detail:     what went wrong, in words.
    code:       kind of error, a stable word that programs can test.
    request_id: id of the request, which logs contain too.
    errors:     the invalid fields of the request.
    trace_id:   id of the request's OpenTelemetry trace; absent without one.
    """

    type: str = Field(examples=["urn:twindex:problem:not_found"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["not_found"])
    request_id: str
    errors: list[FieldError]
    trace_id: str | None = None


class Progress(Shape):
    """Progress of a job.

    done:  number of finished units.
    total: number of all units; null if unknown.
    unit:  what the numbers count, such as "lines".
    """

    done: int
    total: int | None
    unit: str


class JobReply(Shape):
    """A job: long work that continues after the reply.

    id:     id of the job.
    collection: name of the collection.
    kind:   the work: "bulk" (a bulk write), "merge", "reconfigure", "snapshot", "restore" or
            "reembed".
    progress: how much is done.
    state:  "waiting" means that a full or failing disk stopped the job. The server retries it.
    error:  why the job failed or waits.
    result: for a bulk job: counts of documents, and the errors of the first invalid lines. For a
            reconfiguration: the requested legs, `changed`, and warnings. For a snapshot or a
            restoration: the snapshot.
    created, updated: time of creation and of the last change, in ISO 8601.
    """

    id: str
    collection: str
    kind: Literal["bulk", "merge", "reconfigure", "snapshot", "restore", "reembed"]
    state: Literal["queued", "running", "waiting", "done", "failed"]
    progress: Progress
    error: str | None
    result: dict[str, Any]
    created: str
    updated: str


class JobList(Shape):
    """The latest jobs of the server.

    jobs: the jobs of all collections, newest first.
    """

    jobs: list[JobReply]


class CollectionSummary(Shape):
    """A collection of the server, in brief.

    name:      name of the collection.
    status:    "ready", or why the collection cannot be used: "loading"; "building" (an unfinished
               build); "damaged" (damaged files); "unreadable" (an unreadable folder); "unavailable"
               (a missing model).
    documents: number of documents; null if the collection is not ready.
    problem:   why the collection is not ready; null if it is ready.
    """

    name: str
    status: Literal["loading", "ready", "building", "damaged", "unreadable", "unavailable"]
    documents: int | None
    problem: str | None


class CollectionList(Shape):
    """All collections of the server.

    collections: the collections, sorted by name.
    """

    collections: list[CollectionSummary]


class CollectionInfo(BaseModel):
    """The contents of a collection. Sizes are in bytes.

    name:       name of the collection.
    status:     always "ready".
    documents:  number of documents.
    passages:   number of passages.
    generation: a number that increases with every write.
    config:     the configuration of the collection.
    """

    name: str
    status: str
    documents: int
    passages: int
    generation: int
    config: dict[str, Any]


class LegPlace(Shape):
    """The rank and score of a hit in one leg.

    rank:         rank in the leg's own list, from 1.
    score:        score of the leg, before fusion.
    scaled:       score after the scaling of the fusion; only with `explain: true`.
    weight:       weight of the leg; only with `explain: true`.
    contribution: what the leg adds to the fused score; only with `explain: true`. The contributions
                  of all legs add up to the score of the hit.
    """

    rank: int
    score: float
    scaled: float | None = None
    weight: float | None = None
    contribution: float | None = None


class PassagePlace(Shape):
    """A passage of a hit, as offsets in the document's text.

    Offsets count Unicode code points from 0, as Python does. JavaScript and Java count UTF-16
    units, so a character such as an emoji counts twice there.

    start: offset of the passage's first character, in code points.
    end:   offset after the passage's last character, in code points.
    """

    start: int
    end: int


class Term(Shape):
    """The contribution of one term to the score of a leg.

    term:     the term, as it is indexed.
    score:    contribution of the term: `query` times `document`.
    query:    weight of the term in the query.
    document: weight of the term in the document.
    """

    term: str
    score: float
    query: float
    document: float


class TermWeight(Shape):
    """A term that a sparse encoder returned, with its weight.

    term:   an entry of the model's vocabulary, unchanged.
    weight: weight of the term.
    """

    term: str
    weight: float


class TopTerms(Shape):
    """The terms of a query or passage with the largest weights.

    top:   these terms, by descending weight.
    total: number of all terms with a non-zero weight.
    """

    top: list[TermWeight]
    total: int


class SearchHit(Shape):
    """A hit of a search.

    id:       id of the document.
    score:    fused score.
    legs:     leg -> rank and score, for the legs that found the document.
    passage:  best passage; null if the document was not split into passages.
    headings: titles of the headings above the start of the passage, from the highest level down.
    page:     number of the page on which the passage begins, from 1; for a document that was not
              split, the page of its first word; null if the text has no form feeds, which separate
              pages. `headings` and `page` require that `include` requests a part of the document.
    context:  the passage with its neighbours; only if the request has `neighbours`.
    title, text, metadata: parts of the document; only those that `include` requests.
    explain:  leg -> contribution of each term to the leg's score; only with `explain: true`.
    terms:    sparse leg -> terms with the largest weights in the best passage; only with
              `explain: true`.
    boosts:   what each of the request's `boosts` adds to the score; only with `explain: true`.
    rerank:   position after reranking; only if the request has `rerank`.
    highlights: snippets with the matching words; only if the request has `highlight`.
    """

    id: str
    score: float
    legs: dict[str, LegPlace]
    passage: PassagePlace | None
    headings: list[str]
    page: int | None
    context: PassagePlace | None = None
    title: str | None = None
    text: str | None = None
    metadata: dict[str, Any] | None = None
    explain: dict[str, list[Term]] | None = None
    terms: dict[str, TopTerms] | None = None
    boosts: list[BoostPlace] | None = None
    rerank: RerankPlace | None = None
    highlights: list[HighlightPlace] | None = None


class IndexState(Shape):
    """The state of the index that was searched.

    version: generation of the collection, a number that increases with every write.
    encoder: leg -> name of its model or language.
    """

    version: int
    encoder: dict[str, str]


class Total(Shape):
    """The number of documents that match a search.

    value:    number of documents.
    relation: "eq": exactly `value` documents match. "gte": at least `value` documents match.
    """

    value: int
    relation: Literal["eq", "gte"]


class StageReport(Shape):
    """A step of a search that may change its query, such as feedback.

    name:         "feedback", or the name of a rewriter.
    status:       "ran"; "skipped", because its gate was closed or nothing could be added; or
                  "failed". The search then continues with the query before the step.
    queries:      texts that the step searched.
    terms:        leg -> terms with the largest weights in the query that the step searched.
    documents:    ids of the documents that the step read, best first.
    milliseconds: duration of the step, without the searches that follow it.
    reason:       why the step was skipped or failed; empty if it ran.
    notes:        what the step did in each leg, in words.
    usage:        work of language models; only if the step used one.
    searches:     number of searches, each of one leg, that were run only because of this step.
    """

    name: str
    status: Literal["ran", "skipped", "failed"]
    queries: list[str]
    terms: dict[str, TopTerms]
    documents: list[str]
    milliseconds: float
    reason: str
    notes: list[str]
    searches: int
    usage: LanguageModelUsage | None = None


class ResultBody(Shape):
    """The result of one search.

    timings:     stage of the search -> milliseconds. The stage `load` is the loading of encoders.
    index:       the state of the index that was searched.
    total:       number of documents that match.
    warnings:    warnings in words, such as a filter on an unknown field.
    hits:        the hits, best first.
    usage:       calls, tokens and time of language models; only if a leg's encoder uses one.
    query_terms: sparse leg -> terms of the query; only with `explain: true`.
    query_languages: lexical leg that detects languages -> languages that the query was analysed
                 in; only with `explain: true`.
    rerank:      report on the reranking; only if the request has `rerank`.
    stages:      steps that may have changed the query, in order; only if there are any.
    predictors:  predictor of query performance -> value; only with `predictors: true`.
    suggestion:  the query with misspelled words replaced; only with `suggest: true`, and only if a
                 word of the query is rare.
    query:       the query text without the filters that it contained; only with
                 `parse_filters: true`.
    filter:      the filter that was read from the query text; only if it contained one.
    facets:      counts of values in all found documents; only with `facets`.
    groups:      the groups of the hits; only with `group`.
    group_total: number of groups of all found documents; only with `group`.
    """

    timings: dict[str, float]
    index: IndexState
    total: Total
    hits: list[SearchHit]
    warnings: list[str]
    usage: LanguageModelUsage | None = None
    query_terms: dict[str, TopTerms] | None = None
    query_languages: dict[str, list[str]] | None = None
    rerank: RerankReport | None = None
    stages: list[StageReport] | None = None
    predictors: dict[str, float] | None = None
    suggestion: str | None = None
    query: str | None = None
    filter: dict[str, Any] | None = None
    facets: list[FacetPlace] | None = None
    groups: list[GroupPlace] | None = None
    group_total: int | None = None


class SearchReply(ResultBody):
    """The result of a search.

    request_id: id of the request, which logs contain too.
    took_ms:    time on the server in milliseconds.
    """

    request_id: str
    took_ms: float


class BatchRequest(Config):
    """Searches of one collection. All of them see the same state of the collection.

    The queries are encoded together.

    requests: 1 to 100 searches.
    """

    requests: list[SearchRequest] = Field(min_length=1, max_length=100)


class BatchReply(Shape):
    """The results of a batch.

    request_id: id of the request, which logs contain too.
    took_ms:    time on the server in milliseconds.
    results:    the results, in the order of the requests.
    """

    request_id: str
    took_ms: float
    results: list[ResultBody]
