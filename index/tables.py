"""Statements on the tables of a collection. All run inside a transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ..core import CollectionConfig, Document, StorageError
from .database import get_meta
from .files import dump_states, load_states
from .filters import flatten
from .segment import SegmentRow

_CHUNK = 500


def _chunks(values: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    """The values in pieces, each with its placeholders: SQLite limits variables."""
    for start in range(0, len(values), _CHUNK):
        piece = values[start : start + _CHUNK]
        yield ",".join("?" * len(piece)), piece


def numbers_of(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    """id -> number of the documents that exist."""
    found: dict[str, int] = {}
    # Half of a surrogate pair is not Unicode text: no document has such an id.
    for marks, piece in _chunks([name for name in dict.fromkeys(ids) if _is_unicode(name)]):
        rows = connection.execute(f"SELECT id, number FROM documents WHERE id IN ({marks})", piece)
        found.update(rows.fetchall())
    return found


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def ids_of(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    """number -> id of the documents that exist."""
    found: dict[int, str] = {}
    for marks, piece in _chunks(numbers):
        rows = connection.execute(
            f"SELECT number, id FROM documents WHERE number IN ({marks})", piece
        )
        found.update(rows.fetchall())
    return found


def read_documents(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Document]:
    """number -> document of those that exist."""
    found: dict[int, Document] = {}
    for marks, piece in _chunks(numbers):
        for number, name, title, text, metadata in connection.execute(
            "SELECT number, id, title, text, metadata FROM documents JOIN contents USING (number) "
            f"WHERE number IN ({marks})",
            piece,
        ):
            found[number] = Document(name, text, title, json.loads(metadata))
    return found


def same_documents(connection: sqlite3.Connection, documents: Sequence[Document]) -> dict[str, int]:
    """id -> number of those that are stored with equal title, text and metadata."""
    numbers = numbers_of(connection, [document.id for document in documents])
    stored = read_documents(connection, list(numbers.values()))
    return {
        one.id: numbers[one.id]
        for one in documents
        if one.id in numbers and _content(one) == _content(stored[numbers[one.id]])
    }


def _content(document: Document) -> tuple[str, str, str]:
    """What two equal documents have in common. As JSON, since 1 == 1.0 == True in Python."""
    metadata = json.dumps(dict(document.metadata), sort_keys=True)
    return document.title, document.text, metadata


def insert_document(connection: sqlite3.Connection, document: Document) -> int:
    """Store a document under a new number."""
    metadata = dict(document.metadata)
    cursor = connection.execute("INSERT INTO documents (id) VALUES (?)", (document.id,))
    number = int(cursor.lastrowid or 0)
    connection.execute(
        "INSERT INTO contents (number, title, text, metadata) VALUES (?, ?, ?, ?)",
        (number, document.title, document.text, json.dumps(metadata, ensure_ascii=False)),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO fields (key, kind, value, number) VALUES (?, ?, ?, ?)",
        _field_rows(metadata, number),
    )
    return number


def delete_documents(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Take documents away and leave tombstones for their passages."""
    for number in numbers:
        row = connection.execute(
            "SELECT metadata FROM contents WHERE number = ?", (number,)
        ).fetchone()
        connection.executemany(
            "DELETE FROM fields WHERE key = ? AND kind = ? AND value = ? AND number = ?",
            _field_rows(json.loads(row[0]), number),
        )
    for table in ("documents", "contents", "delta"):
        connection.executemany(
            f"DELETE FROM {table} WHERE number = ?", ((number,) for number in numbers)
        )
    connection.executemany(
        "INSERT INTO tombstones (number) VALUES (?)", ((number,) for number in numbers)
    )


def _field_rows(metadata: Mapping[str, Any], number: int) -> list[tuple[str, int, Any, int]]:
    return [(key, kind, value, number) for key, kind, value in flatten(metadata)]


def read_config(connection: sqlite3.Connection) -> CollectionConfig:
    """The configuration of the collection. Raises StorageError if it cannot be understood."""
    try:
        return CollectionConfig.stored(get_meta(connection, "config") or "")
    except ValidationError as error:
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise StorageError(
            f"{path}: the stored configuration cannot be read ({place}: {first['msg']}); "
            "is it of a later version?"
        ) from error


def read_segments(connection: sqlite3.Connection) -> list[SegmentRow]:
    """The live segments in the order of their numbers."""
    return [
        SegmentRow(name, first, last, passages, documents, load_states(manifest))
        for name, first, last, passages, documents, manifest in connection.execute(
            "SELECT id, first, last, passages, documents, manifest FROM segments ORDER BY first"
        )
    ]


def insert_segment(
    connection: sqlite3.Connection,
    row: SegmentRow,
) -> None:
    """Name a segment: from now on its files count."""
    connection.execute(
        "INSERT INTO segments (id, first, last, passages, documents, manifest) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (row.id, row.first, row.last, row.passages, row.documents, dump_states(row.files)),
    )


def dead_numbers(connection: sqlite3.Connection, first: int, last: int) -> set[int]:
    """Tombstones in a range of numbers."""
    rows = connection.execute(
        "SELECT DISTINCT number FROM tombstones WHERE number BETWEEN ? AND ?", (first, last)
    )
    return {row[0] for row in rows}


def last_number(connection: sqlite3.Connection) -> int:
    """The highest number that was ever given to a document."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'documents'").fetchone()
    return int(row[0]) if row else 0


def count_pending(connection: sqlite3.Connection, sealed: int) -> int:
    """Passages and tombstones since the last seal: about the rows of the delta in memory."""
    passages = connection.execute("SELECT count(*) FROM delta").fetchone()[0]
    dead = connection.execute(
        "SELECT count(*) FROM tombstones WHERE number > ?", (sealed,)
    ).fetchone()[0]
    return int(passages) + int(dead)
