"""A collection together with its encoders: what programs, the command line and REST use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from ..core import (
    UNGUARDED,
    ConflictError,
    DeletedCount,
    Document,
    Guard,
    InvalidInputError,
    NoProgress,
    NotFoundError,
    Progress,
    SearchResult,
    Usage,
    WriteReport,
    add_usages,
)
from ..core.arguments import checked
from ..core.closing import Closing
from ..core.errors import shown
from ..core.filters import Filter, parse_filter
from ..encoders import EncoderLoader, load_encoder
from ..index import (
    CollectionConfig,
    LocalStore,
    Store,
    Transaction,
    Verify,
    require,
)
from ..index.models import absolute, model_names
from . import parameters
from .differing import differing
from .encoding.leg_encoders import LegEncoders
from .encoding.queries import QueryEncoder
from .finding.found import Found
from .finding.pipeline import answer, find
from .finding.planning import Asked, Plan, ask, check_search, plan, request_named
from .finding.reranking import reorder, rerank
from .info import describe
from .maintained import Maintained
from .request import SearchRequest
from .rerankers import RerankerRegistry
from .writing.ingest import check_passages
from .writing.upkeep import Upkeep
from .writing.writer import Writer

_SCANNED = 1_000
_SCANNED_BYTES = 16 << 20
"""A page of `scan` has so many documents, and bytes, at most."""


class Collection(Closing, Maintained):
    """Search and change one collection. Thread-safe; several processes may open the same one.

    >>> collection = Collection.open_or_create("my-index")                   # doctest: +SKIP
    >>> collection.add([{"id": "1", "text": "The kiwi cannot fly."}])    # doctest: +SKIP
    >>> [hit.id for hit in collection.search("flightless bird").hits]    # doctest: +SKIP
    ['1']
    """

    def __init__(
        self,
        store: Store,
        encoders: LegEncoders,
        *,
        read_only: bool = False,
        rerankers: RerankerRegistry | None = None,
    ) -> None:
        self.store = store
        self.rerankers = rerankers or RerankerRegistry()
        self.path = store.directory
        self.read_only = read_only
        self._encoders = encoders
        self._queries = QueryEncoder(store.config, self._encoders)
        self._upkeep = Upkeep(store)
        self._usage: Usage | None = None
        self._usage_lock = Lock()

    @classmethod
    @checked(**parameters.CREATE)
    def create(
        cls,
        path: Path | str,
        config: CollectionConfig | None = None,
        *,
        encoders: EncoderLoader = load_encoder,
        rerankers: RerankerRegistry | None = None,
    ) -> Collection:
        """Begin an empty collection in the folder `path`.

        Loads the encoders first, so that a missing one leaves nothing behind, and stores folders
        by absolute paths. Raises ModelError or ConfigError; ConflictError where there is one.
        """
        legs = LegEncoders(config := absolute(config or CollectionConfig(), encoders), encoders)
        legs.fingerprints()
        legs.check_widths()
        return cls(LocalStore.create(Path(path), config), legs, rerankers=rerankers)

    @classmethod
    @checked(**parameters.OPEN)
    def open(
        cls,
        path: Path | str,
        *,
        read_only: bool = False,
        verify: Verify = "full",
        encoders: EncoderLoader = load_encoder,
        rerankers: RerankerRegistry | None = None,
        models: Sequence[str] = (),
    ) -> Collection:
        """Open a collection; its configuration is stored in it, with the names of its models.

        verify: "full" compares the checksum of every file, "size" only sizes. encoders: required
        for a collection that was made with encoders of your own, as it stores none: the same as in
        `create`. rerankers: those that searches may name. models: where a moved model is looked
        for. Raises NotFoundError, CorruptFileError, which names the file, or ConflictError.
        """
        store = LocalStore.open(Path(path), verify=verify, read_only=read_only)
        legs = LegEncoders(store.config, encoders, models)
        return cls(store, legs, read_only=read_only, rerankers=rerankers)

    @classmethod
    @checked(**parameters.CREATE)
    def open_or_create(
        cls,
        path: Path | str,
        config: CollectionConfig | None = None,
        *,
        encoders: EncoderLoader = load_encoder,
        rerankers: RerankerRegistry | None = None,
    ) -> Collection:
        """Open the collection in the folder `path`, or create it where there is none.

        Raises ConfigError where there is one with another configuration than `config` (the device
        or the place of a model may differ); None accepts any. Other errors as `open` and `create`.
        """
        names = model_names(absolute(config or CollectionConfig(), encoders))
        try:
            collection = cls.open(path, encoders=encoders, rerankers=rerankers, models=names)
        except NotFoundError:
            try:
                return cls.create(path, config, encoders=encoders, rerankers=rerankers)
            except ConflictError:  # Another process was quicker.
                collection = cls.open(path, encoders=encoders, rerankers=rerankers, models=names)
        if config is not None and (difference := differing(collection.store, config)) is not None:
            collection.close()
            raise difference
        return collection

    def load(self) -> None:
        """Load the models and compile the kernels now instead of at the first use."""
        self._expect()
        self._encoders.fingerprints()
        for leg in self.config.legs.values():
            leg.warm()
        self.search(SearchRequest(query="warm", limit=1))

    def __repr__(self) -> str:
        return f"Collection({str(self.path)!r})"

    @property
    def config(self) -> CollectionConfig:
        """The configuration; see `LocalStore.config`."""
        return self.store.config

    # -- documents -------------------------------------------------------------------------

    @checked(**parameters.ADD)
    def add(
        self,
        documents: Iterable[Document | Mapping[str, object]],
        *,
        progress: Progress | None = None,
        record: Callable[[Transaction, WriteReport], None] | None = None,
    ) -> WriteReport:
        """Insert documents, or replace those with the same id. Durable when it returns.

        Mappings have `id` (or `_id`), `text`, `title`, `metadata`. Large inputs are written in
        batches of about a minute of encoding at most, each of which is durable at once. Documents
        that are stored with the same title, text and metadata are skipped (`unchanged`); a batch is
        skipped or written as one change, whatever other threads and processes write meanwhile.
        record: runs in the transaction of each batch, with the report up to and including it; then
        exactly the documents of these batches have been taken from `documents`. It does not run for
        a batch that is skipped whole.
        """
        self._writable()
        if record is not None:
            require(self.store, "transactions")
        progress = progress or NoProgress()
        writer = Writer(
            self.store,
            self._encoders,
            bind=self._bind,
            count=self._count,
            progress=progress,
            record=record,
        )
        for _ in writer.write(documents):
            self._upkeep.after_write()
        return writer.report

    def check_document(self, document: Document) -> None:
        """Raise InvalidInputError if the document would be cut into too many passages."""
        if not isinstance(document, Document):
            raise InvalidInputError(f"must be a Document, got {shown(document)}", field="document")
        check_passages(document, self.config, self._encoders)

    @checked(**parameters.IDS)
    def delete(self, ids: Sequence[str]) -> list[str]:
        """Delete documents; the ids that existed. Durable when it returns."""
        self._writable()
        deleted = self.store.delete(ids)
        self._upkeep.after_write()
        return deleted

    @checked(**parameters.DELETE_WHERE)
    def delete_where(self, filter: Filter) -> DeletedCount:  # noqa: A002
        """Delete every document that meets a filter; how many there were, with `warnings`."""
        self._writable()
        deleted = self.store.delete_where(parse_filter(filter))
        self._upkeep.after_write()
        return deleted

    @checked(**parameters.GET)
    def get(self, id: str) -> Document:  # noqa: A002
        """One document. Raises NotFoundError."""
        with self.store.view() as view:
            return view.get(id)

    @checked(**parameters.DOCUMENTS)
    def documents(
        self,
        *,
        after: str | None = None,
        limit: int = 100,
        filter: Filter | None = None,  # noqa: A002
        most_bytes: int | None = None,
    ) -> list[Document]:
        """Documents by id, ascending, beginning after the id `after`.

        most_bytes: fewer than `limit` documents are returned where they hold more than that
        together, but at least one.
        """
        with self.store.view() as view:
            return view.page(after, limit, parse_filter(filter), most_bytes=most_bytes)

    @checked(**parameters.COUNT)
    def scan(self, filter: Filter | None = None) -> Iterator[Document]:  # noqa: A002
        """All documents, or those that meet a filter, by id. Pages of them are in memory.

        What is written meanwhile is seen where the scan has not come to its id yet.
        """
        condition, after = parse_filter(filter), None
        while page := self.documents(
            after=after, limit=_SCANNED, filter=condition, most_bytes=_SCANNED_BYTES
        ):
            yield from page
            after = page[-1].id

    @checked(**parameters.COUNT)
    def count(self, filter: Filter | None = None) -> int:  # noqa: A002
        """Documents stored, or those that meet a filter."""
        with self.store.view() as view:
            return view.count(parse_filter(filter))

    @checked(limit=parameters.LIMIT)
    def fields(self, limit: int = 100) -> dict[str, set[int]]:
        """Fields of the metadata that a filter may name, by name, with the kinds of their values:
        `NUMBER`, `STRING`, `BOOLEAN` of `twindex.core.filters`. At most `limit` pairs of both."""
        found: dict[str, set[int]] = {}
        with self.store.view() as view:
            for name, kind in view.fields(limit):
                found.setdefault(name, set()).add(kind)
        return found

    # -- search ----------------------------------------------------------------------------

    def search(
        self,
        request: SearchRequest | Mapping[str, Any] | str,
        *,
        guard: Guard = UNGUARDED,
        **fields: Any,
    ) -> SearchResult:
        """Search. A text stands for `SearchRequest(query=text, **fields)`, and so does a mapping.

        guard: limits that the caller sets; what its `check` raises ends the search.
        """
        parameters.guard(guard, "guard")
        request = parameters.request(request, fields)
        self._expect()
        asked = ask(plan(self.store, request, self.rerankers), self._queries, guard)
        with self.store.view() as view:
            check_search(view.config, asked.plan)
            found = find(view, asked)
        return self._answer([found])[0]

    @checked(requests=parameters.requests, guard=parameters.guard)
    def search_batch(
        self,
        requests: Sequence[SearchRequest | Mapping[str, Any]],
        *,
        guard: Guard = UNGUARDED,
    ) -> list[SearchResult]:
        """Several searches of the same state; their queries are encoded together, and those that
        name the same reranker with the same budget are reranked together: a time limit is that of
        all of them.

        An InvalidInputError names the request, as in `requests[2].legs[0].name`.
        """
        self._expect()
        plans: list[Plan] = []
        texts: dict[str, list[str]] = {}
        for i, given in enumerate(requests):
            with request_named(i):
                request = parameters.request(given, {})
                plans.append(plan(self.store, request, self.rerankers))
            for leg in plans[-1].encoded:
                if request.query is not None and leg not in request.vectors:
                    texts.setdefault(leg, []).append(request.query)
        guard.check()
        self._queries.prepare(texts)
        asked: list[Asked] = []
        for i, one in enumerate(plans):
            with request_named(i):
                asked.append(ask(one, self._queries, guard))
        with self.store.view() as view:
            for i, one in enumerate(plans):
                with request_named(i):
                    check_search(view.config, one)
            found = [find(view, one) for one in asked]
        return self._answer(found)

    def _answer(self, found: Sequence[Found]) -> list[SearchResult]:
        """Rerank those that ask for it and cut their pages."""
        results = rerank(found)
        for result in results:
            if result is not None:
                self._count(result.usage)
        return [
            answer(self._queries, one, reorder(one, result))
            for one, result in zip(found, results, strict=True)
        ]

    # -- the whole --------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """What is in the collection, as JSON."""
        return {**describe(self.store), "maintenance_error": self._upkeep.failure}

    @property
    def usage(self) -> Usage | None:
        """What language models did for all searches and writes so far, those that failed
        afterwards included; and what rerankers did."""
        return add_usages(self._usage, self._queries.usage)

    def close(self) -> None:
        """Finish maintenance under way and let go of the files."""
        self._upkeep.close()
        self._queries.close()
        self.store.close()

    def _count(self, usage: Usage | None) -> None:
        with self._usage_lock:
            self._usage = add_usages(self._usage, usage)

    def _expect(self) -> None:
        """Until every leg has been indexed, look again which encoders it was indexed with."""
        if not self._encoders.complete:
            self._encoders.expect(self.store.fingerprints())

    def _bind(self) -> None:
        """Before a write: its encoders become those of the collection, or must equal them."""
        self._expect()
        own = self._encoders.fingerprints()
        if not self._encoders.complete:
            self._encoders.expect(self.store.bind(own))
            self._encoders.fingerprints()
