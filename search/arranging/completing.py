"""Completes the last word of a text, and titles, from the documents of a collection."""

from __future__ import annotations

from heapq import nsmallest
from typing import Annotated, Any, cast

from pydantic import Field, field_validator

from ...core import UNGUARDED, Config, Guard, Trace
from ...core.bounds import Bounds, Milliseconds
from ...core.filters import parse_filter
from ...core.filters.help import FILTER_HELP
from ...core.results import Completions, TitleCompletion, WordCompletion
from ...index import Store, VocabularyView, require
from ...index.inverted.words import last_word

FEWEST = 3
"""Minimum number of characters of the beginning of a word that may have a typo."""


class CompleteRequest(Config):
    """A request to complete a text.

    text:   the text that a user has typed so far.
    limit:  maximum number of completions of the last word. 0 = none.
    titles: maximum number of documents whose titles complete the text. 0 = none.
    typos:  1 = the beginning of the last word may have one typo after its first character, if it
            has three characters or more. Words without a typo come first.
    filter: a condition on metadata that the counted documents must meet.
    timeout_ms: wall-clock time limit in milliseconds. None = no limit of the request.
    """

    text: str = Field(max_length=1_000)
    limit: Annotated[int, Bounds(0, 100)] = 10
    titles: Annotated[int, Bounds(0, 100)] = 5
    typos: Annotated[int, Bounds(0, 1)] = 0
    filter: dict[str, Any] | None = Field(default=None, description=FILTER_HELP)
    timeout_ms: Milliseconds | None = None

    @field_validator("text")
    @classmethod
    def _is_unicode(cls, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(
                "contains an unpaired surrogate, which is not valid Unicode; remove it"
            ) from None
        return text


def complete(store: Store, request: CompleteRequest, guard: Guard = UNGUARDED) -> Completions:
    """Complete a text from the documents of a store; see `Collection.complete`."""
    require(store, "vocabulary")
    where = parse_filter(request.filter)
    prefix, start = last_word(request.text)
    begun = request.text.lstrip()
    trace = Trace(guard.within(request.timeout_ms))
    words: list[WordCompletion] = []
    titles: list[TitleCompletion] = []
    with trace.stage("complete"), store.view() as opened:
        view = cast(VocabularyView, opened)
        if prefix and request.limit:
            before = request.text[:start]
            typos = request.typos if len(prefix) >= FEWEST else 0
            found = view.completions(before, prefix, where, typos)
            words = [
                WordCompletion(before + word, word, documents, wrong)
                for word, (wrong, documents) in nsmallest(
                    request.limit, found.items(), key=lambda one: (one[1][0], -one[1][1], one[0])
                )
            ]
        if begun and request.titles:
            handles = view.titles(begun.lower(), where, request.titles)
            stored = view.documents(handles)
            titles = [TitleCompletion(stored[n].id, stored[n].title) for n in handles]
    return Completions(words, titles)
