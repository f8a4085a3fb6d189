"""Shapes that OpenAI's endpoints share: errors, usage, annotations and search results."""

from __future__ import annotations

from typing import Any, Literal

from .....core import Usage
from .....core.answers import Answer
from ...shapes.shape import Shape
from ..answers import Links


class TokenDetails(Shape):
    """Details of the tokens of a prompt.

    cached_tokens: number of tokens whose keys and values were reused.
    """

    cached_tokens: int


class ChatUsage(Shape):
    """Tokens that language models read and wrote for an answer: rewriter, background, generator.

    prompt_tokens:     number of tokens that they read; 0 without a language model.
    completion_tokens: number of tokens that they wrote.
    total_tokens:      sum of both.
    prompt_tokens_details: details of the tokens that they read.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: TokenDetails


class UrlCitation(Shape):
    """A cited source.

    start_index: offset of the statement's first character in the answer, in code points.
    end_index:   offset after the statement's last character, in code points.
    title:       title of the document; its id if it has no title.
    url:         first web address in the metadata of the document, or its page on this server.
    """

    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(Shape):
    """A citation: a statement of the answer and one of its sources.

    type:         always "url_citation".
    url_citation: the statement and the source.
    supported:    true if the source supports the statement, by words.
    """

    type: Literal["url_citation"]
    url_citation: UrlCitation
    supported: bool


class FoundSource(Shape):
    """A source that the generator read.

    title:   title of the document; its id if it has no title.
    url:     first web address in the metadata of the document, or its page on this server.
    date:    always null.
    snippet: the text that was sent.
    id:      id of the document.
    number:  number of the source in markers such as [1].
    start:   offset of the text's first character in the document's text, in code points.
    end:     offset after the text's last character, in code points.
    page:    number of the page on which the text begins, from 1; null without pages.
    headings: titles of the headings above the text, from the highest level down.
    score:   score of the document in the search.
    """

    title: str
    url: str
    date: str | None
    snippet: str
    id: str
    number: int
    start: int
    end: int
    page: int | None
    headings: list[str]
    score: float


def chat_usage(usage: Usage) -> dict[str, Any]:
    """Return usage as a JSON object of `ChatUsage`."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def url_annotations(answer: Answer, links: Links) -> list[dict[str, Any]]:
    """Return an annotation for each statement and each of its sources, in the order of the text."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": citation.start,
                "end_index": citation.end,
                "title": links.title(quote.number),
                "url": links.url(quote.number),
            },
            "supported": citation.supported,
        }
        for citation in answer.citations
        for quote in citation.quotes
    ]
