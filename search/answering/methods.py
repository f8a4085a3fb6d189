"""Answers from a collection: a search, then a generator that reads the passages found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...ask import Meter
from ...core import UNGUARDED, Guard, InvalidInputError, SearchResult, Usage
from ...core.answers import Answer, AnswerEvent, DoneEvent, Source, SourcesEvent, UsageEvent
from ...core.closing import close_iterator
from ...generate import (
    AnswerOptions,
    Background,
    BackgroundOptions,
    Candidate,
    Generator,
    GeneratorConfig,
    Task,
)
from ...generate.checking import answer_events
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
from .rewriting import asked, naming_search, with_rewriting
from .writing import NotLoaded, Prepared, load_background, write_background


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
        raise AssertionError("the last event must be a DoneEvent")

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
        config = self.generators.config(name)
        background = None
        if request.background is not None:
            background = load_background(request.background, self.generators.backgrounds)
            if not config.reads_background:
                raise InvalidInputError(
                    f"the generator {name!r} ({config.kind}) does not read generated texts; leave "
                    "`background` out, or use a generator with a language model",
                    field="background",
                )
        generator = self.generators.get(name)
        return self._answer_events(request, generator, config, background, guard)

    def evidence(
        self,
        request: AnswerRequest | Mapping[str, Any] | str,
        *,
        guard: Guard = UNGUARDED,
        **fields: Any,
    ) -> Evidence:
        """Return the sources that `answer` would send to the generator, without writing an answer.

        request, fields, guard: arguments of `answer`.

        Encoders, rerankers and rewriters are called as for `answer`. Raises the errors of `answer`,
        and InvalidInputError for a request with `background`, because a model would write it.
        """
        parameters.guard(guard, "guard")
        request = parameters.answer_request(request, fields)
        name = request.generator or self.generators.default
        if request.background is not None:
            raise InvalidInputError(
                "evidence calls no model that writes a background; leave `background` out",
                field="background",
            )
        generator, config = self.generators.get(name), self.generators.config(name)
        fused, result = self._searched(request, guard)
        passages = candidates(fused, result)
        question = asked(request, fused)
        task = _task(request, question, passages, (), guard)
        events = answer_events(generator, task, request.limits, f"generator {name!r}")
        first = next(events)
        close_iterator(events)
        assert isinstance(first, SourcesEvent), "the first event is SourcesEvent"
        terms = content_words(config.language)
        values = predictors(question, fused, result, first.sources, terms)
        return Evidence(first.sources, first.left_out, values, result)

    def _answer_events(
        self,
        request: AnswerRequest,
        generator: Generator,
        config: GeneratorConfig,
        loaded: Background | NotLoaded | None,
        guard: Guard,
    ) -> Iterator[AnswerEvent]:
        outer, guard, background = guard, self._counting(guard), request.background
        fused: FusedResults | None = None
        result: SearchResult | None = None
        passages: list[Candidate] = []
        if background is None or not background.only:
            fused, result = self._searched(request, guard)
            passages = candidates(fused, result)
        question = asked(request, fused)
        spent = Usage() if result is None else result.usage or Usage()
        unreported = spent
        try:
            before = Prepared(Meter(request.limits, usage=spent).left())
            if background is not None and loaded is not None and (passages or background.only):
                before = write_background(background, question, loaded, before.limits, guard)
                self._count(before.usage)
            before = replace(before, usage=spent + before.usage)
            unreported = before.usage
            task = _task(request, question, passages, before.texts, guard)
            part = f"generator {request.generator or self.generators.default!r}"
            events = answer_events(generator, task, before.limits, part)
            if config.abstention is not None:

                def predict(sources: Sequence[Source]) -> Mapping[str, float]:
                    if fused is None or result is None:
                        return {}
                    terms = content_words(config.language)
                    return predictors(question, fused, result, sources, terms)

                events = with_abstention(
                    events, config.abstention, predict, abstain=request.abstain
                )
            try:
                for event in events:
                    if isinstance(event, UsageEvent):
                        self._count(event.usage)  # That of the search is counted already.
                        unreported += event.usage
                        yield UsageEvent(before.usage + event.usage)
                    elif isinstance(event, DoneEvent):
                        unreported = Usage()
                        yield DoneEvent(self._whole(request, event.answer, before, fused, result))
                    else:
                        yield event
            finally:
                close_iterator(events)
        finally:
            outer.spent(unreported)

    def _counting(self, guard: Guard) -> Guard:
        """Return a guard that also counts the usage of an answer that is not completed."""

        def spent(usage: Usage) -> None:
            self._count(usage)
            guard.spent(usage)

        return replace(guard, spent=spent)

    def _searched(self, request: AnswerRequest, guard: Guard) -> tuple[FusedResults, SearchResult]:
        """Run the search of an answer. An error names the field of the request for the answer."""
        search = with_rewriting(request, self.rewriters)
        with naming_search(request):
            return self._found(search, guard)

    def _whole(
        self,
        request: AnswerRequest,
        answer: Answer,
        before: Prepared,
        fused: FusedResults | None,
        result: SearchResult | None,
    ) -> Answer:
        """Return the answer with the query, usage, timings and warnings of background and search.

        before: what was done before the generator started.
        result: result of the search; None if nothing was searched.
        """
        searched = {} if result is None else result.timings
        found = () if result is None else result.warnings
        query = None if fused is None else fused.encoded.plan.request.query
        return replace(
            answer,
            query=query or "",
            stages=() if result is None else result.stages,
            suggestion=None if result is None else result.suggestion,
            filter=None if result is None else result.filter,
            predictors=None if result is None else result.predictors,
            generator=request.generator or self.generators.default,
            usage=before.usage + answer.usage,
            timings={**searched, **before.timings, **answer.timings},
            warnings=(*found, *before.warnings, *answer.warnings),
            search=result,
        )


def _task(
    request: AnswerRequest,
    question: str,
    passages: Sequence[Candidate],
    texts: Sequence[str],
    guard: Guard,
) -> Task:
    """Return the task of the generator.

    question: the question that the generator receives; see `asked`.
    texts:    generated texts.
    """
    return Task(
        question=question,
        candidates=passages,
        options=AnswerOptions(
            **{name: getattr(request, name) for name in AnswerOptions.model_fields}
        ),
        turns=[Message(turn.role, turn.content) for turn in request.turns],
        background=texts,
        combined=request.background or BackgroundOptions(),
        guard=guard,
    )
