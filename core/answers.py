"""Answers with citations, and the events of an answer that is being written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, ClassVar, Literal

from . import display
from .results import QueryStage, SearchResult
from .types import Usage

SourceKind = Literal["document", "generated"]
"""Origin of a source. document: a passage of a stored document. generated: a text that a model
wrote before the answer. A generated text has no number and is never cited."""

Reason = Literal["budget", "copy", "per_document", "passages", "empty"]
"""Why a passage was not sent to the generator.

budget: it did not fit into the token budget. copy: it is a near-copy of a better passage.
per_document: its document already had its maximum number of passages. passages: the maximum number
of passages was reached. empty: it has no text."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text that the generator read.

    number: number of the source in markers such as [1], from 1. 0 for a generated text.
    id:     id of the document. "" for a generated text.
    text:   the text that was sent: characters `start` to `end` (exclusive) of the document's text.
    score:  score of the document in the search.
    tokens: number of tokens of the source in the prompt, with its title and number. For a generator
            without a language model: number of words.
    ranks:  ranks of the passages that this source consists of, from 1, best first. Neighbouring
            passages of a document become one source. Empty for a generated text.
    cut:    True if sentences at the end of the passage were left out.
    kind:   "document": a part of a stored document. "generated": a generated text, which a language
            model wrote as background for the answer.
    supported_share: for a generated text: share of its sentences that sources of kind "document"
            support. A source supports a sentence if it contains enough of the sentence's content
            words, and all of the sentence's numbers and names. None for a document.
    """

    number: int
    id: str
    text: str
    start: int = 0
    end: int = 0
    title: str = ""
    headings: Sequence[str] = ()
    page: int | None = None
    score: float = 0.0
    tokens: int = 0
    ranks: Sequence[int] = ()
    cut: bool = False
    kind: SourceKind = "document"
    supported_share: float | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A text that was available but was not sent to the generator.

    The text is a passage that the search found (kind "document"), or background that a language
    model wrote (kind "generated").

    rank:   rank of the passage in the search, from 1. For a generated text: its position among the
            generated texts, from 1.
    id:     id of the document; "" for a generated text.
    start, end: a passage is the characters `start` to `end` (exclusive) of the document's text. For
            a generated text: 0 and its length.
    tokens: number of tokens that the text would have needed; 0 if they were not counted.
    copy_of: for the reason "copy", the `rank` of the similar text that was preferred.
    """

    rank: int
    id: str
    start: int
    end: int
    reason: Reason
    tokens: int = 0
    copy_of: int | None = None
    kind: SourceKind = "document"


@dataclass(frozen=True, slots=True)
class Quote:
    """The part of a source that supports a statement of an answer.

    number:  number of the source.
    id:      id of the document.
    text:    characters `start` to `end` (exclusive) of the document's text: whole sentences.
    support: share of the statement's content words, weighted by rarity (IDF), that occur in the
             quote, from 0 to 1.
    missing: numbers and names of the statement that do not occur in the quote.
    entailment: probability that the quote entails the statement, by the generator's entailment
             model; None without such a model.
    """

    number: int
    id: str
    start: int
    end: int
    text: str
    support: float
    missing: Sequence[str] = ()
    page: int | None = None
    headings: Sequence[str] = ()
    entailment: float | None = None


Origin = Literal["marker", "match"]
"""Who cited a source. marker: the generator, while it wrote. match: Twindex, afterwards, because
the source has the words of the statement."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A statement of an answer and the sources that are cited for it.

    start, end: the statement is the characters `start` to `end` (exclusive) of the answer's text.
                The markers after the statement are not included.
    quotes:     a quote for each cited source, in the order of the markers.
    supported:  True if a quote contains all numbers and names of the statement, and enough of its
                content words.
    """

    start: int
    end: int
    quotes: Sequence[Quote]
    supported: bool
    origin: Origin = "marker"


Outcome = Literal["answered", "no_answer"]
"""Result of answering a question. no_answer: there is none, for the `reason` of the answer."""

Finish = Literal["stop", "length", "timeout"]
"""Why an answer ended. length: it reached `max_tokens`. timeout: it reached the time limit."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """The answer to a question, with citations.

    text:       the answer. Characters are Unicode code points, as in a Python string. For the
                outcome "no_answer", a sentence that says so.
    reason:     why the outcome is "no_answer": "no sources"; "insufficient sources" (`confidence`
                is below the threshold of the abstention rule); "model" (the model wrote that it
                has no answer); "no match" (no sentence has a word of the question; only without a
                model); "timeout" (no text was written within the time limit); or "empty" (the model
                wrote no text). None for other outcomes.
    confidence: probability that the sources contain the answer, as the generator's abstention rule
                estimates it; None if the generator has no such rule.
    sources:    the texts that the generator read, in the order in which it read them.
    left_out:   the passages that were found but not sent, by rank; then the generated texts that
                were not sent.
    invalid_citations: source numbers (up to 999999999) that the generator cited although no source
                has them, each once. Their markers were removed from the text.
    query:      the query that was searched; "" if nothing was searched. A follow-up question may
                have been rewritten. Conditions that `parse_filters` read are not in the query.
    generator:  name of the generator.
    usage:      usage of language models: rewriter, encoder of the query, background and generator.
                The report of the reranker is `search.rerank`.
    timings:    milliseconds by stage: the stages of the search, `rewrite`, `background` (writing
                the generated texts), `context`, `generate` and `first_token` (the part of
                `generate` before the first text, if there is a text).
    warnings:   messages for the caller.
    stages:     steps of the search that may have changed the query, in the order in which they ran.
    suggestion: the query with misspelled words replaced, as `SearchResult.suggestion`.
    filter:     the filter that was read from the query text, as `SearchResult.filter`.
    predictors: predictor of query performance -> value, as `SearchResult.predictors`.
    search:     the result of the search; None without a search. Not part of the reply of the REST
                service.
    """

    text: str
    outcome: Outcome
    citations: Sequence[Citation] = ()
    sources: Sequence[Source] = ()
    left_out: Sequence[LeftOut] = ()
    invalid_citations: Sequence[int] = ()
    reason: str | None = None
    confidence: float | None = None
    finish: Finish = "stop"
    query: str = ""
    generator: str = ""
    usage: Usage = field(default_factory=Usage)
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    stages: Sequence[QueryStage] = ()
    suggestion: str | None = None
    filter: Mapping[str, Any] | None = None
    predictors: Mapping[str, float] | None = None
    search: SearchResult | None = None

    def __repr__(self) -> str:
        return "\n".join([f"Answer ({self.outcome}): {self.text}", *self._source_lines()])

    def _repr_html_(self) -> str:
        """Return HTML that notebooks show."""
        lines = "".join(f"<li>{escape(line)}</li>" for line in self._source_lines())
        return f"<p>{escape(self.text)}</p><ul>{lines}</ul>"

    def _source_lines(self) -> list[str]:
        """Return a line for each cited source, such as `[1] kiwi: The kiwi cannot fly.`."""
        cited: dict[int, Quote] = {}
        for citation in self.citations:
            for quote in citation.quotes:
                cited.setdefault(quote.number, quote)
        return [
            f"[{number}] {quote.id}: {display.one_line(quote.text, 200)}"
            for number, quote in sorted(cited.items())
        ]


@dataclass(frozen=True, slots=True)
class SourcesEvent:
    """The first event: what the generator reads, and what was left out."""

    event: ClassVar[str] = "sources"
    sources: Sequence[Source]
    left_out: Sequence[LeftOut] = ()


@dataclass(frozen=True, slots=True)
class TextEvent:
    """The next piece of the answer's text. All pieces joined are `Answer.text`."""

    event: ClassVar[str] = "token"
    text: str


@dataclass(frozen=True, slots=True)
class CitationEvent:
    """A citation. Its statement is part of the text so far."""

    event: ClassVar[str] = "citation"
    citation: Citation


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """Usage of language models for the whole answer. It is the last event but one."""

    event: ClassVar[str] = "usage"
    usage: Usage


@dataclass(frozen=True, slots=True)
class DoneEvent:
    """The last event: the whole answer, as a call without streaming returns it."""

    event: ClassVar[str] = "done"
    answer: Answer


AnswerEvent = SourcesEvent | TextEvent | CitationEvent | UsageEvent | DoneEvent
"""An event of an answer that is being written. They come in the order of this list, with texts and
citations mixed."""


@dataclass(frozen=True, slots=True)
class PurgeProof:
    """What a purge erased, and what a search of the collection's files for it found afterwards.

    documents:  number of erased documents, whether they were stored or only versions of them.
    versions:   number of erased versions, with the current ones.
    not_found:  ids in the request of which nothing was stored.
    before, after: generation of the collection before and after the purge.
    rewritten:  names of the segments that were written again without them.
    files, bytes: number and total size of the files that were searched: all files of the folder.
    pieces:     number of pieces of the erased titles, texts and metadata that were searched for.
    shared:     number of pieces that are not counted, because stored documents contain them too.
    found:      file -> number of the pieces that it contains. Empty: nothing was found.
    snapshots:  names of the given snapshots that hold an erased document.
    """

    documents: int
    versions: int
    not_found: Sequence[str]
    before: int
    after: int
    rewritten: Sequence[str]
    files: int
    bytes: int
    pieces: int
    shared: int
    found: Mapping[str, int]
    snapshots: Sequence[str]
