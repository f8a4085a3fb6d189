"""Reads and writes the table of segments of a collection's database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ...arrays.files import dump_states, load_states
from .checks import damaged, differs, row_check
from .rows import SegmentRow


def read_segments(connection: sqlite3.Connection) -> list[SegmentRow]:
    """Return the rows of all segments, ascending by document number.

    Raises CorruptFileError for a damaged row.
    """
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
                connection, where, f"its list of files cannot be read, {error}"
            ) from error
        segments.append(SegmentRow(name, first, last, passages, documents, states))
    return segments


def swap_segments(
    connection: sqlite3.Connection, old: Iterable[SegmentRow], new: SegmentRow | None
) -> None:
    """Delete the rows of the segments `old` and insert the row `new`; None: insert no row."""
    connection.executemany("DELETE FROM segments WHERE id = ?", [(row.id,) for row in old])
    if new is not None:
        insert_segment(connection, new)


def insert_segment(connection: sqlite3.Connection, row: SegmentRow) -> None:
    """Insert the row of a segment. The segment exists once this transaction is committed."""
    manifest = dump_states(row.files)
    values = (row.id, row.first, row.last, row.passages, row.documents, manifest)
    connection.execute(
        "INSERT INTO segments (id, first, last, passages, documents, manifest, crc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*values, row_check(*values)),
    )
