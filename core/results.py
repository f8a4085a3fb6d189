"""What a search and a write return, here or from a service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from . import display
from .types import Hit, Status, TopTerms, Usage, added


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What `Collection.add` did.

    documents: written. replaced: of these, how many had the id of a stored document. unchanged:
    skipped, because the collection has the same document already. passages: encoded. truncated:
    leg -> passages whose end its encoder did not read. usage: what language models did; None where
    no leg has one.
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
            added(self.usage, other.usage),
            self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True)
class RerankStage:
    """What one reranker of a chain did; see `RerankReport`."""

    name: str
    status: Status
    candidates: int
    judged: int
    usage: Usage
    seconds: float


@dataclass(frozen=True, slots=True)
class RerankReport:
    """What reranking did.

    status:     "complete", "partial" (the budget ran out before all candidates were judged, or
                some of a model's answers could not be used) or "failed" (a model did: hits are in
                the order that they had, or that the stages of a chain before it gave them).
    candidates: hits handed to the reranker; judged: those that it looked at.
    usage:      what its models did; cache_hits are judgements that were remembered.
    seconds:    from when it was asked until it was done.
    truncated:  candidates whose text was not read to its end.
    stages:     of a chain, what each of its rerankers did.
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


Relation = Literal["eq", "gte"]
"""eq: exact; gte: at least this many."""


@dataclass(frozen=True, slots=True, repr=False)
class SearchResult:
    """What a search gave: a sequence of its hits, with what is known of the search.

    total:    documents in the list, and whether that is all that match ("eq") or not ("gte"): the
              legs were cut at their depth, or hits that were not reranked might reach `min_score`.
    timings:  milliseconds by stage: `encode`, `filter`, one for each leg, `fuse`, `rerank` (what it
              reads is fetched in it too), `fetch`.
    warnings: what the caller should know, e.g. a truncated query.
    generation: the state of the collection that was searched.
    usage:    what language models did to encode the query; None where no leg has one. A remembered
              query is a cache hit and no call. In a batch, what was encoded together is divided
              evenly.
    query_terms: the heaviest terms of the query by sparse leg, when `explain` was asked for.
    rerank:   what reranking did, where it was asked for. Its usage is not part of `usage`.
    """

    hits: Sequence[Hit]
    total: int
    relation: Relation
    timings: Mapping[str, float]
    warnings: Sequence[str] = field(default_factory=tuple)
    generation: int = 0
    usage: Usage | None = None
    query_terms: Mapping[str, TopTerms] | None = None
    rerank: RerankReport | None = None

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __getitem__(self, place: int) -> Hit:
        return self.hits[place]

    def __repr__(self) -> str:
        return "\n".join([f"SearchResult: {self._summary}", *display.as_lines(self.hits)])

    def _repr_html_(self) -> str:
        """A table, in notebooks."""
        return f"<p>{escape(self._summary)}</p>{display.as_html(self.hits)}"

    @property
    def _summary(self) -> str:
        at_least = "" if self.relation == "eq" else "at least "
        said = f"{len(self.hits)} of {at_least}{self.total} documents"
        said += f", {sum(self.timings.values()):.1f} ms"
        return "; ".join([said, *(display.one_line(one, 500) for one in self.warnings)])

    def to_pandas(self) -> Any:
        """A DataFrame with a row for each hit. Raises MissingExtraError without pandas.

        Columns: rank, id, score, title, text, passage, metadata; for each leg, LEG_rank and
        LEG_score.
        """
        return display.as_frame(self.hits)
