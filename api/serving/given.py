"""Work on documents that a request contains: they are reranked, or a question is answered from
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from ...ask import Limits
from ...core import Guard, InvalidInputError, MissingExtraError, ModelError
from ...core.answers import AnswerEvent, DoneEvent
from ...core.closing import close_iterator
from ...generate import AnswerOptions, Task
from ...generate import Candidate as Passage
from ...generate.checking import answer_events
from ...llm import Message
from ...rerank import Budget, Candidate, Reranked, Reranker, failed
from ...rerank import Task as RerankerTask
from ...rerank.checking import reranked
from .access.seen import Seen


class GivenText(Protocol):
    """A document of a request."""

    @property
    def text(self) -> str: ...

    @property
    def title(self) -> str: ...


class RerankTask(Protocol):
    """A request to rerank documents that it contains.

    model:    name of a configured reranker.
    on_error: if the model fails: "fail" raises the error, "keep" returns the documents in the given
              order, with the status "failed".
    """

    @property
    def model(self) -> str: ...

    @property
    def query(self) -> str: ...

    @property
    def documents(self) -> Sequence[GivenText]: ...

    @property
    def budget(self) -> Budget: ...

    @property
    def on_error(self) -> Literal["keep", "fail"]: ...


@dataclass(frozen=True, slots=True)
class GivenDocument:
    """A document to answer from. ids of the documents of a question are unique."""

    id: str
    text: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class GivenQuestion:
    """A question to answer from documents that the request contains.

    turns:     earlier turns of the conversation, in order.
    documents: the documents, best first.
    generator: name of a configured generator.
    """

    question: str
    documents: Sequence[GivenDocument]
    generator: str
    options: AnswerOptions
    turns: Sequence[Message] = ()


def rerank_given(service: Seen, task: RerankTask, guard: Guard) -> Reranked:
    """Rerank the documents of a request. A failure of the model is in the result."""
    candidates = [
        Candidate(str(i), document.text, document.title, score=-float(i))
        for i, document in enumerate(task.documents)
    ]
    try:
        reranker = _reranker(service, task.model)
    except (ModelError, MissingExtraError) as error:
        return failed(len(candidates), error)
    given = RerankerTask(task.query, candidates, guard)
    (result,) = reranked(reranker, [given], task.budget, f"reranker {task.model!r}")
    return result


def _reranker(service: Seen, name: str) -> Reranker:
    """Return the reranker with this name.

    Raises InvalidInputError for an unknown name, and for a reranker that needs a collection because
    it reads the vectors or weights that a leg stores.
    """
    try:
        reranker = service.rerankers.get(name)
    except InvalidInputError as error:
        raise InvalidInputError(error.message, field="model") from None
    needs = reranker.needs.stored
    if needs:
        raise InvalidInputError(
            f"reranker {name!r} reads what a collection stores for leg "
            f"{', '.join(map(repr, needs))}; use this reranker in `rerank` of a search",
            field="model",
        )
    return reranker


def answer_given(service: Seen, asked: GivenQuestion, guard: Guard) -> Iterator[AnswerEvent]:
    """Answer a question from the documents of the request, and yield the events of the answer."""
    generator = service.generators.get(asked.generator)
    passages = [
        Passage(one.id, one.text, 0, len(one.text), one.title, score=-float(i))
        for i, one in enumerate(asked.documents)
    ]
    task = Task(asked.question, passages, asked.options, asked.turns, guard=guard)
    events = answer_events(generator, task, Limits(), f"generator {asked.generator!r}")
    try:
        for event in events:
            if isinstance(event, DoneEvent):
                yield DoneEvent(replace(event.answer, generator=asked.generator))
            else:
                yield event
    finally:
        close_iterator(events)
