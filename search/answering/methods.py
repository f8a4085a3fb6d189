"""Answers from a collection: a search, then a generator that reads the passages found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...core import UNGUARDED, Guard, SearchResult
from ...core.answers import Answer, AnswerEvent, DoneEvent, Source, SourcesEvent
from ...core.closing import close_iterator
from ...generate import AnswerOptions, Generator, GeneratorConfig, Task
from ...llm import Message
from .. import parameters
from ..finding.methods import SearchMethods
from ..finding.results import FusedResults
from .abstention import with_abstention
from .evidence import Evidence, content_words
from .generators import GeneratorRegistry
from .passages import candidates
from .predictors import predictors
from .request import AnswerRequest
from .rewriting import with_rewriting


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
        name = request.generator or self.generators.default
        generator = self.generators.get(name)
        return self._answer_events(request, generator, self.generators.config(name), guard)

    def evidence(
        self,
        request: AnswerRequest | Mapping[str, Any] | str,
        *,
        guard: Guard = UNGUARDED,
        **fields: Any,
    ) -> Evidence:
        """Return the sources that `answer` would send to the generator, without calling a model.

        request, fields, guard: those of `answer`.

        Raises the errors of `answer`. Models that encode queries are called, and rerankers.
        """
        parameters.guard(guard, "guard")
        request = parameters.answer_request(request, fields)
        name = request.generator or self.generators.default
        generator, config = self.generators.get(name), self.generators.config(name)
        fused, result = self._found(with_rewriting(request, self.rewriters), guard)
        events = generator.stream(_task(request, fused, result, guard), request.limits)
        first = next(events)
        close = getattr(events, "close", None)
        if close is not None:
            close()
        assert isinstance(first, SourcesEvent), "the first event is SourcesEvent"
        values = predictors(
            request.question, fused, result, first.sources, content_words(config.language)
        )
        return Evidence(first.sources, first.left_out, values, result)

    def _answer_events(
        self, request: AnswerRequest, generator: Generator, config: GeneratorConfig, guard: Guard
    ) -> Iterator[AnswerEvent]:
        fused, result = self._found(with_rewriting(request, self.rewriters), guard)
        events = generator.stream(_task(request, fused, result, guard), request.limits)
        if config.abstention is not None:

            def predict(sources: Sequence[Source]) -> Mapping[str, float]:
                return predictors(
                    request.question, fused, result, sources, content_words(config.language)
                )

            events = with_abstention(events, config.abstention, predict, abstain=request.abstain)
        try:
            for event in events:
                if isinstance(event, DoneEvent):
                    self._count(event.answer.usage)
                    yield DoneEvent(self._whole(request, event.answer, fused, result))
                else:
                    yield event
        finally:
            close_iterator(events)

    def _whole(
        self, request: AnswerRequest, answer: Answer, fused: FusedResults, result: SearchResult
    ) -> Answer:
        """Return the answer with what the search adds: its query, timings, warnings and result."""
        return replace(
            answer,
            query=fused.encoded.rewritten.standalone or request.search.query or "",
            stages=result.stages,
            generator=request.generator or self.generators.default,
            timings={**result.timings, **answer.timings},
            warnings=(*result.warnings, *answer.warnings),
            search=result,
        )


def _task(request: AnswerRequest, fused: FusedResults, result: SearchResult, guard: Guard) -> Task:
    """Return the task of the generator."""
    return Task(
        question=request.question,
        candidates=candidates(fused, result),
        options=AnswerOptions(
            **{name: getattr(request, name) for name in AnswerOptions.model_fields}
        ),
        turns=[Message(turn.role, turn.content) for turn in request.turns],
        guard=guard,
    )
