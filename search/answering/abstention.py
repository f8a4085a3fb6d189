"""Applies the calibrated rule of abstention to an answer that is being written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ...core import Usage
from ...core.answers import (
    Answer,
    AnswerEvent,
    DoneEvent,
    Source,
    SourcesEvent,
    TextEvent,
    UsageEvent,
)
from ...core.closing import close_iterator
from ...generate import AbstentionConfig
from ...generate.writing import NO_ANSWER

REASON = "insufficient sources"
"""The `reason` of an answer that the rule refused."""

Predict = Callable[[Sequence[Source]], Mapping[str, float]]
"""Function from the sources of an answer to the values of the predictors."""


def with_abstention(
    events: Iterator[AnswerEvent], rule: AbstentionConfig, predict: Predict, *, abstain: bool
) -> Iterator[AnswerEvent]:
    """Yield the events of an answer, with the rule's confidence in the last event.

    events:  the events of a generator. The generator calls no model before the first event, which
             has the sources.
    rule:    the rule that computes the confidence.
    predict: returns the values of the rule's predictors.
    abstain: True: if the confidence is below the rule's threshold, close `events` after the first
             event, and answer "no_answer".

    If the search lacks a predictor of the rule, the rule has no effect, and a warning says so.
    """
    confidence: float | None = None
    warnings: Sequence[str] = ()
    try:
        for event in events:
            if isinstance(event, SourcesEvent) and event.sources:
                values = predict(event.sources)
                if missing := rule.missing(values):
                    warnings = (_incomplete(missing),)
                else:
                    confidence = rule.confidence(values)
                    if abstain and confidence < rule.threshold:
                        yield event
                        yield from _refusal(event, confidence)
                        return
            if isinstance(event, DoneEvent):
                answer = event.answer
                event = DoneEvent(
                    replace(answer, confidence=confidence, warnings=(*answer.warnings, *warnings))
                )
            yield event
    finally:
        close_iterator(events)


def _refusal(found: SourcesEvent, confidence: float) -> Iterator[AnswerEvent]:
    yield TextEvent(NO_ANSWER)
    yield UsageEvent(Usage())
    yield DoneEvent(
        Answer(
            NO_ANSWER,
            "no_answer",
            reason=REASON,
            confidence=confidence,
            sources=found.sources,
            left_out=found.left_out,
        )
    )


def _incomplete(missing: Sequence[str]) -> str:
    return (
        f"the rule of abstention was not applied, because this search has no {', '.join(missing)}; "
        "search with the legs and the reranker that the rule was fitted with, or fit it again"
    )
