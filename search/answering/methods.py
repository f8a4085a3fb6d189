"""Answers from a collection: a search, then a generator that reads the passages found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...core import UNGUARDED, Guard, SearchResult
from ...core.answers import Answer, AnswerEvent, DoneEvent
from ...core.closing import close_iterator
from ...generate import AnswerOptions, Generator, Task
from ...llm import Message
from .. import parameters
from ..finding.methods import SearchMethods
from .generators import GeneratorRegistry
from .passages import candidates
from .request import AnswerRequest


class AnswerMethods(SearchMethods):
    """The methods of a collection that answer questions."""

    generators: GeneratorRegistry

    def answer(
        self,
        request: AnswerRequest | Mapping[str, Any] | str,
        *,
        guard: Guard = UNGUARDED,
        **fields: Any,
    ) -> Answer:
        """Answer a question from the documents of the collection, with citations.

        request: an AnswerRequest, a mapping with its fields, or the question.
        fields: other fields of the request, allowed only if `request` is the question: the request
            is then `AnswerRequest(question=request, **fields)`.
        guard: limits of the caller. An exception that its method `check` raises ends the answer.

        Raises InvalidInputError for an invalid request, and ModelError if a model fails.
        """
        for event in self.answer_stream(request, guard=guard, **fields):
            if isinstance(event, DoneEvent):
                return event.answer
        raise AssertionError("the last event is DoneEvent")

    def answer_stream(
        self,
        request: AnswerRequest | Mapping[str, Any] | str,
        *,
        guard: Guard = UNGUARDED,
        **fields: Any,
    ) -> Iterator[AnswerEvent]:
        """Answer a question as `answer` does, and yield events while the answer is written.

        The events are: the sources, pieces of text and citations, the usage, and last DoneEvent
        with the whole answer. Closing the iterator ends the work of the model.

        Raises the errors of `answer`. An invalid request is refused before the first event.
        """
        parameters.guard(guard, "guard")
        request = parameters.answer_request(request, fields)
        generator = self.generators.get(request.generator or self.generators.default)
        return self._answer_events(request, generator, guard)

    def _answer_events(
        self, request: AnswerRequest, generator: Generator, guard: Guard
    ) -> Iterator[AnswerEvent]:
        fused, result = self._found(request.search, guard)
        task = Task(
            question=request.question,
            candidates=candidates(fused, result),
            options=AnswerOptions(
                **{name: getattr(request, name) for name in AnswerOptions.model_fields}
            ),
            turns=[Message(turn.role, turn.content) for turn in request.turns],
            guard=guard,
        )
        events = generator.stream(task, request.limits)
        try:
            for event in events:
                if isinstance(event, DoneEvent):
                    self._count(event.answer.usage)
                    yield DoneEvent(self._whole(request, event.answer, result))
                else:
                    yield event
        finally:
            close_iterator(events)

    def _whole(self, request: AnswerRequest, answer: Answer, result: SearchResult) -> Answer:
        """Return the answer with what the search adds: its query, timings, warnings and result."""
        return replace(
            answer,
            query=request.search.query or "",
            generator=request.generator or self.generators.default,
            timings={**result.timings, **answer.timings},
            warnings=(*result.warnings, *answer.warnings),
            search=result,
        )
