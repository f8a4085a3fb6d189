"""Reads and writes documents, passages and tombstones, in a transaction of the caller.

Each version of a document has its own number, which is never used again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ....core import ConfigError, CorruptFileError, Document, StorageError
from ....core.filters import Condition, flatten, meets
from ...config import CollectionConfig
from . import history
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

_CHUNK = 500
_REWRITE = "write the document again, or delete it"


def _chunks(values: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    """Divide `values` into chunks of at most `_CHUNK`, because SQLite limits query parameters.

    Yields (SQL placeholders, values) for each chunk.
    """
    for start in range(0, len(values), _CHUNK):
        piece = values[start : start + _CHUNK]
        yield ",".join("?" * len(piece)), piece


def numbers_of(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return id -> document number for those of the `ids` that exist.

    Raises CorruptFileError for a damaged row.
    """
    found: dict[str, int] = {}
    # A lone surrogate is not Unicode text, so no document has such an id.
    for marks, piece in _chunks([name for name in dict.fromkeys(ids) if _is_unicode(name)]):
        for name, number, content, crc in connection.execute(
            f"SELECT id, number, content, crc FROM documents WHERE id IN ({marks})", piece
        ):
            if differs(crc, document_check(number, str(name).encode(), content)):
                raise damaged(connection, f"the row of document {name!r} in table documents")
            found[name] = number
    return found


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def ids_of(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Return number -> id for the documents with these numbers.

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
    """Return those of the `numbers` whose documents are not deleted."""
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
    """Return id -> number for those `documents` that are stored with equal contents."""
    numbers = numbers_of(connection, [document.id for document in documents])
    stored = read_documents(connection, list(numbers.values()))
    return {
        one.id: numbers[one.id]
        for one in documents
        if one.id in numbers and _content(one) == _content(stored[numbers[one.id]])
    }


def _content(document: Document) -> tuple[str, str, str]:
    """Return title, text and metadata in a form that is equal for equal content.

    Metadata is compared as JSON, because 1 == 1.0 == True in Python.
    """
    metadata = json.dumps(dict(document.metadata), sort_keys=True)
    return document.title, document.text, metadata


_DOCUMENT = (
    "SELECT number, CAST(id AS BLOB), content, crc, CAST(title AS BLOB), CAST(text AS BLOB), "
    "CAST(metadata AS BLOB) FROM documents LEFT JOIN contents USING (number)"
)


def read_documents(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Document]:
    """Return number -> document for these document numbers.

    Raises CorruptFileError for a damaged or missing document.
    """
    found: dict[int, Document] = {}
    for marks, piece in _chunks(numbers):
        for row in connection.execute(f"{_DOCUMENT} WHERE number IN ({marks})", piece):
            found[row[0]] = _document(connection, row)
    _check_found(connection, numbers, found)
    return found


def documents_inside(
    connection: sqlite3.Connection, known: Mapping[str, int], within: Condition | None
) -> dict[str, int]:
    """Return the entries of `known` whose documents meet the condition `within`; None: all.

    known: id -> number of a document.
    """
    if within is None:
        return dict(known)
    found = read_documents(connection, list(known.values()))
    return {name: number for name, number in known.items() if meets(found[number], within)}


def read_sizes(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, int]:
    """Return document number -> size in bytes of title, text and metadata together."""
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
    """Yield (number, document) for all documents, by ascending number.

    For a damaged document, yields (number, error).
    """
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
        raise damaged(connection, where, "its contents are missing", remedy=_REWRITE)
    if differs(content, content_check(title, text, metadata)):
        problem = "the checksum of its title, text and metadata does not match"
        raise damaged(connection, where, problem, remedy=_REWRITE)
    values = parse_json(connection, where, metadata)
    return Document(name.decode(), text.decode(), title.decode(), values)


def _check_found(
    connection: sqlite3.Connection, numbers: Sequence[int], found: Mapping[int, Any]
) -> None:
    for number in numbers:
        if number not in found:
            raise damaged(connection, f"document number {number}", "its row is missing")


def insert_documents(connection: sqlite3.Connection, documents: Sequence[Document]) -> list[int]:
    """Store documents under new numbers. Return the numbers, in the order of `documents`."""
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
    change_fields_total(connection, rows, +1)
    return list(range(first, first + len(documents)))


def delete_documents(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Delete the documents with these numbers, even if they are damaged.

    Inserts a tombstone (a mark of deletion) for each document, because segments and the delta in
    memory still contain its passages.
    """
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
    change_fields_total(connection, rows, -1)
    kept = history.is_kept(connection)
    if kept:
        history.keep(connection, numbers)
    # Passages of kept versions stay in the delta, so that a seal writes them.
    for table in ("documents", "contents") if kept else ("documents", "contents", "delta"):
        connection.executemany(
            f"DELETE FROM {table} WHERE number = ?", ((number,) for number in numbers)
        )
    insert_tombstones(connection, numbers)


def insert_tombstones(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Insert a tombstone for each document number, so that searches ignore its passages."""
    connection.executemany(
        "INSERT INTO tombstones (number, crc) VALUES (?, ?)",
        ((number, row_check(number)) for number in numbers),
    )


def tombstones(connection: sqlite3.Connection, condition: str, *values: int) -> NDArray[np.int64]:
    """Return the numbers of deleted documents whose tombstones meet an SQL condition, ascending.

    condition: the SQL text after WHERE.
    values:    its parameters.

    Raises CorruptFileError if the checksum of a tombstone does not match.
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
    """Append passages to the table `delta`.

    rows: for each passage its document number, its start and end (exclusive) in the document, and
        its encoded vectors or terms of all legs.
    """
    connection.executemany(
        "INSERT INTO delta (number, start, stop, data, crc) VALUES (?, ?, ?, ?, ?)",
        ((*row, delta_check(*row)) for row in rows),
    )


def field_rows(metadata: Mapping[str, Any], number: int) -> list[tuple[str, int, Any, int]]:
    """Return the rows (key, kind, value, number) of one document for the table `fields`.

    No row occurs twice.
    """
    unique = dict.fromkeys(flatten(metadata))
    return [(key, kind, value, number) for key, kind, value in unique]


def fields_total(rows: Iterable[tuple[Any, ...]]) -> tuple[int, int]:
    """Return the number of `rows` and the sum of their checksums.

    rows: rows of the table `fields`.
    """
    count = total = 0
    for row in rows:
        count += 1
        total += row_check(*row)
    return count, total


def change_fields_total(
    connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]], sign: int
) -> None:
    """Update the stored `fields_total` for inserted (sign=+1) or deleted (sign=-1) `rows`."""
    if rows:
        before = stored_fields_total(connection)
        count, total = fields_total(rows)
        set_meta(connection, "fields", f"{before[0] + sign * count} {before[1] + sign * total}")


def stored_fields_total(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the number of rows of the table `fields` and the sum of their checksums, from `meta`.

    Raises CorruptFileError if the stored value is damaged.
    """
    value = get_meta(connection, "fields")
    try:
        count, total = map(int, (value or "0 0").split())
    except ValueError as error:
        raise damaged(
            connection,
            "the value of 'fields' in table meta",
            f"expected two integers, found {value!r}",
        ) from error
    return count, total


def read_config(connection: sqlite3.Connection) -> CollectionConfig:
    """Return the stored configuration of the collection.

    Raises ConfigError if a component (leg, encoder, index or codec) has an unknown kind, and
    StorageError if the configuration is invalid for another reason.
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
            f"{path_of(connection)}: this release cannot read the stored configuration "
            f"({place}: {first['msg']}); if a later release wrote it, use that release"
        ) from error


def dead_numbers(connection: sqlite3.Connection, first: int, last: int) -> NDArray[np.int64]:
    """Return the document numbers from `first` to `last` (inclusive) with tombstones, ascending.

    A tombstone marks a deleted document whose passages may still be in an index.
    """
    return tombstones(connection, "number BETWEEN ? AND ?", first, last)


def last_number(connection: sqlite3.Connection) -> int:
    """Return the highest number that a document ever had; 0 if there was none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'documents'").fetchone()
    return int(row[0]) if row else 0


def count_pending(connection: sqlite3.Connection, sealed: int) -> int:
    """Return the number of passages in the delta, plus the number of documents deleted from it.

    sealed: highest document number that is in a segment.

    The result is about the number of rows in memory, because the delta in memory keeps the rows of
    deleted documents.
    """
    passages = connection.execute("SELECT count(*) FROM delta").fetchone()[0]
    gone = " AND number NOT IN (SELECT number FROM delta)" if history.is_kept(connection) else ""
    dead = connection.execute(
        f"SELECT count(*) FROM tombstones WHERE number > ?{gone}", (sealed,)
    ).fetchone()[0]
    return int(passages) + int(dead)
