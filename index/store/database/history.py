"""Superseded versions of documents, and the record of commits, in a transaction of the caller.

A collection with a history keeps the row of a replaced or deleted document in the table `versions`,
until the retention ends. Each commit has a row in the table `commits` from then on. Numbers of
documents grow with commits, so the commit that wrote a document follows from its number.

The version with the number n is visible at the commit t if n was given by t or before, and if t is
before the commit `ended` that replaced or deleted the version: created <= t < ended.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....core import ConflictError, Document
from .checks import content_check, damaged, differs, document_check, parse_json, row_check
from .meta import get_meta, get_number, set_meta
from .schema import HISTORY_SCHEMA, create_tables

DAY = 86_400_000
"""Milliseconds of a day."""
_CHUNK = 500
_HORIZON = "horizon"
"""Key in `meta`: the earliest commit whose state is kept. Absent: the collection has no history."""
_DAYS = "history_days"

_author: ContextVar[tuple[str, str]] = ContextVar("author", default=("", ""))


@contextmanager
def writing_as(actor: str, request: str = "") -> Iterator[None]:
    """Record `actor` and the id of a request with each commit of this thread in the block."""
    token = _author.set((actor, request))
    try:
        yield
    finally:
        _author.reset(token)


@dataclass(frozen=True, slots=True)
class Commit:
    """One transaction of a collection with a history.

    number: the generation of the collection after it.
    time:   milliseconds since 1970 in UTC; never less than the time of an earlier commit.
    last:   highest number that a document had after it.
    actor, request: who wrote it and in which request; empty if unknown.
    """

    number: int
    time: int
    last: int
    actor: str
    request: str


@dataclass(frozen=True, slots=True)
class Past:
    """A superseded version. number: its document number; ended: the commit that ended it."""

    number: int
    ended: int
    source: str
    document: Document


def is_kept(connection: sqlite3.Connection) -> bool:
    """Return True if the collection has a history."""
    return get_meta(connection, _HORIZON) is not None


def switch(connection: sqlite3.Connection, days: int | None) -> None:
    """Begin a history, change its retention, or end it and forget all versions.

    days: how long a superseded version is kept; None: the collection has no history.

    The history begins with the commit of this transaction.
    """
    begun = is_kept(connection)
    if days is None:
        if begun:
            for table in ("versions", "commits"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute("DELETE FROM meta WHERE key IN (?, ?)", (_HORIZON, _DAYS))
        return
    if not begun:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name='versions'").fetchone():
            create_tables(connection, HISTORY_SCHEMA)
        set_meta(connection, _HORIZON, str(_next(connection)))
    set_meta(connection, _DAYS, str(days))


def record_commit(connection: sqlite3.Connection, commit: int) -> None:
    """Store the row of the commit that this transaction makes, if the collection has a history.

    Raises ConflictError if it has one and the transaction changed metadata under the number of a
    document (key `updated` in `meta`): the version before it would be lost.
    """
    if not is_kept(connection):
        return
    if get_meta(connection, "updated") == str(commit):
        raise ConflictError(
            "this collection keeps a history, in which a change of metadata is a new version; "
            "write the document again, with its text"
        )
    given = connection.execute("SELECT seq FROM sqlite_sequence WHERE name='documents'").fetchone()
    last = given[0] if given else 0
    before = connection.execute("SELECT time FROM commits ORDER BY number DESC LIMIT 1").fetchone()
    row = (commit, max(utc_now(), before[0] if before else 0), last, *_author.get())
    connection.execute(
        "INSERT INTO commits (number, time, last, actor, request, crc) VALUES (?, ?, ?, ?, ?, ?)",
        (*row, row_check(*row)),
    )


def _next(connection: sqlite3.Connection) -> int:
    """Return the number of the commit that this transaction makes; 0 if it creates the tables."""
    stored = get_meta(connection, "generation")
    return 0 if stored is None else int(stored) + 1


def utc_now() -> int:
    """Return the time in milliseconds since 1970 in UTC."""
    return time.time_ns() // 1_000_000


_COMMIT = "SELECT number, time, last, actor, request, crc FROM commits"


def commits(connection: sqlite3.Connection, ending: str, *values: int) -> Iterator[Commit]:
    """Yield the recorded commits that an SQL text after `FROM commits` selects."""
    for *row, crc in connection.execute(f"{_COMMIT} {ending}", values):
        if differs(crc, row_check(*row)):
            raise damaged(connection, f"the row of commit {row[0]}")
        yield Commit(*row)


def _search(connection: sqlite3.Connection, field: str, value: int) -> Commit | None:
    """Return the latest commit whose `time` or `last` is at most `value`, or None.

    Both grow with the number of the commit, and every commit has a row: so a binary search.
    """
    low, high = connection.execute("SELECT min(number), max(number) FROM commits").fetchone()
    found = None
    while low is not None and low <= high:
        middle = (low + high) // 2
        commit = next(commits(connection, "WHERE number >= ? ORDER BY number LIMIT 1", middle))
        if getattr(commit, field) <= value:
            found, low = commit, commit.number + 1
        else:
            high = middle - 1
    return found


def commit_at(connection: sqlite3.Connection, time: int) -> Commit | None:
    """Return the last commit at `time` or before; None: all commits are later."""
    return _search(connection, "time", time)


def created_by(connection: sqlite3.Connection, number: int) -> Commit | None:
    """Return the commit that wrote the version `number`; None: it is older than the history."""
    before = _search(connection, "last", number - 1)
    if before is None:
        return None
    after = commits(connection, "WHERE number > ? ORDER BY number LIMIT 1", before.number)
    return next(after, None)


def newest(connection: sqlite3.Connection) -> Commit | None:
    """Return the latest commit, or None if none is recorded."""
    return next(commits(connection, "ORDER BY number DESC LIMIT 1"), None)


def horizon(connection: sqlite3.Connection) -> Commit | None:
    """Return the earliest commit whose state is within retention; None: there is no history.

    The clock may have stepped back, so the time of the latest commit counts if it is later.
    """
    latest = newest(connection)
    if latest is None:
        return None
    stored = get_number(connection, _HORIZON)
    days = get_number(connection, _DAYS)
    old = commit_at(connection, max(utc_now(), latest.time) - days * DAY)
    first = max(stored, old.number if old else 0)
    return next(commits(connection, "WHERE number >= ? ORDER BY number LIMIT 1", first))


def sweep(connection: sqlite3.Connection) -> int:
    """Forget the versions that ended at the horizon or before. Return their number."""
    first = horizon(connection)
    if first is None:
        return 0
    set_meta(connection, _HORIZON, str(first.number))
    return connection.execute("DELETE FROM versions WHERE ended <= ?", (first.number,)).rowcount


def due(connection: sqlite3.Connection) -> bool:
    """Return True if `sweep` would forget a version."""
    if not is_kept(connection) or (first := horizon(connection)) is None:
        return False
    sql = "SELECT EXISTS (SELECT 1 FROM versions WHERE ended <= ?)"
    return bool(connection.execute(sql, (first.number,)).fetchone()[0])


# -- versions ------------------------------------------------------------------------------


def keep(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Copy documents into the table `versions`, before they are deleted.

    A damaged document is not kept: its contents may be missing.
    """
    ended = _next(connection)
    sources = _sources(connection, numbers)
    for number in numbers:
        connection.execute(
            "INSERT INTO versions (number, id, ended, source, title, text, metadata, content, crc) "
            "SELECT number, id, ?, ?, title, text, metadata, content, crc "
            "FROM documents JOIN contents USING (number) WHERE number = ?",
            (ended, sources.get(number, ""), number),
        )


def _sources(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Return number -> name of the synced file that the version comes from, if it has one."""
    if not connection.execute(
        "SELECT 1 FROM sqlite_master WHERE name = 'synced_documents'"
    ).fetchone():
        return {}
    found: dict[int, str] = {}
    sql = (
        "SELECT d.number, f.name FROM documents d JOIN synced_documents s USING (id) "
        "JOIN synced_files f ON f.number = s.file "
        "WHERE s.number = d.number AND d.number IN ({})"
    )
    for start in range(0, len(numbers), _CHUNK):
        piece = numbers[start : start + _CHUNK]
        rows = connection.execute(sql.format(",".join("?" * len(piece))), piece)
        found |= {number: bytes(name).decode(errors="replace") for number, name in rows}
    return found


def source_of(connection: sqlite3.Connection, number: int) -> str:
    """Return the name of the synced file of the current version `number`; empty: none."""
    return _sources(connection, [number]).get(number, "")


def retained(connection: sqlite3.Connection, first: int = 0) -> NDArray[np.int64]:
    """Return the numbers of the kept versions from `first` on, ascending."""
    if not is_kept(connection):
        return np.empty(0, dtype=np.int64)
    rows = connection.execute(
        "SELECT number FROM versions WHERE number >= ? ORDER BY number", (first,)
    )
    return np.fromiter((row[0] for row in rows), dtype=np.int64)


_VERSION = (
    "SELECT number, CAST(id AS BLOB), ended, CAST(source AS BLOB), content, crc, "
    "CAST(title AS BLOB), CAST(text AS BLOB), CAST(metadata AS BLOB) FROM versions"
)


def versions(connection: sqlite3.Connection, condition: str, *values: int | str) -> Iterator[Past]:
    """Yield the kept versions that meet an SQL condition, in the order of their numbers.

    condition: the SQL text after WHERE.
    """
    sql = f"{_VERSION} WHERE {condition} ORDER BY number"
    for number, name, ended, source, content, crc, title, text, metadata in connection.execute(
        sql, values
    ):
        what = f"version {number} of document {name.decode(errors='replace')!r}"
        if differs(crc, document_check(number, name, content)) or differs(
            content, content_check(title, text, metadata)
        ):
            raise damaged(connection, what)
        fields: Mapping[str, object] = parse_json(connection, what, metadata)
        document = Document(name.decode(), text.decode(), title.decode(), fields)
        yield Past(number, ended, source.decode(), document)


def visible(connection: sqlite3.Connection, commit: Commit) -> dict[int, str]:
    """Return number -> id of the versions that are superseded now and were current at `commit`."""
    return dict(
        connection.execute(
            "SELECT number, id FROM versions WHERE number <= ? AND ended > ? ORDER BY number",
            (commit.last, commit.number),
        ).fetchall()
    )
