"""The protocol of generators: a generator receives a question with passages, and writes an answer.

generator.answer([Task(question, candidates)])      # whole answers
generator.stream(Task(question, candidates))        # one answer, as events
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol

from ..ask import Limits
from ..core import UNGUARDED, Config, Guard
from ..core.answers import Answer, AnswerEvent
from ..core.bounds import Bounds, Few, PositiveShare, Seed, Share
from ..core.config import Flag
from ..llm import Message

Combine = Literal["generated_first", "retrieved_first", "alternate"]
"""Order of generated texts and passages in a prompt. alternate: a generated text, a source, and so
on."""

Order = Literal["best_first", "best_last", "both_ends"]
"""Order of the sources in a prompt. both_ends: the best are first and last, the worst in the
middle, where models read worst (Liu et al., "Lost in the middle", 2024)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that the search found.

    id:       id of the document.
    document: text of the whole document.
    start, end: the passage is characters `start` to `end` (exclusive) of `document`.
    headings: titles of the headings above the passage, from the highest level down.
    score:    score of the document in the search.
    """

    id: str
    document: str
    start: int
    end: int
    title: str = ""
    headings: Sequence[str] = ()
    page: int | None = None
    score: float = 0.0

    @property
    def text(self) -> str:
        """The text of the passage."""
        return self.document[self.start : self.end]


class ContextOptions(Config):
    """Which of the passages found are sent to the generator.

    tokens:   maximum number of tokens of the prompt: instructions, question, earlier turns and
              sources. The limit of the model applies too. For a generator without a language model:
              maximum number of words of the sources.
    order:    order of the sources: "best_first", "best_last" (next to the question), or "both_ends"
              (the worst in the middle).
    passages: maximum number of passages.
    per_document: maximum number of passages of one document.
    """

    tokens: Annotated[int, Bounds(16, 1_000_000)] = 1_500
    order: Order = "best_first"
    passages: Few = 10
    per_document: Few = 3


class CitationOptions(Config):
    """How an answer cites its sources.

    markers:     "keep": the text has markers such as [1]; "remove": it has none. The list of
                 citations is the same.
    unsupported: a citation whose source does not support the statement: "mark" returns it with
                 `supported` false, "drop" leaves it out.
    min_support: minimum share of the statement's content words in the source.
    match:       also cite sentences without a marker if a source has nearly all of their words
                 (`origin` "match"). The text gets no marker for them.
    """

    markers: Literal["keep", "remove"] = "keep"
    unsupported: Literal["mark", "drop"] = "mark"
    min_support: Share = 0.5
    match: Flag = False


class BackgroundOptions(Config):
    """How texts that a model generated share the context with the passages found.

    combine: order in the prompt: "generated_first", "retrieved_first", or "alternate" (a generated
             text, a source, and so on).
    share:   maximum share of the tokens for sources that generated texts get, if there are
             passages. Each text gets an equal part, and is cut at the end of a sentence. Passages
             get what is left.
    """

    combine: Combine = "generated_first"
    share: PositiveShare = 0.5


class AnswerOptions(Config):
    """How an answer is written.

    context:     which passages are sent.
    citations:   how the answer cites them.
    max_tokens:  maximum number of tokens of the answer; for a generator without a language model,
                 of words.
    temperature: randomness of the text; 0 = always the most likely token.
    seed:        seed of the sampling.
    """

    context: ContextOptions = ContextOptions()
    citations: CitationOptions = CitationOptions()
    max_tokens: Annotated[int, Bounds(1, 100_000)] = 256
    temperature: Annotated[float, Bounds(0, 10)] = 0.0
    seed: Seed = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A question with the passages that were found for it, best first.

    turns:   earlier turns of the conversation, in order.
    background: texts that a model generated for the question. They are sent as context, and are
             never cited. Without candidates, the answer rests on them alone.
    combined: how these texts share the context with the candidates.
    guard:   object whose method `check` is called before each piece of the answer. An exception
             from `check` ends the answer.
    """

    question: str
    candidates: Sequence[Candidate]
    options: AnswerOptions = field(default_factory=AnswerOptions)
    turns: Sequence[Message] = ()
    background: Sequence[str] = ()
    combined: BackgroundOptions = field(default_factory=BackgroundOptions)
    guard: Guard = field(default=UNGUARDED, repr=False, compare=False)


class Generator(Protocol):
    """Writes answers to questions from passages. Thread-safe."""

    @property
    def kind(self) -> str:
        """Return the `kind` of the generator's configuration, such as "extractive"."""

    def answer(self, tasks: Sequence[Task], limits: Limits | None = None) -> list[Answer]:
        """Return one answer for each task, in the same order.

        limits: limits for each task. The time limit starts with this call for all tasks.

        Raises InvalidInputError if the context has too few tokens for one sentence, or if the
        generator does not read the background of a task, and ModelError if a model fails. Raises
        the exceptions of the guard (`Task.guard`).
        """

    def stream(self, task: Task, limits: Limits | None = None) -> Iterator[AnswerEvent]:
        """Yield the events of one answer. The last one, DoneEvent, has what `answer` returns.

        No model is called before the first event, SourcesEvent, has been taken. So a caller can
        read the sources and close the iterator.

        Raises the same exceptions as `answer`. Closing the iterator ends the work of the model.
        """
