"""The shapes of the results of tools. `schemas.py` makes JSON Schemas of them."""

from __future__ import annotations

from typing import Any, Literal

# pydantic requires this version of TypedDict before Python 3.12.
from typing_extensions import NotRequired, TypedDict  # noqa: UP035


class CollectionEntry(TypedDict):
    """A collection of the server.

    name:      name of the collection.
    status:    "ready", or why it cannot be searched: "loading", "building", "damaged", "unreadable"
               or "unavailable".
    documents: number of documents; null unless the collection is ready.
    problem:   details of the reason; null if the collection is ready.
    """

    name: str
    status: str
    documents: int | None
    problem: str | None


class CollectionsResult(TypedDict):
    """The collections that the tools can read.

    collections: the collections, by name.
    """

    collections: list[CollectionEntry]


class FoundDocument(TypedDict):
    """A document that a search found.

    id:       id of the document, for `fetch`: COLLECTION/ID.
    title:    title of the document; its own id if it has no title.
    url:      address of the document: the first web address in its metadata, else its page on the
              server.
    text:     the passage that matches best.
    start:    position of the first character of `text` in the document's text, in code points.
    end:      position after the last character of `text` in the document's text, in code points.
    cut:      true if the passage is longer than `text`. `fetch` returns the rest.
    score:    score of the document in the search; higher is better.
    metadata: metadata of the document.
    """

    id: str
    title: str
    url: str
    text: str
    start: int
    end: int
    cut: NotRequired[bool]
    score: float
    metadata: dict[str, Any]


class Total(TypedDict):
    """The number of documents that a search found.

    value:    the number.
    relation: "eq": the number is exact. "gte": there may be more.
    """

    value: int
    relation: Literal["eq", "gte"]


class Understood(TypedDict):
    """What a search read from its text.

    suggestion: the text with misspelled words replaced by words of the collection; null if there
                is nothing to replace.
    filter:     the filter that `parse_filters` read from the text; null if there is none.
    """

    suggestion: str | None
    filter: dict[str, Any] | None


class SearchResults(Understood):
    """The result of a search.

    results:    the documents, best first. Empty if none was found.
    collection: name of the collection that was searched.
    total:      number of documents that were found.
    suggestion: the query with misspelled words replaced by words of the collection; null if there
                is nothing to replace.
    filter:     the filter that `parse_filters` read from the query; null if there is none.
    warnings:   warnings in words, such as a field of the filter that no document has.
    """

    results: list[FoundDocument]
    collection: str
    total: Total
    warnings: list[str]


class FetchedDocument(TypedDict):
    """A document, or the part of its text from `start` to `end`.

    id:         id of the document: COLLECTION/ID.
    title:      title of the document; its own id if it has no title.
    text:       the text.
    url:        address of the document: the first web address in its metadata, else its page on the
                server.
    metadata:   metadata of the document.
    start:      position of the first character of `text` in the document's text, in code points.
    end:        position after the last character of `text` in the document's text.
    characters: number of characters of the document's whole text.
    """

    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, Any]
    start: int
    end: int
    characters: int


class QuoteOfAnswer(TypedDict):
    """The part of a source that supports a statement of an answer.

    number: number of the source.
    id:     id of the document, for `fetch`: COLLECTION/ID.
    text:   whole sentences of the document.
    start:  position of the first character of the quote in the document's text, in code points.
    end:    position after the last character of the quote in the document's text.
    """

    number: int
    id: str
    text: str
    start: int
    end: int


class CitationOfAnswer(TypedDict):
    """A statement of an answer and the quotes that are cited for it.

    start:     position of the first character of the statement in `text` of the answer, in code
               points.
    end:       position after the last character of the statement.
    supported: true if a quote supports the statement, by comparison of words.
    quotes:    one quote for each cited source.
    """

    start: int
    end: int
    supported: bool
    quotes: list[QuoteOfAnswer]


class SourceOfAnswer(TypedDict):
    """A text that the answer is based on.

    number: number of the source in markers such as [1], from 1; 0 for a generated text.
    kind:   "document": a passage of a document. "generated": a text that a model wrote before the
            answer, which is never cited.
    id:     id of the document, for `fetch`: COLLECTION/ID; "" for a generated text.
    title:  title of the document; its own id if it has no title; "" for a generated text.
    url:    address of the document's page on the server; "" for a generated text.
    text:   the text.
    start:  position of the first character of `text` in the document's text, in code points.
    end:    position after the last character of `text` in the document's text.
    score:  score of the document in the search.
    """

    number: int
    kind: Literal["document", "generated"]
    id: str
    title: str
    url: str
    text: str
    start: int
    end: int
    score: float


class UsageOfAnswer(TypedDict):
    """The calls, tokens and time of language models for an answer.

    calls:             number of prompts that the models read; 0 without a language model.
    prompt_tokens:     number of tokens in these prompts.
    cached_tokens:     number of prompt tokens whose keys and values were reused.
    completion_tokens: number of tokens that the models generated.
    cache_hits:        number of texts whose result came from the cache, without a call.
    seconds:           time spent in language models, in seconds.
    """

    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cache_hits: int
    seconds: float


class AnswerResult(Understood):
    """The answer to a question, with citations.

    outcome:    "answered", or "no_answer" if the documents do not contain an answer.
    text:       the answer, with markers such as [1] that name sources; for "no_answer", a sentence
                that says so.
    reason:     for "no_answer", why there is none; else null.
    citations:  statements of the text and the quotes that support them. Empty if nothing is cited.
    sources:    the texts that the answer is based on, by number.
    finish:     why the text ended: "stop"; "length": it reached the maximum length; "timeout": it
                reached a time limit.
    generator:  name of the generator that wrote the answer.
    collection: name of the collection that was searched.
    suggestion: the searched text with misspelled words replaced by words of the collection; null
                if there is nothing to replace.
    filter:     the filter that `parse_filters` read from the question; null if there is none.
    usage:      calls, tokens and time of language models.
    warnings:   warnings in words.
    """

    outcome: Literal["answered", "no_answer"]
    text: str
    reason: str | None
    citations: list[CitationOfAnswer]
    sources: list[SourceOfAnswer]
    finish: Literal["stop", "length", "timeout"]
    generator: str
    collection: str
    usage: UsageOfAnswer
    warnings: list[str]
