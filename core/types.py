"""The values that every room shares: frozen, with slots, no behaviour beyond their own fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

Role = Literal["query", "document"]
Metadata = Mapping[str, Any]
Status = Literal["complete", "partial", "failed"]
"""complete: all that was asked for was answered; partial: not all, because the limits were reached
before or (then a warning says so) some of a model's answers could not be used; failed: a model
failed."""


@dataclass(frozen=True, slots=True)
class Document:
    """What the user stores. `metadata` is a JSON object."""

    id: str
    text: str
    title: str = ""
    metadata: Metadata = field(default_factory=dict)


class DeletedCount(int):
    """How many documents a filter deleted, with what was odd about the filter.

    warnings: a remark for each field of the filter that no document had.
    """

    warnings: tuple[str, ...]

    def __new__(cls, count: int, warnings: Sequence[str] = ()) -> Self:
        self = super().__new__(cls, count)
        self.warnings = tuple(warnings)
        return self


@dataclass(frozen=True, slots=True)
class Query:
    """A query of an evaluation set."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: characters `start` to `end` (exclusive) of its `text`."""

    start: int
    end: int


TermCounts = Mapping[str, int]
"""Analysed terms of one text with their frequencies. The text's length is the sum of them."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What language models did for one request. Values of several add up with `+`.

    calls:             prompts that a model read.
    prompt_tokens:     in these prompts.
    cached_tokens:     of these, tokens whose keys and values were computed before and reused.
    completion_tokens: generated.
    cache_hits:        texts that needed no call because their result was remembered.
    seconds:           wall-clock time spent in models.
    """

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cache_hits: int = 0
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def added(one: Usage | None, other: Usage | None) -> Usage | None:
    """The sum; None where no language model was asked."""
    if one is None or other is None:
        return one or other
    return one + other


@dataclass(frozen=True, slots=True)
class LegScore:
    """Where one leg put a document: `rank` from 1 (shared by equal scores) and raw `score`.

    For searches with `explain`, else None:

    scaled:       the score as the fusion method adds it up; the raw score when one leg ran alone.
    weight:       the leg's weight in the request.
    contribution: what the leg added to the fused score. The contributions of a hit sum to it.
    """

    rank: int
    score: float
    scaled: float | None = None
    weight: float | None = None
    contribution: float | None = None


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one term added to a passage's score: `query` weight x `document` weight = `score`."""

    term: str
    score: float
    query: float
    document: float


@dataclass(frozen=True, slots=True)
class TermWeight:
    """What an indexed passage has of a term: the weight that a model gave it, or its frequency."""

    term: str
    weight: float


@dataclass(frozen=True, slots=True)
class TopTerms:
    """The heaviest terms of a text, heaviest first, of `total` that have a weight."""

    top: Sequence[TermWeight]
    total: int


@dataclass(frozen=True, slots=True)
class HitRerank:
    """What a reranker did with a hit.

    rank:     its place after reranking, from 1.
    previous: its place before, from 1.
    score:    the reranker's, of any range unless it is calibrated; None where it gave none.
    reasons:  why it is there, as JSON; what there is depends on the kind of reranker.
    judged:   the reranker looked at it. What was not judged keeps its order, after the rest.
    """

    rank: int
    previous: int
    score: float | None = None
    reasons: Mapping[str, Any] = field(default_factory=dict)
    judged: bool = True


@dataclass(frozen=True, slots=True)
class Hit:
    """One document of a result.

    score:    the fused score (the leg's raw score when a single leg ran without fusion).
    legs:     rank and raw score in each leg that returned the document.
    passage:  the best passage of the leg that ranked the document highest; None when the document
              was indexed whole.
    document: the stored document, None when the caller did not ask for it.
    explain:  for each leg that can say so, the contribution of each term, largest first.
    terms:    for each sparse leg that returned the document, what it has of its best passage there.
    rerank:   what a reranker did with it; None where none was asked for. It decides the order of
              hits; `score` stays that of the legs.
    """

    id: str
    score: float
    legs: Mapping[str, LegScore] = field(default_factory=dict)
    passage: Passage | None = None
    document: Document | None = None
    explain: Mapping[str, Sequence[Contribution]] | None = None
    terms: Mapping[str, TopTerms] | None = None
    rerank: HitRerank | None = None

    @property
    def title(self) -> str:
        """The document's title; "" where it has none or was not asked for."""
        return "" if self.document is None else self.document.title

    @property
    def text(self) -> str:
        """The document's text; "" where it was not asked for."""
        return "" if self.document is None else self.document.text

    @property
    def metadata(self) -> Metadata:
        """The document's metadata; empty where it was not asked for."""
        return {} if self.document is None else self.document.metadata

    @property
    def passage_text(self) -> str:
        """The text of the best passage: what a reader should see first."""
        if self.passage is None:
            return self.text
        return self.text[self.passage.start : self.passage.end]


Run = Mapping[str, Mapping[str, float]]
"""query id -> document id -> score. Ties are ordered by document id, ascending."""

Qrels = Mapping[str, Mapping[str, int]]
"""query id -> document id -> grade (0 = judged and not relevant)."""
