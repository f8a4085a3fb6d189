"""Deletes stored documents, and changes their metadata, by ids or by a filter."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ....core import DeletedCount, Document, UpdateReport, arguments
from ....core.arguments import checked
from ....core.filters import Condition, check_selective
from ..database.database import Database
from ..database.tables import (
    delete_documents,
    documents_inside,
    existing_numbers,
    last_number,
    numbers_of,
    read_documents,
)
from ..database.updates import last_update, update_documents
from .field_names import unknown_fields
from .selection import select, select_newer


class ChangeMethods:
    """The methods of `LocalStore` that change or delete stored documents. See `Store`."""

    database: Database

    @checked(ids=arguments.ids)
    def delete(
        self,
        ids: Sequence[str],
        *,
        within: Condition | None = None,
        check: Callable[[Document], None] | None = None,
    ) -> list[str]:
        """See Store. The deletion is on disk on return."""
        with self.database.write() as connection:
            known = documents_inside(connection, numbers_of(connection, ids), within)
            if check is not None:
                for document in read_documents(connection, list(known.values())).values():
                    check(document)
            delete_documents(connection, list(known.values()))
        return [name for name in dict.fromkeys(ids) if name in known]

    def delete_where(self, where: Condition) -> DeletedCount:
        """See Store. The deletion is on disk on return."""
        check_selective(where)
        with self._chosen(where) as (connection, numbers, warnings):
            delete_documents(connection, numbers)
        return DeletedCount(len(numbers), warnings)

    @checked(ids=arguments.ids)
    def update(
        self,
        ids: Sequence[str],
        change: Callable[[Document], Document],
        *,
        within: Condition | None = None,
    ) -> UpdateReport:
        """See Store. The change is on disk on return."""
        with self.database.write() as connection:
            known = documents_inside(connection, numbers_of(connection, ids), within)
            changed = update_documents(connection, list(known.values()), change)
        missing = tuple(name for name in dict.fromkeys(ids) if name not in known)
        return UpdateReport(changed, len(known) - changed, missing)

    def update_where(
        self, where: Condition, change: Callable[[Document], Document]
    ) -> UpdateReport:
        """See Store. The change is on disk on return."""
        with self._chosen(where) as (connection, numbers, warnings):
            changed = update_documents(connection, numbers, change)
        return UpdateReport(changed, len(numbers) - changed, warnings=tuple(warnings))

    @contextmanager
    def _chosen(
        self, where: Condition
    ) -> Iterator[tuple[sqlite3.Connection, list[int], list[str]]]:
        """Yield a write transaction, the numbers of documents that meet `where`, and warnings."""
        # The filter may take long, so it is evaluated before the write lock is taken. Then only
        # newer numbers are evaluated again, unless metadata has changed meanwhile.
        with self.database.read() as connection:
            chosen = select(connection, where).tolist()
            last, updated = last_number(connection), last_update(connection)
            warnings = unknown_fields(connection, where)
        with self.database.write() as connection:
            if last_update(connection) != updated:
                numbers = select(connection, where).tolist()
            else:
                numbers = [
                    *existing_numbers(connection, chosen),
                    *select_newer(connection, where, last).tolist(),
                ]
            yield connection, numbers, warnings
