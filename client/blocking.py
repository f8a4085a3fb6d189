"""The blocking client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


class Client:
    """A connection to a Twindex service. Thread-safe.

    >>> with Client("http://127.0.0.1:8080") as client:                    # doctest: +SKIP
    ...     birds = client.open_or_create("birds")
    ...     birds.add([{"id": "kiwi", "text": "The kiwi cannot fly."}])
    ...     print(birds.search("flightless bird").hits[0].id)
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
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Connects at the first call.

        timeout: seconds that one attempt may wait for a reply. patience: seconds during which a
        call is sent again while the service cannot be reached, loads or is overloaded; 0 = never.
        A write of documents that is sent again is not done twice; a deletion may be. transport:
        for tests, e.g. `httpx2.MockTransport`.
        """
        self.url = url
        self._patience = patience
        self._http = httpx2.Client(
            **requests.options(url, api_key, timeout, patience, headers), transport=transport
        )

    def create(self, name: str, config: Any = None) -> RemoteCollection:
        """Create a collection. Raises ConflictError where there is one of this name.

        config: a CollectionConfig, or a mapping with its fields; None = dense, sparse and lexical.
        """
        self.run(calls.create(name, config))
        return RemoteCollection(self, name)

    def open(self, name: str) -> RemoteCollection:
        """A collection of the service. Raises NotFoundError."""
        self.run(calls.open_(name))
        return RemoteCollection(self, name)

    def open_or_create(self, name: str, config: Any = None) -> RemoteCollection:
        """Open a collection, or create it where there is none.

        Raises ConflictError where there is one with another configuration than `config`.
        """
        self.run(calls.open_or_create(name, config))
        return RemoteCollection(self, name)

    def collections(self) -> list[CollectionState]:
        """All collections, those that cannot be searched too."""
        return self.run(calls.collections())

    def drop(self, name: str) -> None:
        """Delete a collection and its files. Raises NotFoundError, also where a first attempt has
        deleted it and its reply was lost."""
        self.run(calls.drop(name))

    def rerank(
        self,
        model: str,
        query: str,
        documents: Sequence[str | Mapping[str, str]],
        **options: Any,
    ) -> list[Reranked]:
        """Put texts into a better order by a reranker of the service, best first.

        options: further fields of `POST /v1/rerank`: `top_n`, `timeout_ms`, ...
        """
        return self.run(calls.rerank(model, query, documents, options))

    def jobs(self) -> list[Job]:
        """The latest jobs of all collections, newest first."""
        return self.run(calls.jobs())

    def job(self, id: str) -> Job:  # noqa: A002
        """How far a job is. Raises NotFoundError."""
        return self.run(calls.job(id))

    def wait(self, id: str) -> Job:  # noqa: A002
        """Wait until a job is done. Raises ServiceError for one that failed."""
        return self.run(calls.wait(id))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, steps: Steps[T]) -> T:
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
                    time.sleep(step.seconds)
                    continue
                try:
                    reply = self._send(step)
                except TwindexError as failed:
                    error = failed
        except StopIteration as end:
            result: T = end.value
            return result

    def _send(self, call: Call) -> Reply:
        sent = requests.sent(call)
        attempts = Attempts(self._patience)
        while True:
            try:
                return requests.reply(self._http.request(**sent))
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
            time.sleep(attempts.pause(failure))


class RemoteCollection:
    """A collection of a service, with the methods of `twindex.Collection` for documents and
    searches. Thread-safe."""

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client = client

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r} at {self._client.url})"

    def add(
        self,
        documents: Iterable[Document | Mapping[str, Any]],
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

        def write(batch: Batch) -> None:
            nonlocal report
            began = time.monotonic()
            report += self._client.run(calls.bulk(self.name, batch))
            batcher.took(batch, time.monotonic() - began)
            told.advance(batch.documents)

        told.start("add", None, "documents")
        for document in arguments.documents(documents):
            if (batch := batcher.offer(document)) is not None:
                write(batch)
        if (batch := batcher.rest()) is not None:
            write(batch)
        return report

    def get(self, id: str) -> Document:  # noqa: A002
        """One document. Raises NotFoundError."""
        return self._client.run(calls.get(self.name, id))

    def documents(
        self,
        *,
        after: str | None = None,
        limit: int = 100,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> list[Document]:
        """Documents by id, ascending, beginning after the id `after`; `limit` at most."""
        return self._client.run(calls.documents(self.name, after, limit, filter))

    def scan(self, filter: Mapping[str, Any] | None = None) -> Iterator[Document]:  # noqa: A002
        """All documents, or those that meet a filter, by id. One page at a time is in memory."""
        after: str | None = None
        while page := self._client.run(calls.page(self.name, after, calls.LISTED, filter)):
            yield from page
            after = page[-1].id

    def count(self, filter: Mapping[str, Any] | None = None) -> int:  # noqa: A002
        """Documents stored, or those that meet a filter."""
        return self._client.run(calls.count(self.name, filter))

    def delete(self, ids: Sequence[str]) -> list[str]:
        """Delete documents; the ids that existed. Durable when it returns.

        Where the reply is lost and the call is sent again, none of them existed any more.
        """
        return self._client.run(calls.delete(self.name, ids))

    def delete_where(self, filter: Mapping[str, Any]) -> DeletedCount:  # noqa: A002
        """Delete every document that meets a filter; how many there were, with `warnings`.

        Where the reply is lost and the call is sent again, they are gone and not counted.
        """
        return self._client.run(calls.delete_where(self.name, filter))

    def search(self, request: Any, **fields: Any) -> SearchResult:
        """Search. A text stands for `SearchRequest(query=text, **fields)`; a mapping has its
        fields."""
        return self._client.run(calls.search(self.name, request, fields))

    def search_batch(self, requests: Sequence[Any]) -> list[SearchResult]:
        """Several searches of the same state, at most 100; their queries are encoded together."""
        return self._client.run(calls.search_batch(self.name, requests))

    def info(self) -> dict[str, Any]:
        """What is in the collection, as JSON."""
        return self._client.run(calls.info(self.name))

    def merge(self) -> bool:
        """Make all segments one and give the space of deleted documents back. Waits for the job."""
        return self._client.run(calls.merge(self.name))

    def reconfigure(self, legs: Mapping[str, Any]) -> Job:
        """Store the vectors of dense legs (name -> VectorStorage, or a mapping) in another way.
        Waits for the job."""
        return self._client.run(calls.reconfigure(self.name, legs))

    def close(self) -> None:
        """Nothing to do: the connections are the client's."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
