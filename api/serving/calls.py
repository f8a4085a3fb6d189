"""What every interface of a server does: search, answer, rerank, embed, read documents.

Routes, compatible endpoints and tools of assistants parse a request, call a method of `Calls`, and
render its result. The methods choose the thread pool, check the limits of the server, observe the
deadline and record metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Generic, TypeVar

from ...core import Document, Guard, MissingExtraError, ModelError, TwindexError, Usage
from ...core.answers import Answer, AnswerEvent, DoneEvent
from ...core.closing import close_iterator
from ...core.results import FederatedResult
from ...core.trace.spans import span
from ...rerank import Reranked
from ...search import AnswerRequest, FederatedRequest, SearchRequest, SearchResult
from ...search.federation.merging import Part, merge
from .access.seen import Seen
from .embedding import Embedded, EmbedTask, embed
from .given import GivenQuestion, RerankTask, answer_given, rerank_given
from .limits.deadline import Deadline
from .limits.work import check_answer, check_query, check_texts, check_work
from .measuring.metrics import Metrics
from .problems import Problem, problem_of
from .served import Served
from .settings import Settings

T = TypeVar("T")
R = TypeVar("R")

Put = Callable[[AnswerEvent], object]
"""Function that receives each event of an answer."""

Spent = Callable[[Usage], object]
"""Function that receives the usage of an answer that is not completed."""


def unheard(usage: Usage) -> None:
    """Ignore the usage of an answer that is not completed."""


TaskT = TypeVar("TaskT", bound=RerankTask)
EmbedT = TypeVar("EmbedT", bound=EmbedTask)


@dataclass(frozen=True, slots=True)
class _Slow(Generic[R]):
    """A request that must run in a thread for reranking."""

    request: R


class Calls:
    """The calls that the interfaces of one server share.

    Methods with `read` call it in a thread; it parses the request. Methods with `reply` call it in
    a thread too; it makes the reply of the result. All methods raise Problem, ClientGone and
    TwindexError; `problem_of` converts the latter.
    """

    def __init__(
        self,
        service: Seen,
        settings: Settings,
        metrics: Metrics,
        spend: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """spend: function that counts the seconds of a language model for the key."""
        self.service = service
        self.settings = settings
        self.metrics = metrics
        self._spend = spend

    def count(self, *usages: Usage | None) -> None:
        """Count the time of language models for the key of the request."""
        for usage in usages:
            if usage is not None:
                self._spend(usage.seconds)

    async def read(
        self, collection: str, work: Callable[[Served], T], deadline: Deadline | None = None
    ) -> T:
        """Run `work` on a collection, in a thread for searches, and return its result."""
        reading = self.service.read(collection, work)
        return await (reading if deadline is None else deadline.wait(reading))

    async def parse(self, work: Callable[[], T], deadline: Deadline) -> T:
        """Run `work`, which parses a request, in a thread for searches. Return its result."""
        return await deadline.wait(self.service.readers.run(work))

    async def documents(
        self, collection: str, ids: Sequence[str], deadline: Deadline | None = None
    ) -> list[Document]:
        """Return documents by their ids. Raises NotFoundError for an unknown id."""

        def work(served: Served) -> list[Document]:
            opened = served.ready()[0]
            return [opened.get(name) for name in ids]

        return await self.read(collection, work, deadline)

    # -- search ----------------------------------------------------------------------------

    async def search(
        self,
        collection: str,
        read: Callable[[Served], SearchRequest],
        deadline: Deadline,
        reply: Callable[[Served, SearchRequest, SearchResult], T],
    ) -> T:
        """Search a collection."""

        def run(served: Served, request: SearchRequest) -> T:
            result = served.ready()[0].search(request, guard=deadline.guard)
            self._observe(result, served.name)
            self.count(result.usage)
            return reply(served, request, result)

        # One call in a thread does the whole search, so that the event loop only waits for bytes.
        # A search with reranking or rewriting continues in another thread pool.
        def begin(served: Served) -> T | _Slow[SearchRequest]:
            request = _limited(read(served), deadline)
            check_work(self.settings, [request])
            return _Slow(request) if _is_slow(request) else run(served, request)

        return await deadline.wait(self._search(collection, begin, run))

    async def search_batch(
        self,
        collection: str,
        read: Callable[[Served], Sequence[SearchRequest]],
        deadline: Deadline,
        reply: Callable[[Served, Sequence[SearchRequest], Sequence[SearchResult]], T],
    ) -> T:
        """Run several searches of a collection, which all see the same state of it."""

        def run(served: Served, requests: Sequence[SearchRequest]) -> T:
            results = served.ready()[0].search_batch(requests, guard=deadline.guard)
            for result in results:
                self._observe(result, served.name)
                self.count(result.usage)
            return reply(served, requests, results)

        def begin(served: Served) -> T | _Slow[Sequence[SearchRequest]]:
            requests = read(served)
            check_work(self.settings, requests, batch=True)
            return _Slow(requests) if any(map(_is_slow, requests)) else run(served, requests)

        return await deadline.wait(self._search(collection, begin, run))

    async def federated_search(
        self, request: FederatedRequest, deadline: Deadline
    ) -> tuple[FederatedResult, Mapping[str, Mapping[str, str]]]:
        """Search several collections, one after the other, and merge their hits.

        Returns the result, and for each collection the names of its legs' encoders.
        """
        deadline.limit(request.timeout_ms)
        encoders: dict[str, Mapping[str, str]] = {}
        own, parts = request.own(), []
        for name in (one.name for one in request.collections):

            def reply(
                served: Served, _: SearchRequest, found: SearchResult, name: str = name
            ) -> Part:
                encoders[name] = served.encoders
                return Part(name, found)

            try:
                parts.append(await self.search(name, lambda _: own, deadline, reply))
            except (TwindexError, Problem) as error:
                if problem_of(error, self.service.root).status in (429, 504):
                    raise  # The server is busy, or the time is over: it concerns all of them.
                parts.append(Part(name, None, error))
        return merge(request, parts), encoders

    async def _search(
        self,
        collection: str,
        begin: Callable[[Served], T | _Slow[R]],
        run: Callable[[Served, R], T],
    ) -> T:
        """Call `begin` in a thread for searches. For a slow request, then call `run`."""
        begun = await self.service.read(collection, begin)
        if not isinstance(begun, _Slow):
            return begun
        request = begun.request
        return await self.service.rerank(collection, lambda served: run(served, request))

    def _observe(self, result: SearchResult, collection: str | None = None) -> None:
        self.metrics.search(result.timings, collection)
        if (done := result.rerank) is not None:
            self.metrics.rerank(done.model, done.status, done.seconds, done.usage)
            self.count(done.usage)

    # -- answers ---------------------------------------------------------------------------

    async def answer(
        self,
        collection: str,
        request: AnswerRequest,
        deadline: Deadline,
        reply: Callable[[Answer], T],
    ) -> T:
        """Answer a question from the documents of a collection."""
        check_answer(self.settings, request)

        def work(served: Served) -> T:
            return reply(_last(self._events(request, deadline, served)))

        return await deadline.wait(self.service.answer(collection, work))

    async def stream_answer(
        self,
        collection: str,
        request: AnswerRequest,
        deadline: Deadline,
        put: Put,
        spent: Spent = unheard,
    ) -> None:
        """Answer a question, and call `put` with each event, in the thread that writes the answer.

        spent: function that is called with the usage of an answer that is not completed, before its
               exception is raised.

        An exception of `put` ends the answer. The caller watches the deadline.
        """
        check_answer(self.settings, request)

        def work(served: Served) -> None:
            self._put_all(self._events(request, deadline, served, spent), put)

        await self.service.answer(collection, work)

    async def answer_given(
        self, asked: GivenQuestion, deadline: Deadline, reply: Callable[[Answer], T]
    ) -> T:
        """Answer a question from documents that the request contains."""
        check_query(self.settings, asked.question, "question")

        def work() -> T:
            return reply(_last(self._given_events(asked, deadline)))

        return await deadline.wait(self.service.answering.run(work))

    async def stream_answer_given(
        self, asked: GivenQuestion, deadline: Deadline, put: Put, spent: Spent = unheard
    ) -> None:
        """Answer a question from documents of the request as `stream_answer` does."""
        check_query(self.settings, asked.question, "question")

        def work() -> None:
            self._put_all(self._given_events(asked, deadline, spent), put)

        await self.service.answering.run(work)

    def _put_all(self, events: Iterator[AnswerEvent], put: Put) -> None:
        begun = False
        try:
            for event in events:
                begun = True
                put(event)
        except Exception as error:
            if begun and not isinstance(error, Problem):
                # Otherwise the service would begin again after a StorageError.
                raise problem_of(error, self.service.root) from error
            raise
        finally:
            close_iterator(events)

    def _events(
        self, request: AnswerRequest, deadline: Deadline, served: Served, spent: Spent = unheard
    ) -> Iterator[AnswerEvent]:
        """Yield the events of an answer, and record its metrics."""
        generator = request.generator or self.service.generators.default
        guard = self._counting(deadline, generator, spent)
        return self._observed(served.ready()[0].answer_stream(request, guard=guard), generator)

    def _given_events(
        self, asked: GivenQuestion, deadline: Deadline, spent: Spent = unheard
    ) -> Iterator[AnswerEvent]:
        guard = self._counting(deadline, asked.generator, spent)
        return self._observed(answer_given(self.service, asked, guard), asked.generator)

    def _counting(self, deadline: Deadline, generator: str, spent: Spent) -> Guard:
        """Return the guard of an answer. It counts the usage of answers that are not finished."""

        def count(usage: Usage) -> None:
            self.metrics.answer_usage(generator, usage)
            self.count(usage)
            spent(usage)

        return replace(deadline.guard, spent=count)

    def _observed(self, events: Iterator[AnswerEvent], generator: str) -> Iterator[AnswerEvent]:
        began = perf_counter()
        try:
            for event in events:
                if isinstance(event, DoneEvent):
                    if event.answer.search is not None:
                        self._observe(event.answer.search)
                    self.metrics.answer(event.answer, perf_counter() - began)
                    self.count(event.answer.usage)
                yield event
        except (ModelError, MissingExtraError):
            self.metrics.failed_answer(generator)
            raise
        finally:
            close_iterator(events)

    # -- texts of the request --------------------------------------------------------------

    async def rerank(
        self,
        read: Callable[[], TaskT],
        deadline: Deadline,
        reply: Callable[[TaskT, Reranked], T],
    ) -> T:
        """Rerank documents that the request contains."""

        def work() -> T:
            task = read()
            check_query(self.settings, task.query)
            result = rerank_given(self.service, task, deadline.guard)
            self.metrics.rerank(task.model, result.status, result.seconds, result.usage)
            self.count(result.usage)
            if result.status == "failed" and task.on_error == "fail":
                raise result.error or ModelError("the reranker failed")
            return reply(task, result)

        return await deadline.wait(self.service.reranking.run(work))

    async def embed(
        self,
        read: Callable[[], EmbedT],
        deadline: Deadline,
        reply: Callable[[EmbedT, Embedded], T],
    ) -> T:
        """Embed texts with an encoder of an open collection."""

        def work() -> T:
            task, began = read(), perf_counter()
            check_texts(self.settings, task.texts, task.field)
            with span("embed", {"twindex.texts": len(task.texts)}) as found:
                result = embed(self.service, task, deadline)
                found["twindex.model"] = task.model  # Now it is the name of an encoder.
            tokens = sum(result.tokens)
            self.metrics.embedding(task.model, len(task.texts), tokens, perf_counter() - began)
            return reply(task, result)

        return await deadline.wait(self.service.embedding.run(work))


def _last(events: Iterator[AnswerEvent]) -> Answer:
    """Return the whole answer, from its events."""
    for event in events:
        if isinstance(event, DoneEvent):
            return event.answer
    raise AssertionError("the last event must be a DoneEvent")


def _limited(request: SearchRequest, deadline: Deadline) -> SearchRequest:
    """Return a search without its time limit, which the deadline keeps from now on.

    The limit of the deadline began with the call. So the time in which the search waited for a
    thread counts, too.
    """
    if request.timeout_ms is None:
        return request
    deadline.limit(request.timeout_ms)
    return request.model_copy(update={"timeout_ms": None})


def _is_slow(request: SearchRequest) -> bool:
    """Return True for a search that may take seconds, because a model reranks or rewrites."""
    return request.rerank is not None or request.rewrite is not None
