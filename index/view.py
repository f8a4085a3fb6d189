"""The protocol of a view, through which a search reads a collection.

A view shows the collection after one commit; later writes do not change it. A view identifies
documents and passages by handles: integers that are valid in this view only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core import Contribution, Document, Passage, Representation, TermWeight
from ..core.filters import Condition
from .config import CollectionConfig
from .field_values import FieldValues
from .structures.vector_search import VectorSearch

if TYPE_CHECKING:  # scipy takes long to import.
    from scipy.sparse import csr_array

Handles = NDArray[np.int64]
"""Handles of documents or passages of a view.

A document has the same handle in all results of the view.
"""

Selection = Any
"""Documents that a search may return. Its type depends on the store; callers only pass it back."""


@dataclass(frozen=True, slots=True)
class LegResult:
    """The m best documents of one leg for one query, best first.

    A document's score is the score of its best passage. A handle is an integer that identifies a
    document or a passage in one view.

    documents: int64 [m], handles of the documents.
    scores: float32 [m].
    passages: int64 [m], handle of the best passage of each document.
    complete: True if a search for more documents would find no others.
    """

    documents: Handles
    scores: NDArray[np.float32]
    passages: Handles
    complete: bool

    def take(self, order: NDArray[np.intp]) -> LegResult:
        """Return a result with the documents at the positions `order`, in this order."""
        return LegResult(
            self.documents[order], self.scores[order], self.passages[order], self.complete
        )


@dataclass(frozen=True, slots=True)
class CollectionTerms:
    """Statistics of terms in all passages of a lexical leg. Deleted documents do not count.

    passages: number of passages.
    total_length: number of terms in all passages together, with repetitions.
    documents: term -> number of passages that contain it.
    occurrences: term -> number of its occurrences in all passages together.
    """

    passages: int
    total_length: int
    documents: Mapping[str, int]
    occurrences: Mapping[str, int]


class View(Protocol):
    """A read-only view of a collection after one commit.

    After the view is closed, the method `passages` still works. Methods raise InvalidInputError for
    an unknown leg.
    """

    @property
    def config(self) -> CollectionConfig:
        """The configuration of the collection in this view."""

    @property
    def generation(self) -> int:
        """A number that increases with every change of the collection."""

    def select(self, where: Condition | None) -> Selection:
        """Return the selection of documents that meet the condition `where`; None: all."""

    def among(self, documents: Handles) -> Selection:
        """Return the selection of the documents with these handles."""

    def search(
        self,
        leg: str,
        queries: Representation,
        depth: int,
        within: Selection,
        how: VectorSearch | None = None,
    ) -> list[LegResult]:
        """Return the best `depth` documents of one leg for each query.

        within: the documents that may be returned. Scores do not depend on `within`.
        how: recall target or parameters of approximate indexes. None: as configured.

        Sparse and lexical legs return only documents that share a term with the query. The order of
        equal scores depends on the store.
        """

    def frequencies(self, leg: str, terms: Sequence[str]) -> dict[str, int]:
        """Return term -> number of passages of a lexical leg that contain it.

        Passages of deleted documents do not count.
        """

    def statistics(self, leg: str, terms: Sequence[str]) -> CollectionTerms:
        """Return the statistics of these terms in a lexical leg.

        The time grows with the lengths of the posting lists of the terms.
        """

    def names(self, documents: Sequence[int]) -> dict[int, str]:
        """Return handle -> id for the documents with these handles."""

    def documents(self, documents: Sequence[int]) -> dict[int, Document]:
        """Return handle -> document for the documents with these handles."""

    def sizes(self, documents: Sequence[int]) -> dict[int, int]:
        """Return handle -> size in bytes of title, text and metadata together."""

    def passages(self, passages: Handles, neighbours: int = 0) -> list[Passage | None]:
        """Return the character range of each passage; a range None means the whole document.

        neighbours: number of passages before and after each passage that the range also covers.
            Near the beginning and the end of the document, there are fewer.
        """

    def get(self, name: str) -> Document:
        """Return the document with the id `name`. Raises NotFoundError if there is none."""

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
        most_bytes: maximum total size of the documents, as computed by `sizes`. The first document
            is returned even if it is larger. None: no limit.

        Raises InvalidInputError for a `limit` below 1.
        """

    def count(self, where: Condition | None) -> int:
        """Return the number of documents that meet the condition `where`; None: all."""

    def matching(self, where: Condition | None) -> Handles:
        """Return the documents that meet the condition `where`, in any order; None: all."""

    def values(self, key: str, documents: Handles) -> FieldValues:
        """Return the values of the metadata field `key` in these documents.

        Fields of nested objects are written with dots. `id` and `title` are the document's own id
        and title, and also metadata fields with these names, as in filters.
        """

    def passage_count(self, where: Condition | None) -> int:
        """Return the number of passages of the documents that meet `where`; None: of all."""

    def fields(self, limit: int = 100, where: Condition | None = None) -> list[tuple[str, int]]:
        """Return the metadata fields of all documents as (name, kind of value) pairs, ascending.

        A field with values of several kinds has one pair for each kind. The kinds are the constants
        NUMBER, STRING and BOOLEAN of `core.filters`.

        limit: maximum number of pairs.
        where: condition on the documents whose fields are returned. None: all documents.
        """

    def warnings(self, where: Condition | None) -> list[str]:
        """Return a warning for each field in the condition `where` that no document has."""


class ExplainingView(View, Protocol):
    """A view of a store with the capability "explain".

    `explain` and `terms` also work after the view is closed.
    """

    def explain(
        self, leg: str, query: Representation, passages: Handles
    ) -> Iterator[Sequence[Contribution]]:
        """Yield, for each passage, the contribution of each query term to the score of the passage.

        The contributions are empty for dense legs. A term of a learned-sparse leg is the index of a
        token in the encoder's vocabulary, as decimal digits. The encoder can translate it.
        """

    def terms(self, leg: str, passages: Handles) -> Iterator[Sequence[TermWeight]]:
        """Yield the terms of each passage with weights, heaviest first; empty for dense legs.

        In a learned-sparse leg, a term is a vocabulary number, as in `explain`, with its stored
        weight. In a lexical leg, the weight of a term is its frequency in the passage.
        """


class VocabularyView(View, Protocol):
    """A view of a store with the capability "vocabulary"."""

    def near_terms(self, leg: str, word: str, stem: str, most: int) -> list[tuple[str, int]]:
        """Return the terms of a lexical leg that a misspelled word may stand for, with their costs.

        word: the misspelled word, in lower case.
        stem: the term that the leg's analyzer makes of the word.
        most: maximum cost. The module `index.inverted.near_terms` defines costs.

        The terms are sorted by cost, then by term. They may include terms that occur only in
        deleted documents.
        """

    def completions(
        self, earlier: str, prefix: str, where: Condition | None, typos: int
    ) -> dict[str, tuple[int, int]]:
        """Return the words of documents that begin with a prefix, as {word: (typos, documents)}.

        Words are in lower case, not stems. The module `index.inverted.words` defines them.

        earlier: text whose words the counted documents contain. Ignored if no document that meets
            `where` contains all of them.
        prefix: beginning of the words in lower case, at least one character.
        where: condition that the counted documents meet. None: all documents.
        typos: 1: also return words that begin with a text one edit from the prefix.

        Only words of counted documents are returned.
        """

    def titles(self, text: str, where: Condition | None, limit: int) -> list[int]:
        """Return the handles of at most `limit` documents whose titles complete a text, best first.

        Titles that begin with the text come before other titles that have all its words, of which
        the last may be the beginning of a word. Then they are in alphabetical order, and in the
        order of their ids.

        text: the beginning of a title, in lower case.
        where: condition that the documents meet. None: all documents.
        """


class VectorView(View, Protocol):
    """A view of a store with the capability "vectors"."""

    def vectors(self, leg: str, passages: Handles) -> NDArray[np.float32]:
        """Return the vectors of m passages, float32 [m, d], at the best precision that is stored.

        The leg must be dense, with one vector for each passage.
        """

    def passages_of(self, documents: Handles) -> Handles:
        """Return the handles of all passages of some documents, int64 [m]."""

    def owners(self) -> Handles:
        """Return, for each passage, the handle of its document, int64 [passages].

        Passages of deleted documents are left out.
        """

    def leg_vectors(
        self, leg: str, documents: Handles
    ) -> Iterator[tuple[Handles, NDArray[np.float32]]]:
        """Yield all vectors of the given documents in one dense leg, in blocks.

        A block has the document handle of each vector, int64 [m], and the vectors, float32 [m, d].
        """

    def leg_weights(self, leg: str) -> Iterator[tuple[Handles, csr_array]]:
        """Yield the vectors of all passages in one sparse leg, in blocks, in the order of `owners`.

        A block has the document handle of each vector, int64 [m], and the vectors, CSR float32
        [m, vocabulary].
        """

    def spans(self) -> NDArray[np.int32]:
        """Return the character range of each passage, int32 [passages, 2], ordered as in `owners`.

        The range -1, -1 means the whole document.
        """

    def is_rounded(self, leg: str) -> bool:
        """Return True if a leg stores vectors with less precision than its encoder returns."""
