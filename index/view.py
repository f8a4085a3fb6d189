"""What a search asks of one state of a collection, wherever that is stored.

Documents and passages are known by handles: integers that only the view which gave them can read.
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
"""Documents, or passages, of a view. A document has one handle in all results of the view."""

Selection = Any
"""Documents that a search may return, in the form of the store. Callers only pass it back."""


@dataclass(frozen=True, slots=True)
class LegResult:
    """Documents of one leg for one query, best first, each by its best passage.

    documents: int64 [m]; scores: float32 [m]; passages: int64 [m], the best of each document.
    complete: no greater depth would have found anything else.
    """

    documents: Handles
    scores: NDArray[np.float32]
    passages: Handles
    complete: bool

    def take(self, order: NDArray[np.intp]) -> LegResult:
        """The same documents in another order."""
        return LegResult(
            self.documents[order], self.scores[order], self.passages[order], self.complete
        )


class View(Protocol):
    """One state of a collection. `passages` also works after the view was closed.

    Reading from a leg that there is not raises InvalidInputError.
    """

    @property
    def config(self) -> CollectionConfig:
        """The configuration of this state."""

    @property
    def generation(self) -> int:
        """Grows with every change of the collection."""

    def select(self, where: Condition | None) -> Selection:
        """The documents that meet a condition; None = all."""

    def among(self, documents: Handles) -> Selection:
        """These documents."""

    def search(
        self,
        leg: str,
        queries: Representation,
        depth: int,
        within: Selection,
        how: VectorSearch | None = None,
    ) -> list[LegResult]:
        """The best `depth` documents of one leg for each query.

        Scores do not depend on `within`. Sparse and lexical legs return only documents that share a
        term with the query. The store chooses the order of equal scores. how: the effort of
        approximate indexes; None = as configured.
        """

    def names(self, documents: Sequence[int]) -> dict[int, str]:
        """Handle -> id."""

    def documents(self, documents: Sequence[int]) -> dict[int, Document]:
        """Handle -> document."""

    def sizes(self, documents: Sequence[int]) -> dict[int, int]:
        """Handle -> bytes of title, text and metadata."""

    def passages(self, passages: Handles) -> list[Passage | None]:
        """Which characters of its document each passage is; None = the whole document."""

    def get(self, name: str) -> Document:
        """The document with this id. Raises NotFoundError."""

    def page(
        self,
        after: str | None,
        limit: int,
        where: Condition | None,
        *,
        most_bytes: int | None = None,
    ) -> list[Document]:
        """Documents by id, ascending, beginning after the id `after`.

        most_bytes: largest sum of their sizes; the page is cut before it is passed, but has at
        least one document. None = no limit. Raises InvalidInputError for a `limit` below 1.
        """

    def count(self, where: Condition | None) -> int:
        """Documents, or those that meet a condition."""

    def fields(self, limit: int = 100) -> list[tuple[str, int]]:
        """(field, kind) of the metadata, ascending; a field with values of several kinds has an
        entry for each. At most `limit` entries. Kinds are those of `core.filters`."""

    def warnings(self, where: Condition | None) -> list[str]:
        """A warning for each field of a condition that no document has."""


class ExplainingView(View, Protocol):
    """A view of a store with the capability "explain". Both also work after it was closed."""

    def explain(
        self, leg: str, query: Representation, passages: Handles
    ) -> Iterator[Sequence[Contribution]]:
        """What each term of the query adds to the score of each passage; nothing for dense legs.

        The terms of a learned-sparse leg are decimal vocabulary indexes: the encoder names them.
        """

    def terms(self, leg: str, passages: Handles) -> Iterator[Sequence[TermWeight]]:
        """The terms of each passage, heaviest first, equal ones by term; nothing for dense legs.

        A learned-sparse leg gives weights, named as by `explain`; a lexical leg gives frequencies.
        """


class VectorView(View, Protocol):
    """A view of a store with the capability "vectors"."""

    def vectors(self, leg: str, passages: Handles) -> NDArray[np.float32]:
        """Vectors of a dense leg with one for each passage, as well as they are known: float32
        [m, d]."""

    def owners(self) -> Handles:
        """The document of each passage that a search could return; int64 [passages]."""

    def leg_vectors(
        self, leg: str, documents: Handles
    ) -> Iterator[tuple[Handles, NDArray[np.float32]]]:
        """All vectors of these documents, in blocks: the document of each, and float32 [m, d]."""

    def is_rounded(self, leg: str) -> bool:
        """The vectors of a leg are stored with less than the precision of its encoder."""
