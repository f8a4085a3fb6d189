"""Pieces of erased documents, and a search of files for their bytes."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...core import Document

MOST = 64
"""Maximum number of pieces that are searched for: the time of the search grows with it."""
_LONG, _SHORT = 48, 12
"""Bytes of a piece, at most and at least. Shorter texts occur by chance."""
_BLOCK = 8 << 20


class Pieces:
    """Pieces of the titles, texts and metadata of documents, as UTF-8.

    texts: the pieces that are searched for. With many documents, pieces of some of them.
    """

    def __init__(self) -> None:
        self._all: dict[bytes, None] = {}

    def add(self, documents: Iterable[Document]) -> None:
        """Take pieces of documents: the beginning, the middle and the end of each text."""
        for one in documents:
            for text in (one.title, one.text, *_strings(one.metadata)):
                self._all |= dict.fromkeys(_cut(text.encode("utf-8", "surrogatepass")))

    @property
    def texts(self) -> list[bytes]:
        every = list(self._all)
        step = max(1, -(-len(every) // MOST))
        return every[::step]

    def search(
        self, folder: Path, connection: sqlite3.Connection
    ) -> tuple[int, int, dict[str, int], int]:
        """Search all files of a folder.

        connection: a read transaction of the collection's database.

        Returns the number of files, the number of bytes, file -> number of pieces in it, and the
        number of pieces that are left out because stored documents contain them.
        """
        texts, hits = self.texts, Counter[str]()
        where: dict[bytes, set[str]] = {}
        files = size = 0
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            files += 1
            size += path.stat().st_size
            for piece in _found(path, texts):
                where.setdefault(piece, set()).add(str(path.relative_to(folder)))
        shared = [piece for piece in where if _is_stored(connection, piece)]
        for piece in where.keys() - set(shared):
            hits.update(where[piece])
        return files, size, dict(sorted(hits.items())), len(shared)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)


def _cut(data: bytes) -> list[bytes]:
    if len(data) <= _LONG:
        return [data] if len(data) >= _SHORT else []
    middle = (len(data) - _LONG) // 2
    return [data[:_LONG], data[middle : middle + _LONG], data[-_LONG:]]


def _found(path: Path, pieces: list[bytes]) -> set[bytes]:
    """Return those of the pieces that a file contains."""
    found: set[bytes] = set()
    before = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            data = before + block
            found |= {piece for piece in pieces if piece in data}
            before = data[-_LONG:]
    return found


def _is_stored(connection: sqlite3.Connection, piece: bytes) -> bool:
    """Return True if a stored document or a kept version contains a piece."""
    tables = ["contents"]
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'versions'").fetchone():
        tables.append("versions")
    columns = " OR ".join(f"instr(CAST({c} AS BLOB), ?)" for c in ("title", "text", "metadata"))
    return any(
        connection.execute(
            f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {columns})", (piece,) * 3
        ).fetchone()[0]
        for table in tables
    )
