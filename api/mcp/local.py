"""The collections of this process, by the calls that all interfaces of a server share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from ...client import Answer, CollectionState
from ...client.failures import failure_of
from ...core.results import SearchResult
from ...core.types import Document
from ...search import AnswerRequest, SearchRequest
from ..serving.access.seen import Seen
from ..serving.calls import Calls
from ..serving.limits.deadline import Deadline
from ..serving.measuring.metrics import Metrics
from ..serving.problems import Problem, problem_of, validate
from ..serving.served import summary
from ..serving.service import Service
from ..serving.settings import Settings

T = TypeVar("T")

PAUSE = 0.05
"""Seconds between two attempts while collections or models load."""


class LocalBackend:
    """The collections of a service in this process.

    The time limits and the queues of the service apply. A cancelled call frees its thread.
    """

    def __init__(self, calls: Calls, *, waits: bool = False) -> None:
        """waits: True: a call waits while the service loads; False: it fails until then."""
        self._calls = calls
        self._waits = waits

    async def collections(self) -> Sequence[CollectionState]:
        service = self._calls.service

        def found() -> list[CollectionState]:
            return [CollectionState(**summary(one)) for one in service.collections()]

        def call() -> Awaitable[list[CollectionState]]:
            return Deadline.of(self._calls.settings).wait(service.readers.run(found))

        return await self._run(call)

    async def aliases(self) -> Mapping[str, str]:
        return self._calls.service.aliases()

    async def search(self, collection: str, request: Mapping[str, Any]) -> SearchResult:
        def call() -> Awaitable[SearchResult]:
            return self._calls.search(
                collection,
                lambda _: validate(SearchRequest, dict(request)),
                Deadline.of(self._calls.settings),
                lambda served, parsed, result: result,
            )

        return await self._run(call)

    async def get(self, collection: str, id: str) -> Document:  # noqa: A002
        def call() -> Awaitable[list[Document]]:
            return self._calls.documents(collection, [id], Deadline.of(self._calls.settings))

        (found,) = await self._run(call)
        return found

    async def answer(self, collection: str, request: Mapping[str, Any]) -> Answer:
        async def call() -> Answer:
            return await self._calls.answer(
                collection,
                validate(AnswerRequest, dict(request)),
                Deadline.of_answer(self._calls.settings),
                lambda answer: answer,
            )

        return await self._run(call)

    async def _run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Await a call. Raises the exception that the client raises for a reply with its error."""
        service = self._calls.service
        while True:
            try:
                return await call()
            except Exception as error:  # noqa: BLE001 - `problem_of` raises the unexpected ones
                problem = problem_of(error, service.root)
            if not (self._waits and service.loading and _is_loading(problem)):
                raise failure_of(problem.status, problem.headers, problem.body("")).error
            await asyncio.sleep(PAUSE)


def _is_loading(problem: Problem) -> bool:
    return problem.code in ("not_ready", "loading")


@asynccontextmanager
async def running(service: Service, settings: Settings) -> AsyncIterator[LocalBackend]:
    """Start a service. Its collections load in the background, and calls wait for them."""
    service.start()
    try:
        yield LocalBackend(Calls(Seen(service), settings, Metrics()), waits=True)
    finally:
        await asyncio.to_thread(service.close)
