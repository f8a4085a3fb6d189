"""The protocol of a store, which keeps the documents, passages and indexes of one collection.

A store keeps its data in a local folder or in an external search engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..core import (
    ConflictError,
    DeletedCount,
    Document,
    Passage,
    Representation,
    UnsupportedByStoreError,
    UpdateReport,
)
from ..core.filters import Condition
from .config import CollectionConfig
from .view import View

CAPABILITIES = {
    "explain": "cannot explain scores",
    "vectors": "does not return stored vectors",
    "vocabulary": "does not list the terms of a lexical leg and the words of documents",
    "maintenance": "has no index files to merge, verify or reconfigure",
    "snapshots": "does not protect running searches from later writes",
    "history": "keeps no versions of documents",
    "updates": "cannot change the metadata of a document without encoding it again",
    "transactions": "cannot store other data in the transaction of a write",
}
"""Optional capability of a store -> what a store without it lacks, for the error message."""


def require(store: Store, capability: str, field: str | None = None) -> None:
    """Raise UnsupportedByStoreError if `store` lacks the capability, a key of `CAPABILITIES`.

    field: request field that needs the capability, for the error. None: the error names the
        capability instead.
    """
    if capability not in store.capabilities:
        message = f"this store {CAPABILITIES[capability]}"
        raise UnsupportedByStoreError(message, field=field or capability)


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """A document to write, with the character ranges of its passages.

    passages: character range of each passage. Empty: the whole document is one passage.
    """

    document: Document
    passages: Sequence[Passage] = ()

    @property
    def count(self) -> int:
        """Number of passages. Each leg has one row for each passage."""
        return max(1, len(self.passages))


@dataclass(frozen=True, slots=True)
class Written:
    """Result of a write.

    documents: number of documents written.
    replaced: number of written documents that replaced a stored document.
    """

    documents: int
    replaced: int


Transaction = Any
"""The transaction of a write. Its type depends on the store; callers only pass it back."""

Record = Callable[[Transaction, Written], None]
"""A function that stores other data together with a write.

In a store with the capability "transactions" both become durable or neither does.
"""


def taken(name: str) -> ConflictError:
    """Return the error of a write whose id belongs to a document that it may not replace."""
    return ConflictError(f"the id {name!r} cannot be used here; choose another id")


class OutdatedError(ConflictError):
    """Another write has replaced or deleted a document that this write expected to be unchanged."""


class Store(Protocol):
    """A store of the documents of one collection, and of an index for each leg. Thread-safe."""

    @property
    def capabilities(self) -> frozenset[str]:
        """The keys of `CAPABILITIES` that this store supports."""

    @property
    def directory(self) -> Path:
        """The local folder of the collection."""

    @property
    def config(self) -> CollectionConfig:
        """The collection's configuration as this store has last read it."""

    def view(self) -> AbstractContextManager[View]:
        """Return a context manager that opens a view of the collection as it is now."""

    def unchanged(self, documents: Sequence[Document]) -> dict[str, int]:
        """Return id -> number of the stored version, for the `documents` that need no write.

        These documents are stored with equal title, text and metadata. The number of a document
        changes with each write of the document.
        """

    def write(
        self,
        batch: Sequence[EncodedDocument],
        legs: Mapping[str, Representation],
        *,
        unchanged: Mapping[str, int] | None = None,
        record: Record | None = None,
        within: Condition | None = None,
        check: Callable[[Mapping[str, Document]], None] | None = None,
    ) -> Written:
        """Insert or replace documents. In a durable store they are on disk on return.

        legs: leg -> representations of all passages of `batch`, in order.
        unchanged: id -> number, as the method `unchanged` returned it, for documents outside
            `batch`. If one of them now has another number, the write raises OutdatedError and
            stores nothing.
        record: called in the transaction of the write; see `Record`.
        within: condition that a stored document must meet to be replaced. If it does not meet the
            condition, the write raises ConflictError and stores nothing.
        check: called in the transaction, before any change, with id -> document for the stored
            documents that would be replaced. An error that it raises is raised, and nothing is
            stored. Needs the capability "updates".

        If several documents in `batch` have the same id, the last one is stored.
        """

    def delete(
        self,
        ids: Sequence[str],
        *,
        within: Condition | None = None,
        check: Callable[[Document], None] | None = None,
    ) -> list[str]:
        """Delete documents. Return those of the `ids` that existed, in the same order.

        within: condition that a document must meet to be deleted. Other documents are not found.
        check: called with each stored document, in the transaction, before any is deleted. An error
            that it raises is raised, and nothing is deleted. Needs the capability "updates".
        """

    def delete_where(self, where: Condition) -> DeletedCount:
        """Delete the documents that meet a condition.

        Returns the number of deleted documents, with a warning for each field in the condition that
        no document has. Raises InvalidInputError if the condition could match every document.
        """

    def update(
        self,
        ids: Sequence[str],
        change: Callable[[Document], Document],
        *,
        within: Condition | None = None,
    ) -> UpdateReport:
        """Change the metadata of documents, which are not encoded again.

        Needs the capability "updates". A document keeps its number.

        change: function from a stored document to the document with its new metadata, called in
            the transaction. An error that it raises is raised, and nothing is changed.
        within: condition that a document must meet. Other documents are not found.
        """

    def update_where(
        self, where: Condition, change: Callable[[Document], Document]
    ) -> UpdateReport:
        """Change the metadata of all documents that meet a condition. See `update`."""

    def fingerprints(self) -> dict[str, Any]:
        """Return leg -> fingerprint of the encoder that produced its vectors or terms.

        Encoders with equal fingerprints return comparable vectors or terms. Legs that have no
        vectors or terms yet are left out.
        """

    def bind(self, fingerprints: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Store encoder fingerprints (leg -> fingerprint) of the legs that have none yet.

        Returns leg -> fingerprint as stored, for all legs that have one.
        """

    def describe(self) -> dict[str, Any]:
        """Return statistics of the collection as JSON values.

        The result has at least `documents` and `passages` (how many there are) and `generation`
        (see View).
        """

    def close(self) -> None:
        """Close files and connections. Running searches fail."""
