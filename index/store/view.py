"""A view of a local collection: a snapshot of its index, and a read transaction on its documents.

Snapshot and transaction show the collection after the same commit, so later writes do not change
what a search reads.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ...core import (
    Document,
    InvalidInputError,
    NotFoundError,
    StorageError,
    checked_text,
)
from ...core.errors import shown
from ...core.filters import Condition
from ..arrays.vectors import VectorSource
from ..field_values import FieldValues
from ..protocol import Approximate
from ..view import Handles
from .database.tables import numbers_of, read_documents, read_sizes
from .filters.columns import Numbers
from .filters.field_names import unknown_fields
from .filters.selection import all_numbers, has_field, select
from .filters.stored_values import StoredColumns
from .snapshot import Masks, Snapshot

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_CACHED_FILTERS = 32
_FIELDS = 10_000
"""Maximum number of fields of a collection that `fields` compares with a condition."""

_BLOCK = 8_192
"""Number of rows that `leg_vectors` reads at once."""

_BLOCK_WEIGHTS = 8 << 20
"""Number of weights that `leg_weights` reads at once."""


class SparseSource(Protocol):
    """A part of a sparse leg: SparseSegment or SparseDelta."""

    @property
    def weights(self) -> int: ...

    def read(self, start: int, stop: int) -> csr_array: ...


class LocalView:
    """A view of a `LocalStore`. Implements `VectorView` and `ExplainingView`.

    A document's handle is its number in the database. Only code in `index/store` may use
    `snapshot` and `connection`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        snapshot: Snapshot,
        filters: OrderedDict[tuple[int, Condition], Masks],
        columns: StoredColumns,
    ) -> None:
        self._connection: sqlite3.Connection | None = connection
        self.snapshot = snapshot
        self.config = snapshot.config
        self.generation = snapshot.generation
        self._filters = filters
        self.columns = columns
        self._words = columns.words
        self.search = snapshot.search
        self.frequencies = snapshot.frequencies
        self.statistics = snapshot.statistics
        self.near_terms = snapshot.near_terms
        self.passages = snapshot.passages
        self.explain = snapshot.explain
        self.terms = snapshot.terms
        self.vectors = snapshot.vectors
        self.passages_of = snapshot.passages_of

    @property
    def connection(self) -> sqlite3.Connection:
        """The view's read transaction. Raises StorageError after the view is closed."""
        if self._connection is None:
            raise StorageError("the view is closed; open a new view of the collection")
        return self._connection

    def close(self) -> None:
        """End access to the documents. Passages, vectors and explanations remain available."""
        self._connection = None

    # -- searching -------------------------------------------------------------------------

    def select(self, where: Condition | None) -> Masks:
        """See View. The selections of the latest conditions are cached."""
        if where is None:
            return self.snapshot.masks(None)
        key = (self.generation, where)
        known = self._filters.get(key)
        if known is None:
            known = self.snapshot.masks(select(self.connection, where))
            self._filters[key] = known
            while len(self._filters) > _CACHED_FILTERS:
                try:
                    self._filters.popitem(last=False)
                except KeyError:  # Another thread emptied the cache.
                    break
        return known

    def among(self, documents: Handles) -> Masks:
        """Return the selection of the documents with these handles. See `View.among`."""
        return self.snapshot.masks(documents)

    def warnings(self, where: Condition | None) -> list[str]:
        """Return a warning for each field in the condition `where` that no document has.

        See `View.warnings`.
        """
        return [] if where is None else unknown_fields(self.connection, where)

    # -- documents -------------------------------------------------------------------------

    def names(self, documents: Sequence[int]) -> dict[int, str]:
        """Return handle -> id for the documents with these handles. See `View.names`."""
        return self.columns.names.of(self.connection, documents)

    def documents(self, documents: Sequence[int]) -> dict[int, Document]:
        """Return handle -> document for the documents with these handles. See `View.documents`."""
        return read_documents(self.connection, documents)

    def sizes(self, documents: Sequence[int]) -> dict[int, int]:
        """See View. SQLite computes the sizes; texts are not read into memory."""
        return read_sizes(self.connection, documents)

    def get(self, name: str) -> Document:
        """Return the document with the id `name`. See `View.get`."""
        found = numbers_of(self.connection, [name])
        if not found:
            raise NotFoundError(f"there is no document {shown(name)}")
        return self.documents([found[name]])[found[name]]

    def page(
        self,
        after: str | None,
        limit: int,
        where: Condition | None,
        *,
        most_bytes: int | None = None,
    ) -> list[Document]:
        """Return at most `limit` documents in ascending order of their ids. See `View.page`."""
        if limit < 1:
            raise InvalidInputError(f"must be at least 1, got {limit}", field="limit")
        begin = checked_text(after or "", "after")
        allowed = None if where is None else set(select(self.connection, where).tolist())
        numbers: list[int] = []
        for (number,) in self.connection.execute(
            "SELECT number FROM documents WHERE id > ? ORDER BY id", (begin,)
        ):
            if allowed is None or number in allowed:
                numbers.append(number)
                if len(numbers) == limit:
                    break
        if most_bytes is not None:
            numbers = self._cut_page(numbers, most_bytes)
        found = self.documents(numbers)
        return [found[number] for number in numbers]

    def _cut_page(self, numbers: list[int], most_bytes: int) -> list[int]:
        """Return the first `numbers`, as many as have at most `most_bytes` of documents together.

        The very first number is returned even if its document is larger.
        """
        sizes, size = self.sizes(numbers), 0
        for i, number in enumerate(numbers):
            size += sizes[number]
            if size > most_bytes and i > 0:
                return numbers[:i]
        return numbers

    def count(self, where: Condition | None) -> int:
        """Return the number of documents that meet the condition `where`; None: all.

        See `View.count`.
        """
        if where is None:
            return int(self.connection.execute("SELECT count(*) FROM documents").fetchone()[0])
        return len(select(self.connection, where))

    def matching(self, where: Condition | None) -> Numbers:
        """Return the numbers of the documents that meet `where`, ascending. See `View.matching`."""
        return all_numbers(self.connection) if where is None else select(self.connection, where)

    def values(self, key: str, documents: Handles) -> FieldValues:
        """See View. The values of recently read fields are kept in memory."""
        return self.columns.values(self.connection, self.generation, key, documents)

    def completions(
        self, earlier: str, prefix: str, where: Condition | None, typos: int
    ) -> dict[str, tuple[int, int]]:
        """See VocabularyView. The first call reads all documents."""
        key = (self.generation, where)
        visible = partial(self.matching, where)
        return self._words.words(self.connection, key, visible, earlier, prefix, typos)

    def titles(self, text: str, where: Condition | None, limit: int) -> list[int]:
        """See VocabularyView. The first call reads all documents."""
        key = (self.generation, where)
        visible = partial(self.matching, where)
        return self._words.titles(self.connection, key, visible, text, limit)

    def passage_count(self, where: Condition | None) -> int:
        """Return the number of passages of the documents that meet `where`; None: of all."""
        if where is None:
            return self.snapshot.live_passages
        return sum(int(np.count_nonzero(mask)) for mask in self.select(where) if mask is not None)

    def fields(self, limit: int = 100, where: Condition | None = None) -> list[tuple[str, int]]:
        """See View. Without `where`, the time does not depend on the number of documents."""
        if where is not None:
            numbers = select(self.connection, where)
            every = self.fields(_FIELDS)
            within = (pair for pair in every if has_field(self.connection, *pair, numbers))
            return list(islice(within, limit))
        found: list[tuple[str, int]] = []
        last = ("", -1)
        while len(found) < limit:
            row = self.connection.execute(
                "SELECT key, kind FROM fields WHERE (key, kind) > (?, ?) "
                "ORDER BY key, kind LIMIT 1",
                last,
            ).fetchone()
            if row is None:
                break
            last = (str(row[0]), int(row[1]))
            found.append(last)
        return found

    # -- vectors ---------------------------------------------------------------------------

    def owners(self) -> Numbers:
        """See VectorView. The document numbers are in ascending order."""
        return np.concatenate([part.live_numbers for part in self.snapshot.parts])

    def leg_vectors(
        self, leg: str, documents: Handles
    ) -> Iterator[tuple[Handles, NDArray[np.float32]]]:
        """Yield all vectors of the given documents in one dense leg, in blocks.

        See `VectorView.leg_vectors`.
        """
        for part, mask in zip(self.snapshot.parts, self.among(documents), strict=True):
            source = cast(VectorSource, part.legs[leg])
            numbers = part.passages.numbers
            for start in range(0, len(part), _BLOCK):
                stop = min(start + _BLOCK, len(part))
                keep = slice(None) if mask is None else mask[start:stop]
                owners = numbers[start:stop][keep]
                if len(owners):
                    yield owners, source.read(start, stop)[keep]

    def leg_weights(self, leg: str) -> Iterator[tuple[Handles, csr_array]]:
        """See VectorView. For each block, reads all posting lists of the segment."""
        for part in self.snapshot.parts:
            source = cast(SparseSource, part.legs[leg])
            blocks = max(1, -(-source.weights // _BLOCK_WEIGHTS))
            size = max(1, -(-len(part) // blocks))
            for start in range(0, len(part), size):
                stop = min(start + size, len(part))
                keep = slice(None) if part.live is None else part.live[start:stop]
                owners = part.passages.numbers[start:stop][keep]
                if len(owners):
                    yield owners, source.read(start, stop)[keep]

    def spans(self) -> NDArray[np.int32]:
        """Return the character range of each passage, int32 [passages, 2], ordered as in `owners`.

        See `VectorView.spans`.
        """
        found = []
        for part in self.snapshot.parts:
            own = part.passages.spans[: len(part)]
            found.append(own if part.live is None else own[part.live])
        return np.concatenate(found)

    def is_rounded(self, leg: str) -> bool:
        """Return True if a leg stores vectors with less precision than its encoder returns.

        See `VectorView.is_rounded`.
        """
        parts = [part.legs[leg] for part in self.snapshot.parts]
        kept = [part.description() for part in parts if isinstance(part, Approximate)]
        return any(one.get("originals", "float32") != "float32" for one in kept)
