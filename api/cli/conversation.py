"""A conversation about the documents of a collection: a question with the turns before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from ...core import InvalidInputError
from ...core.answers import Answer, AnswerEvent, SourcesEvent
from ...core.closing import close_iterator
from ..answered import TOO_LONG

if TYPE_CHECKING:
    from ...search import AnswerRequest, Collection


class Conversation:
    """Questions to a collection. Each is sent with the earlier questions and answers.

    fields: field of AnswerRequest -> value, for every question.
    turns:  the earlier turns, in order: user, assistant, user, ...
    answer: the last answer; None before the first.
    """

    def __init__(self, collection: Collection, fields: Mapping[str, Any]) -> None:
        self._collection = collection
        self._fields = dict(fields)
        self.turns: list[dict[str, str]] = []
        self.answer: Answer | None = None

    @staticmethod
    def check(fields: Mapping[str, Any]) -> None:
        """Raise InvalidInputError if a field has an invalid value."""
        _request(fields, "?", [])

    def ask(self, question: str) -> Iterator[AnswerEvent]:
        """Return the events of the answer to a question. `add` adds both to the conversation.

        While the turns leave no tokens for sources, the oldest turns are removed from `turns`.

        The search, a rewriter and a background run in this call. The generator calls its model when
        the iterator is used.

        Raises the errors of `Collection.answer_stream`.
        """
        from ...search.stages import MOST_TURNS

        del self.turns[: max(0, len(self.turns) - MOST_TURNS)]
        while True:
            events = self._collection.answer_stream(_request(self._fields, question, self.turns))
            try:
                first = next(events)
            except InvalidInputError as error:
                if error.field not in TOO_LONG or not self.turns:
                    raise
            else:
                if not self.turns or not _crowded(first):
                    return _continued(first, events)
                close_iterator(events)
            del self.turns[:2]

    def add(self, question: str, answer: Answer) -> None:
        """Add a question and its answer to the conversation."""
        self.answer = answer
        self.turns += [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer.text},
        ]

    def clear(self) -> None:
        """Begin a new conversation."""
        self.turns.clear()
        self.answer = None


def _request(
    fields: Mapping[str, Any], question: str, turns: list[dict[str, str]]
) -> AnswerRequest:
    """Return the request for the answer to a question."""
    from ...search import AnswerRequest

    return AnswerRequest.parse({**fields, "question": question, "turns": turns})


def _crowded(event: AnswerEvent) -> bool:
    """Return True if no passage was sent, because none fits into the tokens of the context."""
    return (
        isinstance(event, SourcesEvent)
        and not event.sources
        and any(one.reason == "budget" for one in event.left_out)
    )


def _continued(first: AnswerEvent, rest: Iterator[AnswerEvent]) -> Iterator[AnswerEvent]:
    """Yield an event and those after it. Closing the iterator closes `rest`."""
    try:
        yield from chain((first,), rest)
    finally:
        close_iterator(rest)
