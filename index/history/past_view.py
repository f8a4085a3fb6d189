"""A view of a local collection as it was after an earlier commit.

A document is visible if it was written by this commit, and replaced or deleted after it. Scores use
the statistics of today's documents.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from itertools import islice

import numpy as np

from ...core import Document, InvalidInputError, NotFoundError, checked_text
from ...core.errors import shown
from ...core.filters import OWN, STRING, Condition, Equal, Exists, flatten, meets
from ...core.filters.conditions import tested
from ..field_values import FieldValues, Value
from ..store.database.history import Commit, Past, versions, visible
from ..store.filters.columns import Numbers
from ..store.filters.selection import all_numbers, select
from ..store.filters.stored_values import StoredColumns
from ..store.snapshot import Masks, Snapshot
from ..store.view import LocalView
from ..view import Handles


class PastView(LocalView):
    """A view as of `commit`. See `View` for the methods. Its generation is that of the commit."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        snapshot: Snapshot,
        columns: StoredColumns,
        commit: Commit,
    ) -> None:
        super().__init__(connection, snapshot, OrderedDict(), columns)
        self._commit = commit
        self.generation = commit.number
        self._past_names = visible(connection, commit)
        self._past_numbers = np.array(sorted(self._past_names), dtype=np.int64)

    @cached_property
    def _past(self) -> dict[int, Past]:
        """Number -> superseded version that is visible in this view."""
        found = versions(
            self.connection, "number <= ? AND ended > ?", self._commit.last, self._commit.number
        )
        return {one.number: one for one in found}

    def _of_past(self, numbers: Sequence[int]) -> dict[int, Document]:
        return {n: self._past[n].document for n in numbers if n in self._past_names}

    def _current(self, numbers: Sequence[int]) -> list[int]:
        return [n for n in numbers if n not in self._past_names]

    # -- searching -------------------------------------------------------------------------

    def select(self, where: Condition | None) -> Masks:
        if where is None:
            self.connection  # noqa: B018 - raises if the view is closed
            return self.snapshot.masks_at(self._commit.last, self._past_numbers)
        return self.snapshot.masks_of(self.matching(where))

    def among(self, documents: Handles) -> Masks:
        return self.snapshot.masks_of(documents)

    def matching(self, where: Condition | None) -> Numbers:
        now = all_numbers(self.connection) if where is None else select(self.connection, where)
        now = now[now <= self._commit.last]
        past = self._past_numbers
        if where is not None:
            met = [n for n, one in self._past.items() if meets(one.document, where)]
            past = np.array(met, dtype=np.int64)
        return np.sort(np.concatenate([now, past]))

    def count(self, where: Condition | None) -> int:
        return len(self.matching(where))

    def passage_count(self, where: Condition | None) -> int:
        masks = self.select(where)
        return sum(int(np.count_nonzero(mask)) for mask in masks if mask is not None)

    def warnings(self, where: Condition | None) -> list[str]:
        if where is None:
            return []
        unknown = [key for key in sorted(tested(where) - OWN) if not self.count(Exists(key))]
        return [
            f"filter: no document had a field {key!r} at commit {self.generation}"
            for key in unknown[:10]
        ]

    # -- documents -------------------------------------------------------------------------

    def names(self, documents: Sequence[int]) -> dict[int, str]:
        past = {n: self._past_names[n] for n in documents if n in self._past_names}
        return past | super().names(self._current(documents))

    def documents(self, documents: Sequence[int]) -> dict[int, Document]:
        return self._of_past(documents) | super().documents(self._current(documents))

    def sizes(self, documents: Sequence[int]) -> dict[int, int]:
        sql = (
            "SELECT length(CAST(title AS BLOB)) + length(CAST(text AS BLOB)) "
            "+ length(CAST(metadata AS BLOB)) FROM versions WHERE number = ?"
        )
        past = [n for n in documents if n in self._past_names]
        found = {n: int(self.connection.execute(sql, (n,)).fetchone()[0]) for n in past}
        return found | super().sizes(self._current(documents))

    def number_of(self, name: str) -> int:
        """Return the number of the version of a document. Raises NotFoundError if there is none."""
        found = self.matching(Equal("id", STRING, name))
        own = [n for n in found.tolist() if self.names([n])[n] == name]  # Not a field named "id".
        if not own:
            raise NotFoundError(f"there was no document {shown(name)} at commit {self.generation}")
        return int(own[0])

    def get(self, name: str) -> Document:
        number = self.number_of(name)
        return self.documents([number])[number]

    def page(
        self,
        after: str | None,
        limit: int,
        where: Condition | None,
        *,
        most_bytes: int | None = None,
    ) -> list[Document]:
        if limit < 1:
            raise InvalidInputError(f"must be at least 1, got {limit}", field="limit")
        begin = checked_text(after or "", "after")
        names = self.names(self.matching(where).tolist())
        ordered = sorted((name, number) for number, name in names.items() if name > begin)
        numbers = [number for _, number in ordered[:limit]]
        if most_bytes is not None:
            numbers = self._cut_page(numbers, most_bytes)
        found = self.documents(numbers)
        return [found[number] for number in numbers]

    def values(self, key: str, documents: Handles) -> FieldValues:
        current = ~np.isin(documents, self._past_numbers)
        found = self.columns.values(
            self.connection, self.snapshot.generation, key, documents[current]
        )
        if current.all():
            return found
        at = np.flatnonzero(current)[found.positions].tolist()
        pairs: list[tuple[int, Value]] = [
            (position, found.values[code])
            for position, code in zip(at, found.codes.tolist(), strict=True)
        ]
        for position in np.flatnonzero(~current).tolist():
            one = self._past[int(documents[position])].document
            pairs += [(position, value) for value in _values_of(one, key)]
        return FieldValues.of(pairs)

    def fields(self, limit: int = 100, where: Condition | None = None) -> list[tuple[str, int]]:
        numbers = self.matching(where).tolist()
        found: set[tuple[str, int]] = set()
        for start in range(0, len(numbers), 500):
            for one in self.documents(numbers[start : start + 500]).values():
                found |= {(key, kind) for key, kind, _ in flatten(one.metadata)}
        return list(islice(sorted(found), limit))


def _values_of(document: Document, key: str) -> list[Value]:
    """Return the values of a field as `View.values` does."""
    found: list[Value] = [(kind, v) for name, kind, v in flatten(document.metadata) if name == key]
    own = {"id": document.id, "title": document.title}.get(key)
    return [*found, (STRING, own)] if own else found
