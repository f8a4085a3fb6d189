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
    title:    title of the document.
    headings: titles of the headings above the passage, from the highest level down.
    page:     number of the page on which the passage begins, from 1; None: there are no pages.
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
    """Which of the found passages are sent to the generator, and in which order.

    tokens:   maximum number of tokens of the prompt: instructions, question, earlier turns and
              sources. The limit of the model applies too. For a generator without a language model,
              `tokens` is the maximum number of words of the sources.
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

    markers:     "keep": the text has markers such as [1]. "remove": the text has no markers. The
                 list of citations is the same.
    unsupported: what to do with a citation whose source does not support the statement. "mark":
                 return the citation with `supported` false. "drop": leave the citation out.
    min_support: minimum share, from 0 to 1, of the statement's content words that the source must
                 contain.
    match:       True: also cite sentences without a marker if a source has nearly all of their
                 words. Such a citation has the `origin` "match", and no marker in the text.
    """

    markers: Literal["keep", "remove"] = "keep"
    unsupported: Literal["mark", "drop"] = "mark"
    min_support: Share = 0.5
    match: Flag = False


class BackgroundOptions(Config):
    """How generated texts and passages found by the search share the prompt.

    combine: order in the prompt: "generated_first", "retrieved_first", or "alternate" (a generated
             text, a passage, and so on).
    share:   if passages are found, generated texts get at most this share of the tokens that the
             prompt has for texts and passages together. Each text gets an equal part, and is cut at
             the end of a sentence. Passages get the tokens that are left.
    """

    combine: Combine = "generated_first"
    share: PositiveShare = 0.5


class AnswerOptions(Config):
    """How an answer is written.

    context:     which passages are sent to the generator.
    citations:   how the answer cites the passages.
    max_tokens:  maximum number of tokens of the answer. For a generator without a language model,
                 maximum number of words.
    temperature: temperature of the sampling; 0 = always the most likely token.
    seed:        seed of the sampling.
    """

    context: ContextOptions = ContextOptions()
    citations: CitationOptions = CitationOptions()
    max_tokens: Annotated[int, Bounds(1, 100_000)] = 256
    temperature: Annotated[float, Bounds(0, 10)] = 0.0
    seed: Seed = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A question, and the passages from which to answer it.

    candidates: passages that were found for the question, best first.
    options:    how the answer is written.
    turns:      earlier turns of the conversation, in order.
    background: texts that a model generated for the question. They are sent as context, and are
                never cited. Without candidates, the answer rests on these texts alone.
    combined:   how these texts share the context with the candidates.
    guard:      object whose method `check` is called before each piece of the answer. An exception
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

        limits: limits for each task. The time of all tasks starts when this method is called.

        Raises InvalidInputError if the context has too few tokens for one sentence, or if the
        generator does not read the background of a task, and ModelError if a model fails. Raises
        the exceptions of the guard (`Task.guard`).
        """

    def stream(self, task: Task, limits: Limits | None = None) -> Iterator[AnswerEvent]:
        """Yield the events of one answer. The last event, DoneEvent, has the whole answer.

        No model is called before the caller has received the first event, SourcesEvent. So a caller
        can read the sources and close the iterator. Closing the iterator ends the work of the
        model.

        If the caller or an exception ends the answer early, the generator calls
        `Task.guard.spent` with the usage so far.

        Raises the same exceptions as `answer`.
        """
