"""What a search may ask of a collection, all of it answered from one state."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import Document, InvalidInputError, NotFoundError, Representation, checked_text
from ...core.filters import Condition
from ..config import CollectionConfig
from ..structures.looking import VectorSearch
from .database.tables import ids_of, numbers_of, read_documents, read_sizes
from .filters.columns import Numbers
from .filters.field_names import unknown_fields
from .filters.selection import select
from .snapshot import LegResult, Masks, Snapshot

_CACHED_FILTERS = 32


class Reader:
    """A snapshot of the index and a transaction on the documents that belong together."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        snapshot: Snapshot,
        filters: OrderedDict[tuple[int, Condition], Masks],
    ) -> None:
        self.connection = connection
        self.snapshot = snapshot
        self._filters = filters

    @property
    def config(self) -> CollectionConfig:
        """The configuration of this state."""
        return self.snapshot.config

    def masks(self, where: Condition | None) -> Masks:
        """Rows that a search with this condition may return. The latest are remembered."""
        if where is None:
            return self.snapshot.masks(None)
        key = (self.snapshot.generation, where)
        known = self._filters.get(key)
        if known is None:
            known = self.snapshot.masks(select(self.connection, where))
            self._filters[key] = known
            while len(self._filters) > _CACHED_FILTERS:
                try:
                    self._filters.popitem(last=False)
                except KeyError:  # Another thread was quicker.
                    break
        return known

    def filter_warnings(self, where: Condition | None) -> list[str]:
        """A warning for each field of a condition that no document has."""
        return [] if where is None else unknown_fields(self.connection, where)

    def search(
        self,
        leg: str,
        queries: Representation,
        depth: int,
        masks: Masks,
        search: VectorSearch | None = None,
    ) -> list[LegResult]:
        """See `Snapshot.search`."""
        return self.snapshot.search(leg, queries, depth, masks, search)

    def order_by_id(
        self, numbers: NDArray[np.int64], scores: NDArray[Any], tied: NDArray[np.bool_]
    ) -> NDArray[np.intp]:
        """Positions by score, descending; the positions in `tied` also by id, ascending."""
        ids = ids_of(self.connection, numbers[tied].tolist())
        places = np.zeros(len(numbers), dtype=np.int64)
        by_name = sorted(np.flatnonzero(tied).tolist(), key=lambda i: ids[int(numbers[i])])
        places[by_name] = np.arange(len(by_name))
        return np.lexsort((places, -scores))

    def documents(self, numbers: Sequence[int]) -> dict[int, Document]:
        """number -> document."""
        return read_documents(self.connection, numbers)

    def sizes(self, numbers: Sequence[int]) -> dict[int, int]:
        """number -> bytes of title, text and metadata, without reading them into memory."""
        return read_sizes(self.connection, numbers)

    def names(self, numbers: Sequence[int]) -> dict[int, Document]:
        """number -> document without its contents, which is quicker."""
        return {n: Document(name, "") for n, name in ids_of(self.connection, numbers).items()}

    def get(self, name: str) -> Document:
        """Raises NotFoundError."""
        found = numbers_of(self.connection, [name])
        if not found:
            raise NotFoundError(f"there is no document {name!r}")
        return self.documents([found[name]])[found[name]]

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
        if limit < 1:
            raise InvalidInputError("must be at least 1", field="limit")
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
            numbers = self._within(numbers, most_bytes)
        found = self.documents(numbers)
        return [found[number] for number in numbers]

    def _within(self, numbers: list[int], most_bytes: int) -> list[int]:
        """The first numbers, as many as hold at most `most_bytes` together, but at least one."""
        sizes, size = self.sizes(numbers), 0
        for i, number in enumerate(numbers):
            size += sizes[number]
            if size > most_bytes and i > 0:
                return numbers[:i]
        return numbers

    def count(self, where: Condition | None) -> int:
        """Documents, or those that meet a condition."""
        if where is None:
            return int(self.connection.execute("SELECT count(*) FROM documents").fetchone()[0])
        return len(select(self.connection, where))

    def fields(self, limit: int = 100) -> list[tuple[str, int]]:
        """(field, kind) of the metadata, ascending; a field with values of several kinds has an
        entry for each. At most `limit` entries. Kinds are those of `core.filters`.

        The time grows with the entries, not with the documents.
        """
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

    def indexed_numbers(self) -> Numbers:
        """Numbers of all documents that a search could return, ascending."""
        live = [
            part.passages.numbers if part.live is None else part.passages.numbers[part.live]
            for part in self.snapshot.parts
            if len(part.passages)
        ]
        return np.unique(np.concatenate(live)) if live else np.empty(0, dtype=np.int64)
