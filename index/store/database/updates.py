"""Changes the metadata of stored documents, which keep their numbers and encoded passages."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from ....core import Document
from .checks import content_check, document_check
from .meta import get_number, set_meta
from .tables import change_fields_total, field_rows, read_documents

UPDATED = "updated"
"""Key in `meta`: the generation of the latest change of metadata; absent: there was none.

Values of fields that were read from an earlier generation may be outdated.
"""
_CHUNK = 500


def last_update(connection: sqlite3.Connection) -> int:
    """Return the generation of the latest change of metadata, or 0 if there was none."""
    return get_number(connection, UPDATED)


def update_documents(
    connection: sqlite3.Connection,
    numbers: Sequence[int],
    change: Callable[[Document], Document],
) -> int:
    """Replace the metadata of the documents with these numbers. Return how many have changed.

    change: function from a stored document to the document with its new metadata. It must not
        change anything else. An error that it raises is raised, and the caller must roll back.

    Raises CorruptFileError for a damaged or missing document.
    """
    changed = 0
    gone: list[tuple[Any, ...]] = []
    added: list[tuple[Any, ...]] = []
    for start in range(0, len(numbers), _CHUNK):
        found = read_documents(connection, numbers[start : start + _CHUNK])
        for number, old in found.items():
            changed += _update(connection, number, old, change(old), gone, added)
        change_fields_total(connection, gone, -1)
        change_fields_total(connection, added, +1)
        gone.clear()
        added.clear()
    if changed:  # The generation grows by 1 when the transaction commits.
        set_meta(connection, UPDATED, str(get_number(connection, "generation") + 1))
    return changed


def _update(
    connection: sqlite3.Connection,
    number: int,
    old: Document,
    new: Document,
    all_gone: list[tuple[Any, ...]],
    all_added: list[tuple[Any, ...]],
) -> bool:
    """Replace the metadata of one document. Return False if it is equal to the stored one.

    all_gone, all_added: get the deleted and inserted rows of table `fields`.
    """
    same = (old.id, old.title, old.text) == (new.id, new.title, new.text)
    assert same, "only metadata may change under the number of a document"
    if _canonical(old) == _canonical(new):
        return False
    dumped = json.dumps(dict(new.metadata), ensure_ascii=False)
    content = content_check(new.title.encode(), new.text.encode(), dumped.encode())
    connection.execute(
        "UPDATE documents SET content = ?, crc = ? WHERE number = ?",
        (content, document_check(number, new.id.encode(), content), number),
    )
    connection.execute("UPDATE contents SET metadata = ? WHERE number = ?", (dumped, number))
    before, after = _rows(old, number), _rows(new, number)
    gone = [row for text, row in before.items() if text not in after]
    added = [row for text, row in after.items() if text not in before]
    connection.executemany(
        "DELETE FROM fields WHERE key = ? AND kind = ? AND value = ? AND number = ?", gone
    )
    connection.executemany(
        "INSERT INTO fields (key, kind, value, number) VALUES (?, ?, ?, ?)", added
    )
    all_gone.extend(gone)
    all_added.extend(added)
    return True


def _canonical(document: Document) -> str:
    """Return metadata in a form that is equal for equal JSON: 1 == 1.0 == True in Python."""
    return json.dumps(dict(document.metadata), sort_keys=True)


def _rows(document: Document, number: int) -> dict[str, tuple[Any, ...]]:
    """Return the rows of a document in table `fields`, by a text that tells 1 from 1.0."""
    return {repr(row): row for row in field_rows(document.metadata, number)}
