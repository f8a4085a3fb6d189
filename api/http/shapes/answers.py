"""Pydantic models of requests and replies about answers."""

from __future__ import annotations

from typing import Any, Literal

from ....core.config import Flag
from ....search import AnswerRequest
from .schemas import StageReport
from .shape import LanguageModelUsage, Shape


class AnswerBody(AnswerRequest):
    """A request for an answer to a question.

    stream: reply with server-sent events while the answer is written. Without this field, the
            header `Accept: text/event-stream` has the same effect.
    """

    stream: Flag = False


class AnswerSource(Shape):
    """A text that the generator read.

    number:   number of the source in markers such as [1], from 1; 0 for a generated text.
    id:       id of the document; "" for a generated text.
    kind:     "document": a passage of a stored document. "generated": a text that a model wrote
              before the answer, which is never cited.
    text:     the text that was sent.
    start:    offset of the text's first character in the document's text, in code points.
    end:      offset after the text's last character, in code points.
    title:    title of the document.
    headings: titles of the headings above the text, from the highest level down.
    page:     number of the page on which the text begins, from 1; null without pages.
    score:    score of the document in the search.
    tokens:   number of tokens of the source in the prompt. For a generator without a language
              model: number of words.
    ranks:    ranks of the passages that the source consists of, from 1, best first. Neighbouring
              passages of a document become one source. Empty for a generated text.
    cut:      true if sentences at the end of the passage were left out.
    supported_share: for a generated text, share of its sentences that a source of kind "document"
              supports, by words; else null.
    """

    number: int
    id: str
    kind: Literal["document", "generated"]
    text: str
    start: int
    end: int
    title: str
    headings: list[str]
    page: int | None
    score: float
    tokens: int
    ranks: list[int]
    cut: bool
    supported_share: float | None


class LeftOutPassage(Shape):
    """A found passage or a generated text that the generator did not receive.

    rank:    rank of the passage, from 1; for a generated text, its place among these texts.
    id:      id of the document; "" for a generated text.
    start:   offset of the passage's first character in the document's text, in code points.
    end:     offset after the passage's last character, in code points.
    reason:  "budget": it did not fit into the tokens. "copy": it is a near-copy of a better
             passage. "per_document": its document already had its maximum number of passages.
             "passages": the maximum number of passages was reached. "empty": it has no text.
    tokens:  number of tokens that the passage would have needed; 0 if they were not counted.
    copy_of: for the reason "copy", the rank of the passage that was preferred; else null.
    kind:    "document": a passage of a stored document. "generated": a text that a model wrote.
    """

    rank: int
    id: str
    start: int
    end: int
    reason: Literal["budget", "copy", "per_document", "passages", "empty"]
    tokens: int
    copy_of: int | None
    kind: Literal["document", "generated"]


class CitedQuote(Shape):
    """The part of a source that supports a statement of an answer.

    number:   number of the source.
    id:       id of the document.
    start:    offset of the quote's first character in the document's text, in code points.
    end:      offset after the quote's last character, in code points.
    text:     the quote: whole sentences of the document.
    support:  share of the statement's content words, weighted by rarity, that occur in the quote,
              from 0 to 1.
    missing:  numbers and names of the statement that do not occur in the quote.
    page:     number of the page on which the source begins, from 1; null without pages.
    headings: titles of the headings above the source, from the highest level down.
    entailment: probability that the quote entails the statement, by an entailment model; null
              without such a model.
    """

    number: int
    id: str
    start: int
    end: int
    text: str
    support: float
    missing: list[str]
    page: int | None
    headings: list[str]
    entailment: float | None


class AnswerCitation(Shape):
    """A statement of an answer and the sources that are cited for it.

    start:     offset of the statement's first character in the answer's `text`, in code points.
    end:       offset after the statement's last character, in code points.
    quotes:    one for each cited source, in the order of the markers.
    supported: true if a quote supports the statement: enough of its content words, and all of its
               numbers and names.
    origin:    "marker": the generator cited the sources. "match": the server did, because a source
               has the words of the statement.
    """

    start: int
    end: int
    quotes: list[CitedQuote]
    supported: bool
    origin: Literal["marker", "match"]


class AnswerReply(Shape):
    """The answer to a question, with citations.

    Offsets count Unicode code points from 0, as Python does. JavaScript and Java count UTF-16
    units, so a character such as an emoji counts twice there.

    request_id: id of the request, which logs contain too.
    took_ms:    time on the server in milliseconds.
    outcome:    "answered" or "no_answer". For "no_answer", `reason` says why.
    text:       the answer; for "no_answer", a sentence that says so.
    citations:  statements of the text with their sources; empty if the answer cites nothing.
    sources:    the texts that the generator read, in their order.
    left_out:   the passages that were found and not sent, by rank; then generated texts that were
                not sent.
    reason:     for "no_answer", why: "no sources"; "insufficient sources" (by a calibrated rule);
                "model" (the model wrote that it has no answer); "no match" (without a model: no
                sentence has a word of the question); "timeout" (no text was written within the
                time limit); or "empty" (the model wrote no text). Else null.
    confidence: probability that the sources contain the answer, by a calibrated rule; null without
                a rule.
    finish:     why the text ended: "stop"; "length": it reached `max_tokens`; "timeout": it reached
                `timeout_ms`.
    query:      the query that was searched. Differs from the question if a follow-up question was
                rewritten, or if `search.parse_filters` read conditions in it; "" if nothing was
                searched.
    generator:  name of the generator.
    invalid_citations: numbers in markers of the generator that no source has, at most 999999999.
                The text does not contain them.
    usage:      calls, tokens and time of language models: rewriter, encoder of the query,
                background and generator.
    timings:    stage -> milliseconds: those of the search, `background`, `context`, `first_token`
                (from the start of the generator to its first text, if it wrote one) and
                `generate`.
    warnings:   warnings in words, such as a source that was cited and not sent.
    stages:     steps of the search that may have changed its query, in order.
    suggestion: the query with misspelled words replaced; null without `search.suggest`, or if no
                word of the query is rare.
    filter:     the filter that was read from the question; null without `search.parse_filters`, or
                if the question contained none.
    predictors: predictor of query performance -> value; null without `search.predictors`.
    """

    request_id: str
    took_ms: float
    outcome: Literal["answered", "no_answer"]
    text: str
    citations: list[AnswerCitation]
    sources: list[AnswerSource]
    left_out: list[LeftOutPassage]
    reason: str | None
    confidence: float | None
    finish: Literal["stop", "length", "timeout"]
    query: str
    generator: str
    invalid_citations: list[int]
    usage: LanguageModelUsage
    timings: dict[str, float]
    warnings: list[str]
    stages: list[StageReport]
    suggestion: str | None
    filter: dict[str, Any] | None
    predictors: dict[str, float] | None
