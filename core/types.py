"""Value types that all sub-packages share. They are frozen and have slots."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any, Literal, Self

Role = Literal["query", "document"]
Metadata = Mapping[str, Any]
Status = Literal["complete", "partial", "failed"]
"""Outcome of work with a model.

complete: every question was answered. partial: some questions were not answered, because a limit
was reached or some answers were unusable (a warning then says so). failed: a model failed."""


MOST_PASSAGES = 20_000
"""Maximum number of passages of a document."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: characters `start` to `end` (exclusive) of its `text`.

    A character is a Unicode code point, as in a Python string.
    """

    start: int
    end: int


Vector = Any
"""A vector that the caller supplies for a document or a query, so that no encoder computes it.
`sources/vectors.py` lists its forms."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that the user stores.

    metadata: a JSON object.
    vectors:  name of a leg (dense or sparse ranking) -> vector that the caller supplies, so that
              the leg's encoder does not compute it.
    passages: passages that the caller supplies, in order. Empty: the collection divides the text
              into passages.

    Vectors and passages are stored in the index only. A document that is read from a collection
    does not contain them. Documents are equal if their id, text, title and metadata are equal.
    """

    id: str
    text: str
    title: str = ""
    metadata: Metadata = field(default_factory=dict)
    vectors: Mapping[str, Vector] = field(default_factory=dict, compare=False, repr=False)
    passages: Sequence[Passage] = field(default=(), compare=False, repr=False)

    @property
    def brings(self) -> bool:
        """True if the caller supplied vectors or passages with the document."""
        return bool(self.vectors) or bool(self.passages)

    @property
    def tag(self) -> str:
        """Return the entity tag of the document: 32 hexadecimal digits.

        Documents with equal id, title, text and metadata have equal tags, in every process and
        collection. The order of keys does not count. It is the beginning of a SHA-256.
        """
        parts = [self.id, self.title, self.text, dict(self.metadata)]
        return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


class DeletedCount(int):
    """The number of documents that a deletion by filter removed, with warnings.

    warnings: a message for each field of the filter that occurs in no document.
    """

    warnings: tuple[str, ...]

    def __new__(cls, count: int, warnings: Sequence[str] = ()) -> Self:
        self = super().__new__(cls, count)
        self.warnings = tuple(warnings)
        return self


@dataclass(frozen=True, slots=True)
class Query:
    """A query of an evaluation set.

    vectors: name of a leg -> vector that the caller supplies, so that the leg's encoder does not
             compute it.
    """

    id: str
    text: str
    vectors: Mapping[str, Vector] = field(default_factory=dict, compare=False, repr=False)


TermCounts = Mapping[str, int]
"""Term -> number of times that it occurs in one text. The sum of these numbers is the length of the
text in terms."""

TermWeights = Mapping[str, float]
"""Weights, above 0, of the terms of a query: the term frequencies, or the weights of an expanded
query."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Language model usage of one request. `+` adds two usages.

    calls:             number of prompts that a model read.
    prompt_tokens:     number of tokens in these prompts.
    cached_tokens:     number of prompt tokens whose keys and values were reused, not computed.
    completion_tokens: number of generated tokens.
    cache_hits:        number of texts or questions that needed no call: their result was cached.
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


def add_usages(one: Usage | None, other: Usage | None) -> Usage | None:
    """Return the sum of two usages. None counts as zero usage; the sum of None and None is None."""
    if one is None or other is None:
        return one or other
    return one + other


@dataclass(frozen=True, slots=True)
class LegScore:
    """Rank and score of a document in one leg (one way to rank: dense, sparse or lexical).

    rank:  position from 1. Documents with equal scores share a rank.
    score: raw score of the leg.

    The other fields are None unless the request sets `explain`:

    scaled:       score as the fusion method scales it, before the weight is applied. The raw score
                  if only one leg ran.
    weight:       weight of the leg in the request.
    contribution: the part of the hit's fused score that comes from this leg. The contributions of
                  all legs add up to the fused score.
    """

    rank: int
    score: float
    scaled: float | None = None
    weight: float | None = None
    contribution: float | None = None


@dataclass(frozen=True, slots=True)
class Contribution:
    """The part of a passage's score that comes from one term.

    score = query x document, where `query` and `document` are the weights of the term in the query
    and in the passage.
    """

    term: str
    score: float
    query: float
    document: float


@dataclass(frozen=True, slots=True)
class TermWeight:
    """A term of an encoded text, and its weight: a weight from a model, or the term frequency."""

    term: str
    weight: float


@dataclass(frozen=True, slots=True)
class TopTerms:
    """The terms of a text that have the largest weights.

    top:   these terms in descending order of weight.
    total: number of terms of the text with a non-zero weight.
    """

    top: Sequence[TermWeight]
    total: int


@dataclass(frozen=True, slots=True)
class HitRerank:
    """The result of reranking for one hit.

    rank:     rank after reranking, from 1.
    previous: rank before reranking, from 1.
    score:    score from the reranker; None if the reranker gave none. Its range depends on the
              reranker, unless the score is calibrated.
    reasons:  explanation of the rank, as JSON. The fields depend on the kind of reranker.
    judged:   True if the reranker scored or compared the hit. Other hits keep their order and
              follow all judged hits.
    """

    rank: int
    previous: int
    score: float | None = None
    reasons: Mapping[str, Any] = field(default_factory=dict)
    judged: bool = True


@dataclass(frozen=True, slots=True)
class BoostScore:
    """What one boost of the request adds to the score of a hit.

    value:        value of the boost for this document, from 0 to 1.
    weight:       weight of the boost in the request.
    contribution: what the boost adds to the score.
    """

    value: float
    weight: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Highlight:
    """A snippet of a document, with the places of the words that match the query.

    field:  "title" or "text".
    start, end: characters [start, end) of the field that the snippet has.
    text:   the snippet.
    spans:  characters [start, end) of each matching word, counted from the start of the field.
    marked: the snippet in HTML: its text is escaped, and matching words are between the request's
            `pre` and `post`. None if the request has none.
    """

    field: str
    start: int
    end: int
    text: str
    spans: Sequence[tuple[int, int]]
    marked: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A document in a search result.

    score:    fused score. The raw score of the leg if a single leg ran without fusion.
    legs:     name of each leg (one way to rank: dense, sparse or lexical) that returned the
              document -> rank and score in this leg.
    passage:  best passage in the leg that ranked the document highest. None if the document was
              indexed whole.
    document: stored document. None if the request did not ask for any of its fields.
    explain:  name of a leg -> contributions of the terms to the leg's score, largest first. Only
              for legs whose score is a sum over terms. None without `explain` in the request.
    terms:    name of a sparse leg that returned the document -> heaviest terms of the best passage.
    rerank:   result of reranking. None without reranking. Reranking changes the order of the hits,
              but not `score`.
    context:  the passage with its neighbours, if the request has `neighbours`. None if the document
              was indexed whole.
    headings: titles of the headings above the start of the passage, from the highest level down.
    page:     number of the page on which the passage begins, from 1. None if the text has no form
              feeds, the characters that separate pages.
    boosts:   for each of the request's `boosts`, what it adds to the score. None without `explain`.
    highlights: snippets with the matching words. None without `highlight` in the request.

    A document that was indexed whole is one passage, which begins at its first word. `headings` and
    `page` are set only if the request's `include` names a part of the document.
    """

    id: str
    score: float
    legs: Mapping[str, LegScore] = field(default_factory=dict)
    passage: Passage | None = None
    document: Document | None = None
    explain: Mapping[str, Sequence[Contribution]] | None = None
    terms: Mapping[str, TopTerms] | None = None
    rerank: HitRerank | None = None
    context: Passage | None = None
    headings: Sequence[str] = ()
    page: int | None = None
    boosts: Sequence[BoostScore] | None = None
    highlights: Sequence[Highlight] | None = None

    @property
    def title(self) -> str:
        """The document's title. "" if it has none or the request did not include titles."""
        return "" if self.document is None else self.document.title

    @property
    def text(self) -> str:
        """The document's text. "" if the request did not include texts."""
        return "" if self.document is None else self.document.text

    @property
    def metadata(self) -> Metadata:
        """The document's metadata. Empty if the request did not include metadata."""
        return {} if self.document is None else self.document.metadata

    @property
    def passage_text(self) -> str:
        """The text of the best passage. The document's whole text if `passage` is None."""
        return self._text_of(self.passage)

    @property
    def context_text(self) -> str:
        """The text of the best passage and its neighbours.

        The text of the passage alone if `context` is None. The document's whole text if `passage`
        is None too.
        """
        return self._text_of(self.context or self.passage)

    def _text_of(self, passage: Passage | None) -> str:
        return self.text if passage is None else self.text[passage.start : passage.end]


Run = Mapping[str, Mapping[str, float]]
"""query id -> document id -> score. Ties are ordered by document id, ascending."""

Qrels = Mapping[str, Mapping[str, int]]
"""query id -> document id -> grade (0 = judged and not relevant)."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document: what was stored, from when to when, and where it came from.

    version:     its number. Later versions have higher numbers, and no number is used twice.
    document:    the document as it was.
    recorded:    the commit that wrote it; None: before the history began.
    recorded_at: time of this commit, ISO 8601 in UTC; None: before the history began.
    superseded:  the commit that replaced or deleted it; None: it is the current version.
    superseded_at: time of this commit.
    deleted:     True if this commit deleted the document, False if it stored another version.
    content_hash: SHA-256 of id, title, text and metadata, as `content_hash` computes it.
    source:      name of the synced file from which it was read; empty if there is none.
    actor:       who wrote it, as the server knows the writer; empty if unknown.
    request_id:  the request that wrote it; empty if unknown.
    encoders:    leg -> fingerprint of the encoder that made its vectors or terms.
    """

    version: int
    document: Document
    recorded: int | None
    recorded_at: str | None
    superseded: int | None
    superseded_at: str | None
    deleted: bool
    content_hash: str
    source: str
    actor: str
    request_id: str
    encoders: Mapping[str, Any]


def content_hash(document: Document) -> str:
    """Return "sha256:" and the SHA-256 of a document, in hexadecimal digits.

    The hash is that of the UTF-8 of the JSON object {"id", "metadata", "text", "title"}, with
    sorted keys, without spaces between tokens, and with characters beyond ASCII as they are.
    """
    canonical = json.dumps(
        {
            "id": document.id,
            "metadata": dict(document.metadata),
            "text": document.text,
            "title": document.title,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
