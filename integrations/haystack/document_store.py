"""A Haystack document store that keeps its documents in a collection."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils import Secret

from ...core.errors import InvalidInputError
from .. import operations
from ..steps import Steps, check_collection, run, run_async
from . import opening
from .documents import check, of_stored, to_fields
from .filters import to_filter


class TwindexDocumentStore:
    """Stores documents in a collection. It implements the protocol DocumentStore of Haystack.

    The collection is opened, or created, at its first use.
    """

    def __init__(
        self,
        collection: Any,
        *,
        url: str | None = None,
        api_key: Secret | None = opening.KEY,
        config: Mapping[str, Any] | None = None,
        embedding_leg: str | None = None,
        sparse_embedding_leg: str | None = None,
    ) -> None:
        """Create a document store.

        collection: folder of a local collection; with `url`, the name of a collection of the
                    service; or an open collection, local or of `Client` or `AsyncClient`. An open
                    collection cannot be saved with a pipeline. One of `AsyncClient` has only
                    asynchronous methods.
        url:        address of a Twindex service. None: the collection is local.
        api_key:    secret with the API key of the service. It is read from TWINDEX_API_KEY by
                    default, and not sent if that is not set.
        config:     configuration of a new collection. None: the default configuration.
        embedding_leg: dense leg that stores `embedding` of documents. None: documents with an
                    embedding are refused.
        sparse_embedding_leg: sparse leg that stores `sparse_embedding`. None: refused.
        """
        given = isinstance(collection, str)
        if not given:
            check_collection(collection)
        if not given and (url is not None or config is not None):
            raise InvalidInputError(
                "applies to a collection that is given by its name; remove it",
                field="config" if url is None else "url",
            )
        self._given = collection
        self._url = url
        self._api_key = api_key
        self._config = config
        self.embedding_leg = embedding_leg
        self.sparse_embedding_leg = sparse_embedding_leg
        self._opened: Any = None if given else collection
        self._client: Any = None
        self._lock = Lock()

    @property
    def collection(self) -> Any:
        """The collection, which is opened now unless it is open."""
        with self._lock:
            if self._opened is None:
                if self._url is None:
                    self._opened = opening.local(self._given, self._config)
                else:
                    self._client = opening.client(self._url, self._api_key)
                    self._opened = self._client.open_or_create(self._given, self._config)
            return self._opened

    def close(self) -> None:
        """Close a collection that this document store opened. A later use opens it again."""
        with self._lock:
            if isinstance(self._given, str) and self._opened is not None:
                self._opened.close()
                self._opened = None
            if self._client is not None:
                self._client.close()
                self._client = None

    def to_dict(self) -> dict[str, Any]:
        """Return the document store as a dictionary, which a saved pipeline contains.

        Raises InvalidInputError if the document store was created with an open collection.
        """
        opening.check_serializable(self._given, "collection")
        return default_to_dict(
            self,
            collection=self._given,
            url=self._url,
            api_key=self._api_key,
            config=None if self._config is None else dict(self._config),
            embedding_leg=self.embedding_leg,
            sparse_embedding_leg=self.sparse_embedding_leg,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TwindexDocumentStore:
        """Return the document store that `to_dict` described."""
        found: TwindexDocumentStore = default_from_dict(cls, data)
        return found

    # -- the protocol ------------------------------------------------------------------------

    def count_documents(self) -> int:
        """Return the number of documents."""
        return run(self.collection, operations.count())

    async def count_documents_async(self) -> int:
        """Return the number of documents."""
        return await run_async(self.collection, operations.count())

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """Return the documents that meet a filter, in ascending order of id, without embeddings.

        Raises TwindexFilterError for a filter that Twindex cannot express.
        """
        found = run(self.collection, operations.list_all(to_filter(filters)))
        return [of_stored(one) for one in found]

    async def filter_documents_async(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """Return the documents that meet a filter. See `filter_documents`."""
        found = await run_async(self.collection, operations.list_all(to_filter(filters)))
        return [of_stored(one) for one in found]

    def write_documents(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Write documents and return their number. `score` is not stored.

        policy: what happens to a document whose id is stored already. NONE is FAIL. Ids are looked
                up before the documents are written, so another writer may come between.

        Raises DuplicateDocumentError for the policy FAIL, and InvalidDocumentsError for a document
        that cannot be stored.
        """
        check(documents)
        return run(self.collection, self._write(documents, policy))

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Write documents. See `write_documents`."""
        check(documents)
        return await run_async(self.collection, self._write(documents, policy))

    def _write(self, documents: list[Document], policy: DuplicatePolicy) -> Steps[int]:
        fields = to_fields(documents, self.embedding_leg, self.sparse_embedding_leg)
        if policy != DuplicatePolicy.OVERWRITE:
            stored = yield from operations.read([one.id for one in documents])
            known = {one.id for one in stored}
            new = []
            for one in fields:
                if one["id"] not in known:
                    new.append(one)
                elif policy != DuplicatePolicy.SKIP:
                    raise DuplicateDocumentError(f"ID '{one['id']}' already exists.")
                known.add(one["id"])
            fields = new
        yield from operations.write(fields)
        return len(fields)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Delete documents by id. Unknown ids are skipped."""
        run(self.collection, operations.delete(document_ids))

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """Delete documents by id. Unknown ids are skipped."""
        await run_async(self.collection, operations.delete(document_ids))

    # -- beyond the protocol -----------------------------------------------------------------

    def delete_all_documents(self) -> None:
        """Delete all documents."""
        run(self.collection, operations.delete_all())

    async def delete_all_documents_async(self) -> None:
        """Delete all documents."""
        await run_async(self.collection, operations.delete_all())

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """Delete the documents that meet a filter. Return their number."""
        return run(self.collection, operations.delete_where(to_filter(filters) or {}))

    async def delete_by_filter_async(self, filters: dict[str, Any]) -> int:
        """Delete the documents that meet a filter. Return their number."""
        return await run_async(self.collection, operations.delete_where(to_filter(filters) or {}))

    def count_documents_by_filter(self, filters: dict[str, Any]) -> int:
        """Return the number of documents that meet a filter."""
        return run(self.collection, operations.count(to_filter(filters)))

    async def count_documents_by_filter_async(self, filters: dict[str, Any]) -> int:
        """Return the number of documents that meet a filter."""
        return await run_async(self.collection, operations.count(to_filter(filters)))
