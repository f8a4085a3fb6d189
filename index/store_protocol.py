"""What a collection asks of the store that holds it: a folder here, or an engine elsewhere."""

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
    "vectors": "does not give vectors back",
    "maintenance": "has no segments to seal, merge, verify or store in another way",
    "snapshots": "does not keep a view as it was while others write",
    "transactions": "cannot store anything else together with a write",
}
"""What a store may be able to do -> what one without it says."""


def require(store: Store, capability: str, field: str | None = None) -> None:
    """Raise UnsupportedByStoreError where a store lacks a capability.

    field: of the request, which asks for it; None = named as the capability.
    """
    if capability not in store.capabilities:
        message = f"this store {CAPABILITIES[capability]}"
        raise UnsupportedByStoreError(message, field=field or capability)


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """A document to write: where its passages lie in the batch's representations.

    passages: empty = the document is one passage, whole.
    """

    document: Document
    passages: Sequence[Passage] = ()

    @property
    def count(self) -> int:
        """Passages, and so rows of each representation."""
        return max(1, len(self.passages))


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did: documents written, and how many of them replaced another."""

    documents: int
    replaced: int


Transaction = Any
"""The transaction of a write, in the form of the store. Callers only pass it back."""

Record = Callable[[Transaction, Written], None]
"""Stores something else together with a write. In a store with the capability "transactions" both
are durable or neither is."""


class OutdatedError(ConflictError):
    """A document that a write takes as stored was replaced or deleted before the write."""


class Store(Protocol):
    """Documents with their encoded passages. Safe to use from several threads."""

    @property
    def capabilities(self) -> frozenset[str]:
        """Which of `CAPABILITIES` it has."""

    @property
    def directory(self) -> Path:
        """The folder on this machine that belongs to the collection."""

    @property
    def config(self) -> CollectionConfig:
        """The configuration, of the latest state that was seen."""

    def view(self) -> AbstractContextManager[View]:
        """The latest state, for as long as the block lasts."""

    def unchanged(self, documents: Sequence[Document]) -> dict[str, int]:
        """id -> a number for the stored version of each document that is stored with the same
        title, text and metadata."""

    def write(
        self,
        batch: Sequence[EncodedDocument],
        legs: Mapping[str, Representation],
        *,
        unchanged: Mapping[str, int] | None = None,
        record: Record | None = None,
    ) -> Written:
        """Insert or replace documents; durable when this returns, if the store is.

        `legs` has for each leg the representations of all passages of `batch`, in order. Of
        documents with the same id the last one counts. `unchanged` are further documents of the
        same change (id -> number) that need no writing. Raises OutdatedError, and writes nothing,
        unless they all still have these numbers.
        """

    def delete(self, ids: Sequence[str]) -> list[str]:
        """Delete documents; the ids that existed, in the order given."""

    def delete_where(self, where: Condition) -> DeletedCount:
        """Delete the documents that meet a condition; how many they were, with a warning for each
        field that no document had.

        Raises InvalidInputError for a condition that is not selective (`check_selective`).
        """

    def fingerprints(self) -> dict[str, Any]:
        """Of the encoder of each leg, as far as something has been encoded."""

    def bind(self, fingerprints: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Store the encoders' fingerprints for legs that have none yet; return those stored."""

    def describe(self) -> dict[str, Any]:
        """What is stored, as JSON: at least `documents`, `passages` and `generation`."""

    def close(self) -> None:
        """Release files and connections. Searches under way fail."""
