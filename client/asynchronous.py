"""The asyncio client: the same operations as the blocking one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

import httpx2

from ..core.errors import ServiceError, TwindexError
from ..core.progress import NoProgress, Progress
from ..core.results import SearchResult, WriteReport
from ..core.types import DeletedCount, Document
from . import arguments, calls, requests
from .batches import Batch, Batcher
from .calls import Call, Pause, Reply, Steps
from .failures import Attempts, Failure
from .replies import CollectionState, Job, Reranked

T = TypeVar("T")


class AsyncClient:
    """A connection to a Twindex service, for one event loop.

    >>> async with AsyncClient("http://127.0.0.1:8080") as client:         # doctest: +SKIP
    ...     birds = await client.open_or_create("birds")
    ...     await birds.add([{"id": "kiwi", "text": "The kiwi cannot fly."}])
    ...     print((await birds.search("flightless bird")).hits[0].id)
    kiwi
    """

    def __init__(
        self,
        url: str = requests.DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        patience: float = 60.0,
        headers: Mapping[str, str] | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Connects at the first call.

        timeout: seconds that one attempt may wait for a reply. patience: seconds during which a
        call is sent again while the service cannot be reached, loads or is overloaded; 0 = never.
        A write of documents that is sent again is not done twice; a deletion may be. transport:
        for tests, e.g. `httpx2.MockTransport`.
        """
        self.url = url
        self._patience = patience
        self._http = httpx2.AsyncClient(
            **requests.options(url, api_key, timeout, patience, headers), transport=transport
        )

    async def create(self, name: str, config: Any = None) -> AsyncRemoteCollection:
        """Create a collection. Raises ConflictError where there is one of this name.

        config: a CollectionConfig, or a mapping with its fields; None = dense, sparse and lexical.
        """
        await self.run(calls.create(name, config))
        return AsyncRemoteCollection(self, name)

    async def open(self, name: str) -> AsyncRemoteCollection:
        """A collection of the service. Raises NotFoundError."""
        await self.run(calls.open_(name))
        return AsyncRemoteCollection(self, name)

    async def open_or_create(self, name: str, config: Any = None) -> AsyncRemoteCollection:
        """Open a collection, or create it where there is none.

        Raises ConflictError where there is one with another configuration than `config`.
        """
        await self.run(calls.open_or_create(name, config))
        return AsyncRemoteCollection(self, name)

    async def collections(self) -> list[CollectionState]:
        """All collections, those that cannot be searched too."""
        return await self.run(calls.collections())

    async def drop(self, name: str) -> None:
        """Delete a collection and its files. Raises NotFoundError, also where a first attempt has
        deleted it and its reply was lost."""
        await self.run(calls.drop(name))

    async def rerank(
        self,
        model: str,
        query: str,
        documents: Sequence[str | Mapping[str, str]],
        **options: Any,
    ) -> list[Reranked]:
        """Put texts into a better order by a reranker of the service, best first.

        options: further fields of `POST /v1/rerank`: `top_n`, `timeout_ms`, ...
        """
        return await self.run(calls.rerank(model, query, documents, options))

    async def jobs(self) -> list[Job]:
        """The latest jobs of all collections, newest first."""
        return await self.run(calls.jobs())

    async def job(self, id: str) -> Job:  # noqa: A002
        """How far a job is. Raises NotFoundError."""
        return await self.run(calls.job(id))

    async def wait(self, id: str) -> Job:  # noqa: A002
        """Wait until a job is done. Raises ServiceError for one that failed."""
        return await self.run(calls.wait(id))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(self, steps: Steps[T]) -> T:
        """Do an operation of `calls`."""
        reply: Reply | None = None
        error: TwindexError | None = None
        try:
            while True:
                try:
                    step = steps.send(reply) if error is None else steps.throw(error)
                except (AttributeError, KeyError, TypeError, ValueError) as unread:
                    if reply is None:
                        raise
                    raise requests.unusable(unread) from unread
                reply = error = None
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    continue
                try:
                    reply = await self._send(step)
                except TwindexError as failed:
                    error = failed
        except StopIteration as end:
            result: T = end.value
            return result

    async def _send(self, call: Call) -> Reply:
        sent = requests.sent(call)
        attempts = Attempts(self._patience)
        while True:
            try:
                return requests.reply(await self._http.request(**sent))
            except Failure as failed:
                failure = failed
            except RuntimeError:
                if self._http.is_closed:
                    raise ServiceError("the client was closed") from None
                raise
            except (httpx2.InvalidURL, httpx2.DecodingError) as error:
                raise requests.unusable(error) from None
            except httpx2.TransportError as error:
                failure = requests.unreachable(self._http.base_url, error)
            await asyncio.sleep(attempts.pause(failure))


class AsyncRemoteCollection:
    """A collection of a service, with the methods of `RemoteCollection`, to be awaited."""

    def __init__(self, client: AsyncClient, name: str) -> None:
        self.name = name
        self._client = client

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r} at {self._client.url})"

    async def add(
        self,
        documents: Iterable[Document | Mapping[str, Any]]
        | AsyncIterable[Document | Mapping[str, Any]],
        *,
        progress: Progress | None = None,
    ) -> WriteReport:
        """Insert documents, or replace those with the same id. Durable when it returns.

        They are sent in batches that take about 5 seconds, of 500 documents or 4 MiB at most. One
        batch is in memory. Each is durable before the next one is sent. Raises InvalidInputError
        for the first document that is wrong, by its number from 0. Nothing of a batch is written
        that holds something else than documents.
        """
        report, batcher, told = WriteReport(), Batcher(), progress or NoProgress()

        async def write(batch: Batch) -> None:
            nonlocal report
            began = time.monotonic()
            report += await self._client.run(calls.bulk(self.name, batch))
            batcher.took(batch, time.monotonic() - began)
            told.advance(batch.documents)

        told.start("add", None, "documents")
        async for document in _each(arguments.documents(documents)):
            if (batch := batcher.offer(document)) is not None:
                await write(batch)
        if (batch := batcher.rest()) is not None:
            await write(batch)
        return report

    async def get(self, id: str) -> Document:  # noqa: A002
        """One document. Raises NotFoundError."""
        return await self._client.run(calls.get(self.name, id))

    async def documents(
        self,
        *,
        after: str | None = None,
        limit: int = 100,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> list[Document]:
        """Documents by id, ascending, beginning after the id `after`; `limit` at most."""
        return await self._client.run(calls.documents(self.name, after, limit, filter))

    async def scan(
        self,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> AsyncIterator[Document]:
        """All documents, or those that meet a filter, by id. One page at a time is in memory."""
        after: str | None = None
        while page := await self._client.run(calls.page(self.name, after, calls.LISTED, filter)):
            for document in page:
                yield document
            after = page[-1].id

    async def count(self, filter: Mapping[str, Any] | None = None) -> int:  # noqa: A002
        """Documents stored, or those that meet a filter."""
        return await self._client.run(calls.count(self.name, filter))

    async def delete(self, ids: Sequence[str]) -> list[str]:
        """Delete documents; the ids that existed. Durable when it returns.

        Where the reply is lost and the call is sent again, none of them existed any more.
        """
        return await self._client.run(calls.delete(self.name, ids))

    async def delete_where(self, filter: Mapping[str, Any]) -> DeletedCount:  # noqa: A002
        """Delete every document that meets a filter; how many there were, with `warnings`.

        Where the reply is lost and the call is sent again, they are gone and not counted.
        """
        return await self._client.run(calls.delete_where(self.name, filter))

    async def search(self, request: Any, **fields: Any) -> SearchResult:
        """Search. A text stands for `SearchRequest(query=text, **fields)`; a mapping has its
        fields."""
        return await self._client.run(calls.search(self.name, request, fields))

    async def search_batch(self, requests: Sequence[Any]) -> list[SearchResult]:
        """Several searches of the same state, at most 100; their queries are encoded together."""
        return await self._client.run(calls.search_batch(self.name, requests))

    async def info(self) -> dict[str, Any]:
        """What is in the collection, as JSON."""
        return await self._client.run(calls.info(self.name))

    async def merge(self) -> bool:
        """Make all segments one and give the space of deleted documents back. Waits for the job."""
        return await self._client.run(calls.merge(self.name))

    async def reconfigure(self, legs: Mapping[str, Any]) -> Job:
        """Store the vectors of dense legs (name -> VectorStorage, or a mapping) in another way.
        Waits for the job."""
        return await self._client.run(calls.reconfigure(self.name, legs))

    async def close(self) -> None:
        """Nothing to do: the connections are the client's."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _each(documents: Any) -> AsyncIterator[Any]:
    """Of an iterable that may be asynchronous."""
    if isinstance(documents, AsyncIterable):
        async for document in documents:
            yield document
    else:
        for document in documents:
            yield document
