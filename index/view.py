"""The protocol of a view: one state of a collection, as searches read it.

A view identifies documents and passages by handles: integers that are valid in that view only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core import Contribution, Document, Passage, Representation, TermWeight
from ..core.filters import Condition
from .config import CollectionConfig
from .structures.vector_search import VectorSearch

Handles = NDArray[np.int64]
"""Handles of documents or passages of a view.

A document has the same handle in all results of the view.
"""

Selection = Any
"""Documents that a search may return. Its type depends on the store; callers only pass it back."""


@dataclass(frozen=True, slots=True)
class LegResult:
    """The m best documents of one leg for one query, best first.

    A document's score is the score of its best passage.

    documents: int64 [m], handles.
    scores: float32 [m].
    passages: int64 [m], handle of the best passage of each document.
    complete: True if a greater depth would find no more documents.
    """

    documents: Handles
    scores: NDArray[np.float32]
    passages: Handles
    complete: bool

    def take(self, order: NDArray[np.intp]) -> LegResult:
        """Return this result with its documents in the positions `order`."""
        return LegResult(
            self.documents[order], self.scores[order], self.passages[order], self.complete
        )


class View(Protocol):
    """One state of a collection. `passages` also works after the view is closed.

    Methods raise InvalidInputError for an unknown leg.
    """

    @property
    def config(self) -> CollectionConfig:
        """The configuration of this state."""

    @property
    def generation(self) -> int:
        """Number of this state. It increases with every change of the collection."""

    def select(self, where: Condition | None) -> Selection:
        """Return the documents that meet the condition `where`; None: all documents."""

    def among(self, documents: Handles) -> Selection:
        """Return a selection of the given documents."""

    def search(
        self,
        leg: str,
        queries: Representation,
        depth: int,
        within: Selection,
        how: VectorSearch | None = None,
    ) -> list[LegResult]:
        """Return the best `depth` documents of one leg for each query.

        within: the documents that may be returned. Scores do not depend on it.
        how: search effort of approximate indexes. None: as configured.

        Sparse and lexical legs return only documents that share a term with the query. The order of
        equal scores depends on the store.
        """

    def names(self, documents: Sequence[int]) -> dict[int, str]:
        """Return handle -> id of the given documents."""

    def documents(self, documents: Sequence[int]) -> dict[int, Document]:
        """Return handle -> document."""

    def sizes(self, documents: Sequence[int]) -> dict[int, int]:
        """Return handle -> size of title, text and metadata, in bytes."""

    def passages(self, passages: Handles) -> list[Passage | None]:
        """Return the character range of each passage in its document; None: the whole document."""

    def get(self, name: str) -> Document:
        """Return the document with the id `name`. Raises NotFoundError."""

    def page(
        self,
        after: str | None,
        limit: int,
        where: Condition | None,
        *,
        most_bytes: int | None = None,
    ) -> list[Document]:
        """Return at most `limit` documents in ascending order of their ids.

        after: the page starts after this id. None: at the first document.
        where: condition that the documents must meet. None: all documents.
        most_bytes: maximum sum of their sizes. The page ends before it is exceeded, but has at
            least one document if there is one. None: no limit.

        Raises InvalidInputError for a `limit` below 1.
        """

    def count(self, where: Condition | None) -> int:
        """Return the number of documents that meet a condition; None: of all documents."""

    def fields(self, limit: int = 100) -> list[tuple[str, int]]:
        """Return the (field, kind) pairs of the metadata, ascending, at most `limit` of them.

        A field whose values have several kinds has one pair for each kind. Kinds are the constants
        of `core.filters`.
        """

    def warnings(self, where: Condition | None) -> list[str]:
        """Return a warning for each field of a condition that no document has."""


class ExplainingView(View, Protocol):
    """A view of a store with the capability "explain".

    `explain` and `terms` also work after the view is closed.
    """

    def explain(
        self, leg: str, query: Representation, passages: Handles
    ) -> Iterator[Sequence[Contribution]]:
        """Return the contributions of the query's terms to the score of each passage.

        Empty for dense legs. The terms of a learned-sparse leg are vocabulary indexes in decimal.
        The encoder translates them to tokens.
        """

    def terms(self, leg: str, passages: Handles) -> Iterator[Sequence[TermWeight]]:
        """Return the terms of each passage as `heaviest_first` orders them; empty for dense legs.

        A learned-sparse leg returns weights, and its terms are vocabulary indexes as in `explain`.
        A lexical leg returns term frequencies.
        """


class VectorView(View, Protocol):
    """A view of a store with the capability "vectors"."""

    def vectors(self, leg: str, passages: Handles) -> NDArray[np.float32]:
        """Return the vectors of m passages, float32 [m, d], at the best precision that is stored.

        The leg must be dense, with one vector for each passage.
        """

    def owners(self) -> Handles:
        """Return the document of each live passage, int64 [passages]."""

    def leg_vectors(
        self, leg: str, documents: Handles
    ) -> Iterator[tuple[Handles, NDArray[np.float32]]]:
        """Return all vectors of the given documents, in blocks.

        A block is the document of each vector, int64 [m], and the vectors, float32 [m, d].
        """

    def is_rounded(self, leg: str) -> bool:
        """Return True if a leg stores its vectors with less precision than its encoder returns."""
