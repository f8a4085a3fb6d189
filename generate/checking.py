"""Calls generators, backgrounds and rewriters, and checks what they return.

Other packages may have written them. A part that raises an unknown exception or breaks its protocol
raises ModelError, which names the part. In all functions, `part` is its name, such as
"generator 'mine'".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

from ..ask import Limits
from ..ask.faults import faults_named
from ..core import Guard, ModelError, Status, Usage
from ..core.answers import (
    Answer,
    AnswerEvent,
    Citation,
    CitationEvent,
    DoneEvent,
    Finish,
    Outcome,
    Source,
    SourcesEvent,
    TextEvent,
    UsageEvent,
)
from ..core.closing import close_iterator
from ..core.errors import shown
from .background.protocol import Background, WrittenBackground
from .protocol import Generator, Task
from .rewriting.protocol import Question, Rewriter, Rewrites, RewrittenText


def answer_events(
    generator: Generator, task: Task, limits: Limits, part: str
) -> Iterator[AnswerEvent]:
    """Yield the events of an answer, as `Generator.stream` does.

    Raises the errors of `Generator.stream`.
    """
    with faults_named(part, task.guard):
        events: Any = generator.stream(task, limits)
        if not isinstance(events, Iterable):
            raise ModelError(f"{part} returned {type(events).__name__} in place of events")
        event: Any = None
        try:
            for number, event in enumerate(events):
                if fault := _fault(event, first=number == 0):
                    raise ModelError(f"{part} {fault}")
                yield event
                if isinstance(event, DoneEvent):
                    return
        finally:
            close_iterator(events)  # type: ignore[arg-type]
    raise ModelError(f"{part} ended without the event `done`, which has the whole answer")


def _fault(event: Any, *, first: bool) -> str | None:
    """Return what is wrong with an event of a generator; None if nothing is."""
    if first != isinstance(event, SourcesEvent):
        wanted = "sources" if first else "token, citation, usage or done"
        return f"must yield the event {wanted} here, got {type(event).__name__}"
    if isinstance(event, SourcesEvent):
        return _wrong(event.sources, Source, "source")
    if isinstance(event, TextEvent):
        return None if isinstance(event.text, str) else f"wrote {shown(event.text)}, not a text"
    if isinstance(event, CitationEvent):
        return _wrong([event.citation], Citation, "citation")
    if isinstance(event, UsageEvent):
        return _wrong([event.usage], Usage, "usage")
    if isinstance(event, DoneEvent):
        return _answer_fault(event.answer)
    return f"must yield events, got {type(event).__name__}"


def _answer_fault(answer: Any) -> str | None:
    """Return what is wrong with an answer of a generator; None if nothing is."""
    if not isinstance(answer, Answer):
        return f"returned {type(answer).__name__} in place of an Answer"
    for field, kind in (("outcome", Outcome), ("finish", Finish)):
        if getattr(answer, field) not in get_args(kind):
            return f"returned an answer whose {field} is {shown(getattr(answer, field))}"
    return (
        _wrong([answer.text], str, "text")
        or _wrong(answer.sources, Source, "source")
        or _wrong(answer.citations, Citation, "citation")
        or _wrong([answer.usage], Usage, "usage")
    )


def write_background(
    background: Background, question: str, limits: Limits, guard: Guard, part: str
) -> WrittenBackground:
    """Return texts about a question, as `Background.write` does. Raises its errors."""
    with faults_named(part, guard):
        written: Any = background.write(question, limits, guard)
    if not isinstance(written, WrittenBackground):
        raise ModelError(f"{part} returned {type(written).__name__} in place of WrittenBackground")
    if fault := (_wrong(written.texts, str, "text") or _wrong([written.usage], Usage, "usage")):
        raise ModelError(f"{part} {fault}")
    return written


def rewrites(
    rewriter: Rewriter, questions: Sequence[Question], limits: Limits, guard: Guard, part: str
) -> list[Rewrites]:
    """Return the texts for each question, as `Rewriter.rewrite` does. Raises its errors."""
    with faults_named(part, guard):
        found: Any = rewriter.rewrite(questions, limits, guard)
    if fault := _wrong(found, Rewrites, "result"):
        raise ModelError(f"{part} {fault}")
    if len(found) != len(questions):
        raise ModelError(f"{part} returned {len(found)} results for {len(questions)} questions")
    for one in found:
        fault = _wrong(one.texts, RewrittenText, "text") or _wrong([one.usage], Usage, "usage")
        for text in () if fault else one.texts:
            if not isinstance(text.text, str) or not text.text.strip():
                fault = f"returned the text {shown(text.text)}"
        if one.status not in get_args(Status):
            fault = f"returned the status {shown(one.status)}"
        if fault:
            raise ModelError(f"{part} {fault}")
    return list(found)


def _wrong(values: Any, kind: type[Any], noun: str) -> str | None:
    """Return what is wrong with a list of values of one type; None if nothing is."""
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        return f"returned {type(values).__name__} in place of a list of {noun}s"
    for one in values:
        if not isinstance(one, kind):
            return f"returned the {noun} {shown(one)}, which must be of the type {kind.__name__}"
    return None
