"""The protocol of a store, which holds the data of one collection.

A store can be a local folder or an external engine.
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
)
from ..core.filters import Condition
from .config import CollectionConfig
from .view import View

CAPABILITIES = {
    "explain": "cannot explain scores",
    "vectors": "does not return stored vectors",
    "maintenance": "has no segments to seal, merge, verify or reconfigure",
    "snapshots": "does not isolate a view from later writes",
    "transactions": "cannot store other data in the transaction of a write",
}
"""Optional capability of a store -> error text of a store without it."""


def require(store: Store, capability: str, field: str | None = None) -> None:
    """Raise UnsupportedByStoreError if `store` lacks the capability.

    field: request field that needs the capability, for the error. None: the capability's name.
    """
    if capability not in store.capabilities:
        message = f"this store {CAPABILITIES[capability]}"
        raise UnsupportedByStoreError(message, field=field or capability)


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """A document to write, and its passages.

    passages: character ranges of the passages. Empty: the whole document is one passage.
    """

    document: Document
    passages: Sequence[Passage] = ()

    @property
    def count(self) -> int:
        """Number of passages. Each representation has one row for each passage."""
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


class OutdatedError(ConflictError):
    """A document that a write expects to be stored was replaced or deleted before the write."""


class Store(Protocol):
    """A store of documents and their encoded passages. Thread-safe."""

    @property
    def capabilities(self) -> frozenset[str]:
        """The keys of `CAPABILITIES` that this store supports."""

    @property
    def directory(self) -> Path:
        """The local folder of the collection."""

    @property
    def config(self) -> CollectionConfig:
        """The collection's configuration in the latest state that this store has read."""

    def view(self) -> AbstractContextManager[View]:
        """Return a context manager that opens a view of the latest state."""

    def unchanged(self, documents: Sequence[Document]) -> dict[str, int]:
        """Return the documents that are already stored with equal title, text and metadata.

        The result maps an id to the number of the stored version.
        """

    def write(
        self,
        batch: Sequence[EncodedDocument],
        legs: Mapping[str, Representation],
        *,
        unchanged: Mapping[str, int] | None = None,
        record: Record | None = None,
    ) -> Written:
        """Insert or replace documents. In a durable store they are on disk on return.

        legs: leg -> representations of all passages of `batch`, in order.
        unchanged: id -> number of documents in the same change that need no write. If one of them
            has another number now, the method raises OutdatedError and writes nothing.
        record: called in the same transaction; see `Record`.

        If several documents have the same id, the last one is stored.
        """

    def delete(self, ids: Sequence[str]) -> list[str]:
        """Delete documents. Return the ids that existed, in the order given."""

    def delete_where(self, where: Condition) -> DeletedCount:
        """Delete the documents that meet a condition.

        Returns their number, with a warning for each field that no document has. Raises
        InvalidInputError for a condition that is not selective (`check_selective`).
        """

    def fingerprints(self) -> dict[str, Any]:
        """Return leg -> fingerprint of its encoder. Legs without encoded texts are left out."""

    def bind(self, fingerprints: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Store the fingerprints of encoders for legs without one.

        Returns the stored fingerprints of all legs.
        """

    def describe(self) -> dict[str, Any]:
        """Return counts as JSON: at least `documents`, `passages` and `generation`."""

    def close(self) -> None:
        """Release files and connections. Running searches fail."""
