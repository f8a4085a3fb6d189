"""Statements on the tables of a collection. All run within a transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ....core import ConfigError, CorruptFileError, Document, StorageError
from ....core.filters import flatten
from ...arrays.files import dump_states, load_states
from ...config import CollectionConfig
from .checks import (
    content_check,
    damaged,
    delta_check,
    differs,
    document_check,
    parse_json,
    path_of,
    row_check,
)
from .meta import get_meta, set_meta
from .rows import SegmentRow

_CHUNK = 500


def _chunks(values: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield placeholders and values in chunks, because SQLite limits the number of variables."""
    for start in range(0, len(values), _CHUNK):
        piece = values[start : start + _CHUNK]
        yield ",".join("?" * len(piece)), piece


def numbers_of(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return id -> number of the documents that exist. Raises CorruptFileError."""
    found: dict[str, int] = {}
    # A lone surrogate is not Unicode text, so no document has such an id.
    for marks, piece in _chunks([name for name in dict.fromkeys(ids) if _is_unicode(name)]):
        for name, number, content, crc in connection.execute(
            f"SELECT id, number, content, crc FROM documents WHERE id IN ({marks})", piece
        ):
            if differs(crc, document_check(number, str(name).encode(), content)):
                raise damaged(connection, f"the row of document {name!r}")
            found[name] = number
    return found


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def ids_of(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Return number -> id of documents.

    Raises CorruptFileError for a damaged or missing document.
    """
    found: dict[int, str] = {}
    for marks, piece in _chunks(numbers):
        for number, name, content, crc in connection.execute(
            "SELECT number, CAST(id AS BLOB), content, crc FROM documents "
            f"WHERE number IN ({marks})",
            piece,
        ):
            if differs(crc, document_check(number, name, content)):
                raise damaged(connection, f"the row of document number {number}")
            found[number] = name.decode()
    _check_found(connection, numbers, found)
    return found


def existing_numbers(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[int]:
    """Return the numbers whose documents still exist."""
    return [
        row[0]
        for marks, piece in _chunks(numbers)
        for row in connection.execute(
            f"SELECT number FROM documents WHERE number IN ({marks})", piece
        )
    ]


def unchanged_documents(
    connection: sqlite3.Connection, documents: Sequence[Document]
) -> dict[str, int]:
    """Return id -> number of documents that are stored with equal title, text and metadata."""
    numbers = numbers_of(connection, [document.id for document in documents])
    stored = read_documents(connection, list(numbers.values()))
    return {
        one.id: numbers[one.id]
        for one in documents
        if one.id in numbers and _content(one) == _content(stored[numbers[one.id]])
    }


def _content(document: Document) -> tuple[str, str, str]:
    """Return a value that is equal for equal documents.

    Metadata is compared as JSON, because 1 == 1.0 == True in Python.
    """
    metadata = json.dumps(dict(document.metadata), sort_keys=True)
    return document.title, document.text, metadata


_DOCUMENT = (
    "SELECT number, CAST(id AS BLOB), content, crc, CAST(title AS BLOB), CAST(text AS BLOB), "
    "CAST(metadata AS BLOB) FROM documents LEFT JOIN contents USING (number)"
)


def read_documents(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Document]:
    """Return number -> document. Raises CorruptFileError for a damaged or missing document."""
    found: dict[int, Document] = {}
    for marks, piece in _chunks(numbers):
        for row in connection.execute(f"{_DOCUMENT} WHERE number IN ({marks})", piece):
            found[row[0]] = _document(connection, row)
    _check_found(connection, numbers, found)
    return found


def read_sizes(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, int]:
    """Return number -> stored size of title, text and metadata, in bytes."""
    found: dict[int, int] = {}
    for marks, piece in _chunks(numbers):
        found |= connection.execute(
            "SELECT number, length(CAST(title AS BLOB)) + length(CAST(text AS BLOB)) "
            f"+ length(CAST(metadata AS BLOB)) FROM contents WHERE number IN ({marks})",
            piece,
        )
    return found


def iterate_documents(
    connection: sqlite3.Connection,
) -> Iterator[tuple[int, Document | StorageError]]:
    """Yield (number, document) in order of the numbers, or (number, error) if it is damaged."""
    for row in connection.execute(f"{_DOCUMENT} ORDER BY number"):
        try:
            yield row[0], _document(connection, row)
        except CorruptFileError as error:
            yield row[0], error


def _document(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Document:
    number, name, content, crc, title, text, metadata = row
    if differs(crc, document_check(number, name, content)):
        raise damaged(connection, f"the row of document number {number}")
    where = f"document {name.decode(errors='replace')!r} (number {number})"
    if title is None or text is None or metadata is None:
        raise damaged(connection, where, "its contents are missing")
    if differs(content, content_check(title, text, metadata)):
        raise damaged(connection, where, "the checksum of its text, title and metadata differs")
    values = parse_json(connection, where, metadata)
    return Document(name.decode(), text.decode(), title.decode(), values)


def _check_found(
    connection: sqlite3.Connection, numbers: Sequence[int], found: Mapping[int, Any]
) -> None:
    for number in numbers:
        if number not in found:
            raise damaged(connection, f"document number {number}", "its row is missing")


def insert_documents(connection: sqlite3.Connection, documents: Sequence[Document]) -> list[int]:
    """Store documents under new numbers. Return the numbers."""
    first = last_number(connection) + 1
    rows: list[tuple[str, int, Any, int]] = []
    for number, document in enumerate(documents, first):
        metadata = dict(document.metadata)
        dumped = json.dumps(metadata, ensure_ascii=False)
        content = content_check(
            document.title.encode(), document.text.encode(), dumped.encode("utf-8")
        )
        connection.execute(
            "INSERT INTO documents (number, id, content, crc) VALUES (?, ?, ?, ?)",
            (number, document.id, content, document_check(number, document.id.encode(), content)),
        )
        connection.execute(
            "INSERT INTO contents (number, title, text, metadata) VALUES (?, ?, ?, ?)",
            (number, document.title, document.text, dumped),
        )
        rows.extend(field_rows(metadata, number))
    connection.executemany(
        "INSERT INTO fields (key, kind, value, number) VALUES (?, ?, ?, ?)", rows
    )
    _change_fields(connection, rows, +1)
    return list(range(first, first + len(documents)))


def delete_documents(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Delete documents, including damaged ones, and insert tombstones for their passages."""
    rows: list[tuple[str, int, Any, int]] = []
    for number in numbers:
        try:
            metadata = read_documents(connection, [number])[number].metadata
            rows.extend(field_rows(metadata, number))
        except CorruptFileError:
            # The metadata is damaged, so find its rows by a scan of `fields`.
            sql = "SELECT key, kind, value, number FROM fields WHERE number = ?"
            rows.extend(connection.execute(sql, (number,)).fetchall())
    connection.executemany(
        "DELETE FROM fields WHERE key = ? AND kind = ? AND value = ? AND number = ?", rows
    )
    _change_fields(connection, rows, -1)
    for table in ("documents", "contents", "delta"):
        connection.executemany(
            f"DELETE FROM {table} WHERE number = ?", ((number,) for number in numbers)
        )
    insert_tombstones(connection, numbers)


def insert_tombstones(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Mark documents as deleted, so that no search returns their passages."""
    connection.executemany(
        "INSERT INTO tombstones (number, crc) VALUES (?, ?)",
        ((number, row_check(number)) for number in numbers),
    )


def tombstones(connection: sqlite3.Connection, condition: str, *values: int) -> NDArray[np.int64]:
    """Return the document numbers of tombstones that meet an SQL condition, ascending.

    Raises CorruptFileError.
    """
    found = set()
    for number, crc in connection.execute(
        f"SELECT number, crc FROM tombstones WHERE {condition}", values
    ):
        if differs(crc, row_check(number)):
            raise damaged(connection, f"the tombstone of document number {number}")
        found.add(number)
    return np.array(sorted(found), dtype=np.int64)


def insert_passages(
    connection: sqlite3.Connection, rows: Iterable[tuple[int, int, int, bytes]]
) -> None:
    """Append passages to the delta: (number, start, stop, encoded legs)."""
    connection.executemany(
        "INSERT INTO delta (number, start, stop, data, crc) VALUES (?, ?, ?, ?, ?)",
        ((*row, delta_check(*row)) for row in rows),
    )


def field_rows(metadata: Mapping[str, Any], number: int) -> list[tuple[str, int, Any, int]]:
    """Return the distinct rows of `fields` for one document."""
    unique = dict.fromkeys(flatten(metadata))
    return [(key, kind, value, number) for key, kind, value in unique]


def fields_total(rows: Iterable[tuple[Any, ...]]) -> tuple[int, int]:
    """Return the number of rows of `fields` and the sum of their checksums."""
    count = total = 0
    for row in rows:
        count += 1
        total += row_check(*row)
    return count, total


def _change_fields(
    connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]], sign: int
) -> None:
    """Update the stored count and checksum of `fields` for inserted (+1) or deleted (-1) rows."""
    if rows:
        before = stored_fields_total(connection)
        count, total = fields_total(rows)
        set_meta(connection, "fields", f"{before[0] + sign * count} {before[1] + sign * total}")


def stored_fields_total(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the stored result of `fields_total` for all rows of `fields`."""
    value = get_meta(connection, "fields")
    try:
        count, total = map(int, (value or "0 0").split())
    except ValueError as error:
        raise damaged(
            connection, "the value of 'fields'", f"it must be two integers, got {value!r}"
        ) from error
    return count, total


def read_config(connection: sqlite3.Connection) -> CollectionConfig:
    """Return the configuration of the collection.

    Raises ConfigError for an unknown kind of component, and StorageError for any other invalid
    configuration.
    """
    try:
        return CollectionConfig.stored(get_meta(connection, "config") or "")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        if first["type"] == "kind":  # The files are intact, but the code is not installed.
            raise ConfigError(
                f"{first['msg']}; install the package that provides this kind",
                field=place,
            ) from error
        raise StorageError(
            f"{path_of(connection)}: the stored configuration cannot be read "
            f"({place}: {first['msg']}); if a later release wrote it, use that release"
        ) from error


def read_segments(connection: sqlite3.Connection) -> list[SegmentRow]:
    """Return the rows of all segments, ascending by document number. Raises CorruptFileError."""
    segments = []
    for *row, crc in connection.execute(
        "SELECT id, first, last, passages, documents, manifest, crc FROM segments ORDER BY first"
    ):
        where = f"the row of segment {row[0]!r}"
        if differs(crc, row_check(*row)):
            raise damaged(connection, where)
        name, first, last, passages, documents, manifest = row
        try:
            states = load_states(manifest)
        except (ValueError, TypeError, AttributeError) as error:
            raise damaged(
                connection, where, f"its list of files cannot be read: {error}"
            ) from error
        segments.append(SegmentRow(name, first, last, passages, documents, states))
    return segments


def swap_segments(
    connection: sqlite3.Connection, old: Iterable[SegmentRow], new: SegmentRow | None
) -> None:
    """Replace the rows of `old` segments by the row of `new`, if there is one."""
    connection.executemany("DELETE FROM segments WHERE id = ?", [(row.id,) for row in old])
    if new is not None:
        insert_segment(connection, new)


def insert_segment(connection: sqlite3.Connection, row: SegmentRow) -> None:
    """Insert the row of a segment. Its files are valid from this transaction on."""
    manifest = dump_states(row.files)
    values = (row.id, row.first, row.last, row.passages, row.documents, manifest)
    connection.execute(
        "INSERT INTO segments (id, first, last, passages, documents, manifest, crc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*values, row_check(*values)),
    )


def dead_numbers(connection: sqlite3.Connection, first: int, last: int) -> NDArray[np.int64]:
    """Return the deleted document numbers from `first` to `last`, ascending."""
    return tombstones(connection, "number BETWEEN ? AND ?", first, last)


def last_number(connection: sqlite3.Connection) -> int:
    """Return the highest number that a document ever had; 0 if there was none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'documents'").fetchone()
    return int(row[0]) if row else 0


def count_pending(connection: sqlite3.Connection, sealed: int) -> int:
    """Return the number of passages and tombstones since the last seal.

    This is about the number of rows of the delta in memory.
    """
    passages = connection.execute("SELECT count(*) FROM delta").fetchone()[0]
    dead = connection.execute(
        "SELECT count(*) FROM tombstones WHERE number > ?", (sealed,)
    ).fetchone()[0]
    return int(passages) + int(dead)
