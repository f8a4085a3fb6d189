"""Answers from a writer: a part that turns a question and numbered sources into text.

`WritingGenerator` does everything else: it builds the context within the budget, reads the markers
of the text, finds quotes, recognises a refusal, and keeps the time limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Protocol

from ..ask import Limits, Meter
from ..core import InvalidInputError, ModelError, Usage
from ..core.answers import (
    Answer,
    AnswerEvent,
    DoneEvent,
    Finish,
    Source,
    SourcesEvent,
    TextEvent,
    UsageEvent,
)
from ..core.trace.spans import record
from ..llm import Chunk
from .ahead import Ahead
from .citing.claims import supported_share
from .citing.entailing import Entails
from .citing.statements import Statements
from .citing.support import Support, Terms
from .context import Context, build_context
from .context.background import combined, fit_background
from .context.building import FIELD
from .context.sizes import Sizes
from .protocol import AnswerOptions, Task
from .refusals import may_refuse, refuses

REFUSAL = "No answer."
"""The text that a writer must write if the sources do not contain the answer."""

NO_ANSWER = "The sources do not answer this question."
"""The text of an answer with the outcome "no_answer"."""

TIMED_OUT = "The time limit was reached before an answer was written."
"""The text of an answer for which no text was written within the time limit."""

EMPTY = "The model wrote no answer."
"""The text of an answer for which the model wrote no text."""

_ADDRESS = re.compile(r"\b(?:https?|ftp)://[^\s<>()\[\]{}\"']*[^\s<>()\[\]{}\"'.,;:!?]")
"""An address in a text. Text after an instruction in a source may make a reader send data there."""


class Writer(Protocol):
    """Writes the text of an answer. Thread-safe."""

    @property
    def kind(self) -> str:
        """Return the `kind` of the generator's configuration."""

    @property
    def limit(self) -> int | None:
        """Maximum number of tokens of a prompt and its answer together; None: unlimited."""

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""

    def frame(self, task: Task) -> int:
        """Return the number of tokens of a prompt without sources: instructions and question."""

    def render(self, source: Source) -> str:
        """Return a source as the prompt contains it, with its number and title."""

    def write(self, task: Task, sources: Sequence[Source], max_tokens: int) -> Iterator[Chunk]:
        """Yield the text of an answer in pieces. Markers such as [1] name the sources.

        Closing the iterator ends the work of the model. The last piece has `finish` and `usage`.
        """


class WritingGenerator:
    """A generator that answers with the text of a writer. See `Generator`.

    terms:   returns the content words of a text, for the support of citations.
    entails: an entailment model for citations; None: none is used.
    names:   whether a word with a capital letter inside a sentence is a name. See `Support`.
    """

    def __init__(
        self,
        writer: Writer,
        terms: Terms,
        entails: Entails | None = None,
        *,
        names: bool = True,
    ) -> None:
        self._names = names
        self._writer = writer
        self._size = Sizes(writer.count, writer.render)
        self._terms = terms
        self._entails = entails
        self.kind = writer.kind

    def answer(self, tasks: Sequence[Task], limits: Limits | None = None) -> list[Answer]:
        """See `Generator.answer`."""
        began = perf_counter()
        return [self._whole(task, Meter(limits or Limits(), began)) for task in tasks]

    def stream(self, task: Task, limits: Limits | None = None) -> Iterator[AnswerEvent]:
        """See `Generator.stream`."""
        return self._events(task, Meter(limits or Limits()))

    def _whole(self, task: Task, meter: Meter[Limits]) -> Answer:
        for event in self._events(task, meter):
            if isinstance(event, DoneEvent):
                return event.answer
        raise AssertionError("the last event must be a DoneEvent")

    def _events(self, task: Task, meter: Meter[Limits]) -> Iterator[AnswerEvent]:
        began = perf_counter()
        context, max_tokens = self._context(task, meter)
        support = Support(
            context.sources,
            self._terms,
            self._entails,
            names=self._names,
            places=context.places,
        )
        context = _verified(context, task, support)
        timings = {"context": _since(began)}
        record("context", timings["context"] / 1e3)
        yield SourcesEvent(context.sources, context.left_out)
        documents = [one for one in context.sources if one.kind == "document"]
        if not context.sources or (task.candidates and not documents):
            answer = Answer(NO_ANSWER, "no_answer", reason="no sources", generator=self.kind)
            yield TextEvent(NO_ANSWER)
            yield from _last(answer, context, timings)
            return
        statements = Statements(len(documents), support, task.options.citations)
        began = perf_counter()
        run = _Run(statements, began)
        try:
            chunks = self._writer.write(task, context.sources, max_tokens)
            with Ahead(chunks) as ahead:
                while (chunk := ahead.next(meter.deadline, task.guard)) is not None:
                    yield from run.read(chunk)
                if ahead.overdue and not run.ended:
                    run.stop(self._spent(task, context, run, began))
            yield from run.end()
        except BaseException as error:
            if (
                not isinstance(error, ModelError) or run.raw
            ):  # Else the model may have read nothing.
                task.guard.spent(run.usage if run.ended else self._spent(task, context, run, began))
            raise
        if run.first_token is not None:
            timings["first_token"] = run.first_token
        timings["generate"] = _since(began)
        counts = {"twindex.completion_tokens": run.usage.completion_tokens}
        record("generate", timings["generate"] / 1e3, {"twindex.part": self.kind, **counts})
        reason = run.reason
        if reason == "model" and not self._writer.frame(task):  # A writer without a model.
            reason = "no match"
        refused = reason is not None
        answer = Answer(
            text=run.no_answer if refused else statements.text,
            outcome="no_answer" if refused else "answered",
            citations=() if refused else tuple(statements.citations),
            invalid_citations=() if refused else tuple(statements.invalid),
            reason=reason,
            finish=run.finish,
            usage=run.usage,
            generator=self.kind,
            warnings=tuple(_warnings(statements, support, run, () if refused else context.sources)),
        )
        yield from _last(answer, context, timings)

    def _spent(self, task: Task, context: Context, run: _Run, began: float) -> Usage:
        """Return the estimated usage of a model whose text was not read to its end."""
        frame = self._writer.frame(task)
        if not frame:  # A writer without a prompt has no model.
            return Usage()
        return Usage(
            calls=1,
            prompt_tokens=frame + context.tokens,
            completion_tokens=self._writer.count(run.raw),
            seconds=perf_counter() - began,
        )

    def _context(self, task: Task, meter: Meter[Limits]) -> tuple[Context, int]:
        """Return the context of a task, and the maximum number of tokens of its answer.

        Generated texts get their share of the budget first, and passages get the rest.
        """
        options, frame = task.options, self._writer.frame(task)
        budget = options.context.tokens
        limits = [self._writer.limit, meter.budget.tokens if frame else None]
        most = [limit for limit in limits if limit is not None]
        if most:
            budget = min(budget, min(most) - options.max_tokens)
        if (task.candidates or task.background) and budget <= frame:
            raise _too_few(budget, frame, options, meter.budget.tokens, self._writer.limit)
        left = budget - frame
        share = int(left * task.combined.share) if task.candidates else left
        generated, left_out = fit_background(task.background, share, self._size)
        left -= sum(one.tokens for one in generated)
        context = build_context(task.candidates, options.context, left, self._size)
        if task.background:
            context = replace(
                context,
                sources=combined(generated, context.sources, task.combined.combine),
                left_out=[*context.left_out, *left_out],
                tokens=context.tokens + sum(one.tokens for one in generated),
            )
        return context, options.max_tokens


class _Run:
    """Reads the chunks of one answer. Text is held back while it may still be a refusal."""

    def __init__(self, statements: Statements, began: float) -> None:
        self.finish: Finish = "stop"
        self.ended = False
        """True after the last chunk."""
        self.raw = ""
        """What the writer wrote."""
        self.usage = Usage()
        self.first_token: float | None = None
        self.refused = False
        self._statements = statements
        self._began = began
        self._held: str | None = ""

    @property
    def reason(self) -> str | None:
        """Return why there is no answer, as `Answer.reason`; None if there is one."""
        if self.refused:
            return "model"
        if self._statements.text:
            return None
        return "timeout" if self.finish == "timeout" else "empty"

    @property
    def no_answer(self) -> str:
        """Return the text of an answer for `reason`."""
        return {"timeout": TIMED_OUT, "empty": EMPTY}.get(self.reason or "", NO_ANSWER)

    def read(self, chunk: Chunk) -> Iterator[AnswerEvent]:
        if chunk.text and self.first_token is None:
            self.first_token = _since(self._began)
        if chunk.usage is not None:
            self.usage += chunk.usage
        self.raw += chunk.text
        if chunk.finish is not None:
            self.finish, self.ended = chunk.finish, True
        if self._held is None:
            yield from self._statements.feed(chunk.text)
            return
        self._held += chunk.text
        if not may_refuse(self._held):
            held, self._held = self._held, None
            yield from self._statements.feed(held)

    def stop(self, usage: Usage) -> None:
        """End the answer at the time limit, without the last chunk of the writer."""
        self.finish, self.usage = "timeout", usage

    def end(self) -> Iterator[AnswerEvent]:
        held, self._held = self._held, None
        if held and refuses(held) and not self._statements.cites(held):
            self.refused = True
            yield TextEvent(NO_ANSWER)
            return
        if held:
            yield from self._statements.feed(held)
        yield from self._statements.close()
        if not self._statements.text:
            yield TextEvent(self.no_answer)


def _verified(context: Context, task: Task, support: Support) -> Context:
    """Return the context with the supported share of its generated texts."""
    least = task.options.citations.min_support
    return replace(
        context,
        sources=[
            replace(one, supported_share=supported_share(one.text, support, least))
            if one.kind == "generated"
            else one
            for one in context.sources
        ],
    )


def _too_few(
    budget: int, frame: int, options: AnswerOptions, tokens: int | None, limit: int | None
) -> InvalidInputError:
    """Return the error of a prompt without space for sources.

    The field of the error is the one whose limit is too small.

    budget: maximum number of tokens of the prompt.
    frame:  number of tokens of the prompt without sources.
    tokens: the request's limit of all tokens; None: no limit.
    limit:  maximum number of tokens of prompt and answer that the model supports; None: no limit.
    """
    said = (
        f"the prompt may have {max(0, budget)} tokens, but question and instructions need {frame}"
    )
    if budget == options.context.tokens:
        return InvalidInputError(f"{said}; use a larger value", field=FIELD)
    if tokens is not None and tokens - options.max_tokens == budget:
        rest = f"; use more than {frame + options.max_tokens}, or fewer `max_tokens`"
        return InvalidInputError(said + rest, field="tokens")
    rest = f", and the model reads and writes at most {limit}; use fewer `max_tokens`"
    return InvalidInputError(said + rest, field="max_tokens")


def _last(answer: Answer, context: Context, timings: dict[str, float]) -> Iterator[AnswerEvent]:
    """Add the context and the timings to an answer, and yield its last two events."""
    whole = replace(
        answer, sources=context.sources, left_out=context.left_out, timings=dict(timings)
    )
    yield UsageEvent(whole.usage)
    yield DoneEvent(whole)


def _warnings(
    statements: Statements, support: Support, run: _Run, sources: Sequence[Source]
) -> Iterator[str]:
    known = {
        address
        for one in sources
        if one.kind == "document"
        for address in _ADDRESS.findall(one.text)
    }
    unknown = [one for one in dict.fromkeys(_ADDRESS.findall(statements.text)) if one not in known]
    if sources and unknown:
        yield (
            f"no source has these addresses of the answer: {', '.join(unknown[:5])}; "
            "do not load or open them unseen"
        )
    if sources and all(one.kind == "generated" for one in sources):
        yield (
            "the answer rests on texts that a model generated; no passage of the collection "
            "supports it"
        )
    if statements.invalid:
        numbers = ", ".join(map(str, statements.invalid))
        yield f"the generator cited sources that were not sent ({numbers}); these were removed"
    if statements.dropped:
        yield f"{statements.dropped} citations do not support their statements; these were removed"
    if support.truncated:
        yield (
            f"{support.truncated} quotes or statements are longer than the entailment model reads; "
            "their entailment is that of their start"
        )
    if run.finish == "timeout":
        yield "the time limit was reached, so the answer may be incomplete"
    elif run.finish == "length":
        yield "the answer reached max_tokens, so it may be incomplete"


def _since(began: float) -> float:
    return (perf_counter() - began) * 1e3
