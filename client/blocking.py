"""The blocking client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Self, TypeVar

import httpx2

from ..core.answers import Answer, AnswerEvent, DoneEvent
from ..core.errors import ServiceError, TwindexError, count_written
from ..core.progress import Progress
from ..core.results import Reconfigured, SearchResult, WriteReport
from ..core.types import Document
from . import arguments, calls, requests
from .answers import AnswerReader
from .batches import Batch, Batcher
from .calls import Call, Pause, Reply, Steps
from .completing import CompletionMethods
from .failures import Attempts, Failure
from .federation import FederationMethods
from .keeping import KeepingMethods
from .replies import CollectionState, Job, Reranked
from .upkeep import UpkeepMethods
from .versions import Versions

T = TypeVar("T")


class Client(UpkeepMethods, FederationMethods):
    """A client of a Twindex service. Thread-safe.

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
        signed_filter: str | Callable[[], str] | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Create a client. It connects at the first call.

        url:       address of the service. The environment's proxy settings are ignored.
        api_key:   API key, which is sent as a bearer token. None: no key is sent.
        timeout:   seconds to wait for the reply of one attempt.
        patience:  seconds during which a failed call is retried while the service is unreachable,
                   loading or overloaded. 0: no retries. Before the first reply, a refused
                   connection is retried for 5 seconds at most, because the URL is probably wrong.
                   The service executes a retried write or deletion of documents only once.
        headers:   HTTP headers that the client adds to every request.
        signed_filter: filter that narrows every request to what an end user may see; see
                   `sign_filter`. A function is called for each request, and signs a filter anew.
        transport: object that sends the requests, such as `httpx2.MockTransport` in tests. None:
                   requests are sent over the network.
        """
        self.url = url
        self._patience = patience
        self._reached = False
        self._http = httpx2.Client(
            **requests.options(url, api_key, timeout, patience, headers, signed_filter),
            transport=transport,
        )

    def create(self, name: str, config: Any = None) -> RemoteCollection:
        """Create a collection. Raises ConflictError if a collection with this name exists.

        config: a CollectionConfig, or a mapping with its fields. None: the default configuration,
        which ranks in three ways: a dense, a sparse and a lexical leg.
        """
        self.run(calls.create(name, config))
        return RemoteCollection(self, name)

    def open(self, name: str) -> RemoteCollection:
        """Return an existing collection. Raises NotFoundError if there is none."""
        self.run(calls.open_(name))
        return RemoteCollection(self, name)

    def open_or_create(self, name: str, config: Any = None) -> RemoteCollection:
        """Open a collection, or create it if it does not exist.

        config: configuration, as for `create`. None: an existing collection is opened whatever its
        configuration; a new one gets the default configuration.

        Raises ConflictError if the collection exists and its configuration differs from `config`.
        """
        self.run(calls.open_or_create(name, config))
        return RemoteCollection(self, name)

    def collections(self) -> list[CollectionState]:
        """Return the state of every collection, including collections that cannot be searched."""
        return self.run(calls.collections())

    def drop(self, name: str) -> None:
        """Delete a collection and its files.

        Raises NotFoundError if the collection does not exist. If the reply of a successful attempt
        is lost, the retry raises this error too.
        """
        self.run(calls.drop(name))

    def rerank(
        self,
        model: str,
        query: str,
        documents: Sequence[str | Mapping[str, str]],
        **options: Any,
    ) -> list[Reranked]:
        """Rerank texts with a reranker of the service, and return their new scores, best first.

        model:     name of the reranker.
        documents: texts, or mappings with `text` and `title`.
        options:   other fields of the request `POST /v1/rerank`, such as `top_n` or `timeout_ms`.
        """
        return self.run(calls.rerank(model, query, documents, options))

    def jobs(self) -> list[Job]:
        """Return the latest jobs of all collections, newest first."""
        return self.run(calls.jobs())

    def job(self, id: str) -> Job:  # noqa: A002
        """Return the state of the job with this id. Raises NotFoundError if there is none."""
        return self.run(calls.job(id))

    def wait(self, id: str) -> Job:  # noqa: A002
        """Wait until a job is done and return it. Raises ServiceError if it failed."""
        return self.run(calls.wait(id))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, steps: Steps[T]) -> T:
        """Run an operation of the module `calls`: send its HTTP calls and return its result."""
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

    def answer_events(self, call: Call) -> Iterator[AnswerEvent]:
        """Send a call whose reply is a streamed answer, and yield the events of the answer.

        A failed call is retried until the first byte of its reply. Closing the iterator closes the
        connection, so the service ends its work.
        """
        response, _ = self._attempt(call, stream=True)
        reader = AnswerReader()
        with closing(response):
            requests.check_stream(response)
            try:
                for piece in response.iter_bytes():
                    yield from reader.feed(piece)
            except (httpx2.TransportError, httpx2.DecodingError) as error:
                reader.close(error)
        reader.close()

    def _send(self, call: Call) -> Reply:
        response, retried = self._attempt(call)
        return requests.reply(response, retried=retried)

    def _attempt(self, call: Call, *, stream: bool = False) -> tuple[httpx2.Response, bool]:
        """Send a call until it succeeds. Return the response, and True if there was a retry.

        stream: return before the body is read. The caller must then close the response.
        """
        sent = requests.sent(call)
        attempts, retried = Attempts(self._patience), False
        while True:
            try:
                response = self._http.send(self._http.build_request(**sent), stream=stream)
                self._reached = True
                if stream and response.status_code >= 300:
                    with closing(response):
                        response.read()
                requests.check(response)
                return response, retried
            except Failure as failed:
                failure = failed
            except RuntimeError:
                if self._http.is_closed:
                    raise ServiceError("the client was closed; create a new one") from None
                raise
            except (httpx2.InvalidURL, httpx2.DecodingError) as error:
                raise requests.unusable(error) from None
            except httpx2.TransportError as error:
                failure = requests.unreachable(self._http.base_url, error, reached=self._reached)
            time.sleep(attempts.pause(failure))
            retried = True


class RemoteCollection(CompletionMethods, KeepingMethods, Versions):
    """A collection of a Twindex service. Thread-safe.

    It has the same methods for documents and searches as the local class `twindex.Collection`.
    """

    _client: Client

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client, self._run = client, client.run

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r} at {self._client.url})"

    def add(
        self,
        documents: Iterable[Document | Mapping[str, Any]],
        *,
        vectors: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> WriteReport:
        """Insert documents. A document replaces a stored document with the same id.

        Documents are sent in batches of at most 500 documents and about 4 MiB. Batches are smaller
        if the service needs more than about 5 seconds to write one. Only one batch at a time is in
        memory. Each batch is durable before the next is sent. All batches are durable when the
        method returns.

        vectors:  name of a leg -> rows, in the order of the documents: an array [rows,
                  dimensions], a sparse matrix of SciPy, or an iterable of vectors. A document takes
                  one row. A document with its own `passages` takes one row for each of them.
        progress: receives the number of written documents. None: progress is not reported.

        Raises InvalidInputError, which names the first invalid document by its position from 0. The
        batch with this document is not written, but earlier batches are. The attribute `written` of
        any error is the number of documents in these batches, and the text of the error ends with
        this number.
        """
        report, batcher = WriteReport(), Batcher(vectors)
        reporter = arguments.progress(progress)

        def write(batch: Batch) -> None:
            nonlocal report
            began = time.monotonic()
            report += self._client.run(calls.bulk(self.name, batch))
            batcher.took(batch, time.monotonic() - began)
            reporter.advance(batch.documents)

        reporter.start("add", None, "documents")
        with count_written(lambda: report.documents):
            for document in arguments.documents(documents):
                if (batch := batcher.offer(document)) is not None:
                    write(batch)
            if (batch := batcher.last()) is not None:
                write(batch)
        return report

    def get(self, id: str, *, as_of: int | str | None = None) -> Document:  # noqa: A002
        """Return a document, `as_of` a commit or time. Raises NotFoundError if there is none."""
        return self._client.run(calls.get(self.name, id, as_of))

    def documents(
        self,
        *,
        after: str | None = None,
        limit: int = 100,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> list[Document]:
        """Return up to `limit` documents in ascending order of id.

        after:  an id; only documents with a greater id are returned.
        filter: only documents that meet this filter are returned.
        """
        return self._client.run(calls.documents(self.name, after, limit, filter))

    def scan(self, filter: Mapping[str, Any] | None = None) -> Iterator[Document]:  # noqa: A002
        """Yield all documents that meet a filter, in ascending order of id.

        Without a filter, yields all documents. Only one page at a time is in memory.
        """
        after: str | None = None
        while page := self._client.run(calls.page(self.name, after, calls.LISTED, filter)):
            yield from page
            after = page[-1].id

    def count(self, filter: Mapping[str, Any] | None = None) -> int:  # noqa: A002
        """Return the number of documents that meet a filter; without a filter, of all documents."""
        return self._client.run(calls.count(self.name, filter))

    def search(self, request: Any = None, **fields: Any) -> SearchResult:
        """Search the collection.

        request: a query string, a SearchRequest, or a mapping with its fields. None: the search
                 has no text, such as `search(vectors={"dense": vector})`.
        fields:  further fields of a SearchRequest, such as `limit`; not allowed with a
                 SearchRequest or a mapping.
        """
        return self._client.run(calls.search(self.name, request, fields))

    def search_batch(self, requests: Sequence[Any]) -> list[SearchResult]:
        """Run up to 100 searches and return their results in order.

        Each request is a query string, a SearchRequest, or a mapping with its fields. All searches
        see the same documents, even if other clients write meanwhile. The queries are
        encoded together.
        """
        return self._client.run(calls.search_batch(self.name, requests))

    def answer(self, request: Any, **fields: Any) -> Answer:
        """Answer a question from the documents of the collection, with citations.

        request: a question, an AnswerRequest, or a mapping with its fields.
        fields:  further fields of an AnswerRequest; only allowed if `request` is a question.

        The field `search` of the returned Answer is None, because the service does not send it.
        """
        *_, last = self.answer_stream(request, **fields)
        assert isinstance(last, DoneEvent), "a complete stream ends with DoneEvent"
        return last.answer

    def answer_stream(self, request: Any, **fields: Any) -> Iterator[AnswerEvent]:
        """Answer a question as `answer` does, and yield events while the answer is written.

        The question is sent when the first event is requested. Closing the iterator ends the work
        of the service. If the connection breaks, UnavailableError is raised, and the question is
        not sent again.
        """
        return self._client.answer_events(calls.answer(self.name, request, fields))

    def info(self) -> dict[str, Any]:
        """Return the configuration and contents of the collection as a JSON object."""
        return self._client.run(calls.info(self.name))

    def merge(self, *, progress: Progress | None = None) -> bool:
        """Merge all segments (parts of the index) into one and free the space of deleted documents.

        Waits until the merge ends. Returns False if there was nothing to merge, else True.

        progress: receives the progress of the merge. None: progress is not reported.
        """
        return self._client.run(calls.merge(self.name, progress))

    def reconfigure(
        self, legs: Mapping[str, Any], *, progress: Progress | None = None
    ) -> Reconfigured:
        """Change how the vectors of dense legs are stored. Waits until the change is complete.

        legs:     name of a dense leg -> new VectorStorage of the leg, or a mapping with the fields
                  of a VectorStorage.
        progress: receives the progress of the change. None: progress is not reported.
        """
        return self._client.run(calls.reconfigure(self.name, legs, progress))

    def close(self) -> None:
        """Do nothing. The connections belong to the client; closing the client closes them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
