"""Results of searches and writes, in this process or from a service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from . import display
from .types import Hit, Status, TopTerms, Usage, add_usages


@dataclass(frozen=True, slots=True)
class WriteReport:
    """The result of `Collection.add`.

    documents: number of documents written.
    replaced:  number of written documents that replaced a stored document with the same id.
    passages:  number of passages encoded.
    truncated: name of a leg -> number of passages that the leg's encoder did not read to the end.
    usage:     language model usage. None if no leg uses a language model.
    unchanged: number of documents skipped because an identical document is stored.

    A leg is one way to rank: dense, sparse or lexical.
    """

    documents: int = 0
    replaced: int = 0
    passages: int = 0
    truncated: Mapping[str, int] = field(default_factory=dict)
    usage: Usage | None = None
    unchanged: int = 0

    def __add__(self, other: WriteReport) -> WriteReport:
        return WriteReport(
            self.documents + other.documents,
            self.replaced + other.replaced,
            self.passages + other.passages,
            dict(Counter(self.truncated) + Counter(other.truncated)),
            add_usages(self.usage, other.usage),
            self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """The result of a change of metadata, such as `Collection.update_where`.

    updated:   number of documents whose metadata has changed.
    unchanged: number of documents that had this metadata already.
    not_found: ids for which there is no document.
    warnings:  a message for each field of the filter that occurs in no document.
    """

    updated: int
    unchanged: int = 0
    not_found: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """Result of `Collection.reconfigure`.

    changed:  False if the legs already had these storage options.
    warnings: a message for each leg whose vectors lost precision in the old storage. The new
              storage cannot restore this precision.
    """

    changed: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RerankStage:
    """The result of one reranker in a chain of rerankers. `RerankReport` describes the fields."""

    name: str
    status: Status
    candidates: int
    judged: int
    usage: Usage
    seconds: float


@dataclass(frozen=True, slots=True)
class RerankReport:
    """The result of reranking the hits of a search.

    status:     "complete"; "partial" if the budget ran out before all candidates were judged, or if
                some answers of a model were unusable; "failed" if a model failed. After a failure,
                hits keep the order of the search. In a chain, they keep the order of the last
                reranker that succeeded.
    candidates: number of hits that the reranker received.
    judged:     number of hits that the reranker scored or compared.
    usage:      usage of the models. `cache_hits` counts judgements that came from the cache.
    seconds:    duration of the reranking.
    truncated:  number of candidates whose text was not read to its end.
    stages:     for a chain of rerankers, the result of each. Empty for a single reranker.
    """

    model: str
    status: Status
    candidates: int
    judged: int
    usage: Usage
    seconds: float
    truncated: int = 0
    warnings: Sequence[str] = ()
    stages: Sequence[RerankStage] = ()


@dataclass(frozen=True, slots=True)
class QueryStage:
    """A step of a search that may change its query, such as feedback.

    name:    the step: "feedback", or the name of a rewriter.
    status:  "ran"; "skipped", because the condition of the request (its `gate`) was not met or the
             step had nothing to add to the query; or "failed". After "skipped" and "failed", the
             search continues with its previous query.
    queries: query texts that the step produced and searched. Empty for a step that changes only
             the weights of terms.
    terms:   name of a sparse or lexical leg -> heaviest terms of the query that the step produced
             for this leg.
    documents: ids of the documents that the step read, best first.
    usage:   usage of language models. None if the step used none.
    milliseconds: duration of the step, without the searches that follow it.
    reason:  why the step was skipped or failed. Empty if it ran.
    notes:   what the step did in each leg.
    searches: number of leg searches that a rewriter and its gate added. The second search of
              feedback is not counted.
    """

    name: str
    status: Literal["ran", "skipped", "failed"]
    queries: Sequence[str] = ()
    terms: Mapping[str, TopTerms] = field(default_factory=dict)
    documents: Sequence[str] = ()
    usage: Usage | None = None
    milliseconds: float = 0.0
    reason: str = ""
    notes: Sequence[str] = ()
    searches: int = 0


Scalar = str | int | float | bool
"""A value of a metadata field."""


@dataclass(frozen=True, slots=True)
class FacetCount:
    """The number of found documents with a value, or with a value in a range.

    value: the value. None for a range.
    gte, lt: smallest value of the range, and the value before which it ends; None = no limit.
    """

    count: int
    value: Scalar | None = None
    gte: float | str | None = None
    lt: float | str | None = None


@dataclass(frozen=True, slots=True)
class Facet:
    """The values that the found documents have in one field.

    counts:   the requested values or ranges. A document with several values counts in each.
    distinct: number of different values.
    missing:  number of found documents without the field.
    minimum, maximum: smallest and largest number. None if no value is a number.
    """

    field: str
    counts: Sequence[FacetCount]
    distinct: int
    missing: int
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """The hits of a page that have the same value in the field of `group`.

    value: the value. None: the documents do not have the field.
    total: number of found documents with the value.
    hits:  number of hits of this group. The hits of a result are those of its first group, then
           those of its second, and so on.
    """

    value: Scalar | None
    total: int
    hits: int


Relation = Literal["eq", "gte"]
"""How a total relates to the true number. eq: the total is exact. gte: the true number may be
larger."""


@dataclass(frozen=True, slots=True, repr=False)
class SearchResult:
    """The result of a search: a sequence of hits, with details of the search.

    total:    number of documents in the full ranked list, of which `hits` is one page.
    relation: "eq" if `total` counts all matching documents; "gte" if more may match. More may match
              if a leg returned its maximum number of candidates, or if hits that were not reranked
              might reach `min_score`.
    timings:  milliseconds by stage: `load` (only if the search had to load encoders), `encode`,
              `rewrite`, `suggest`, `filter`, the name of each leg, `fuse`, `feedback`, `predict`,
              `rerank` (including the time to fetch the texts to rerank) and `fetch`. A leg is one
              way to rank: dense, sparse or lexical.
    warnings: messages for the caller, such as a truncated query.
    generation: version number of the collection that was searched. It increases with every change.
    usage:    language model usage for rewriting and encoding the query. None if no language model
              was used. A cached query counts as a cache hit, not as a call. In a batch, the usage
              of queries that were encoded together is divided evenly.
    query_terms: name of a sparse leg -> heaviest terms of the query. None without `explain`.
    query_languages: name of a lexical leg that detects languages -> languages in which the leg
              analysed the query. None without `explain`.
    rerank:   the result of reranking. None without reranking. Its usage is not part of `usage`.
    stages:   steps that may have changed the query, in the order in which they ran.
    predictors: predictor -> value, as `twindex.search.predictors` defines them. None without
              `predictors` in the request.
    suggestion: the query with misspelled words replaced. It includes the conditions that
              `parse_filters` read. None without `suggest` in the request, or if every word of the
              query is common enough.
    query:    the query text without the filters that it contained. None without `parse_filters`.
    filter:   the filter that was read from the query text, as JSON. None if it contained none.
    facets:   counts of values, one entry for each of the request's `facets`. Every document of the
              full ranked list counts.
    groups:   the groups of the page, in the order of their best hits. None without `group`.
    group_total: number of groups of the full ranked list. None without `group`.
    """

    hits: Sequence[Hit]
    total: int
    relation: Relation
    timings: Mapping[str, float]
    warnings: Sequence[str] = field(default_factory=tuple)
    generation: int = 0
    usage: Usage | None = None
    query_terms: Mapping[str, TopTerms] | None = None
    query_languages: Mapping[str, Sequence[str]] | None = None
    rerank: RerankReport | None = None
    stages: Sequence[QueryStage] = ()
    predictors: Mapping[str, float] | None = None
    suggestion: str | None = None
    query: str | None = None
    filter: Mapping[str, Any] | None = None
    facets: Sequence[Facet] = ()
    groups: Sequence[Group] | None = None
    group_total: int | None = None

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __getitem__(self, position: int) -> Hit:
        return self.hits[position]

    def __repr__(self) -> str:
        return "\n".join([f"SearchResult: {self._summary}", *display.as_lines(self.hits)])

    def _repr_html_(self) -> str:
        """Return an HTML table, which notebooks show."""
        return f"<p>{escape(self._summary)}</p>{display.as_html(self.hits)}"

    @property
    def _summary(self) -> str:
        at_least = "" if self.relation == "eq" else "at least "
        summary = f"{len(self.hits)} of {at_least}{self.total} documents"
        summary += f", {self.milliseconds:.1f} ms"
        return "; ".join([summary, *(display.one_line(one, 500) for one in self.warnings)])

    @property
    def milliseconds(self) -> float:
        """Return the duration of the search: the sum of `timings` without `load`."""
        return sum(spent for stage, spent in self.timings.items() if stage != "load")

    def to_pandas(self) -> Any:
        """Return a DataFrame with a row for each hit.

        Columns: rank, id, score, title, text, passage, headings, page, metadata, and NAME_rank and
        NAME_score for each leg, where NAME is the name of the leg.

        Raises MissingExtraError if pandas is not installed.
        """
        return display.as_frame(self.hits)


@dataclass(frozen=True, slots=True)
class WordCompletion:
    """A text whose last word is completed.

    text:      the given text with the whole word, which is in lower case.
    word:      the word.
    documents: number of documents with the word, and with the words before it if any document has
               them all.
    typos:     number of typos in the given beginning of the word, 0 or 1.
    """

    text: str
    word: str
    documents: int
    typos: int = 0


@dataclass(frozen=True, slots=True)
class TitleCompletion:
    """A document whose title completes the text. id: id of the document."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Completions:
    """The result of `Collection.complete`.

    words:  completions of the last word, best first.
    titles: documents whose titles complete the text, best first.
    """

    words: Sequence[WordCompletion] = ()
    titles: Sequence[TitleCompletion] = ()


@dataclass(frozen=True, slots=True)
class FederatedHit:
    """A hit of a search over several collections.

    collection: name of the hit's collection.
    rank:  position of the hit in the list of its collection, from 1.
    score: score in the merged list; see `FederatedRequest`.
    hit:   the hit as its collection returned it, with its own score.
    """

    collection: str
    rank: int
    score: float
    hit: Hit


@dataclass(frozen=True, slots=True)
class SearchedCollection:
    """What the search of one of several collections found.

    name:     name of the collection.
    total, relation, generation, milliseconds: as in the collection's own `SearchResult`.
    error:    why the collection was left out; None if it was searched.
    """

    name: str
    total: int = 0
    relation: Relation = "eq"
    generation: int = 0
    milliseconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FederatedResult:
    """The result of a search over several collections: a sequence of hits.

    total:       number of documents in the lists of all collections.
    relation:    "eq" if `total` counts all matching documents; "gte" if more may match.
    collections: what was found in each collection, in the order of the request.
    facets:      the counts of all collections together.
    warnings:    messages for the caller; each begins with the name of its collection.
    """

    hits: Sequence[FederatedHit]
    total: int
    relation: Relation
    collections: Sequence[SearchedCollection]
    facets: Sequence[Facet] = ()
    warnings: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[FederatedHit]:
        return iter(self.hits)

    def __getitem__(self, position: int) -> FederatedHit:
        return self.hits[position]
