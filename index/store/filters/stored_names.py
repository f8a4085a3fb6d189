"""The ids of documents, kept in memory for searches that order equal documents by id."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ..database.tables import ids_of


class StoredNames:
    """The ids that searches have read, by document number. Thread-safe.

    An id that was read once stays right, because a document that is written again has a new number.

    most: maximum number of ids. When there are more, all are forgotten.
    """

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._known: dict[int, str] = {}

    def of(self, connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
        """Return number -> id for documents that `connection`, a read transaction, sees.

        Raises CorruptFileError for a damaged or missing document whose id is not known yet.
        """
        known = self._known
        found = {number: known[number] for number in numbers if number in known}
        if len(found) < len(numbers):
            missing = [number for number in numbers if number not in found]
            read = ids_of(connection, missing)
            if len(known) + len(read) > self._most:
                self._known = known = {}  # Another thread may still read the old one.
            known.update(read)
            found |= read
        return found
