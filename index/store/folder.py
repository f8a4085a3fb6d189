"""The folder `segments` of a collection. Only segments with a row in the database are valid."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...core import StorageError
from ..arrays.files import check_directory, exclusive, remove_tree
from .database.checks import parse_json
from .database.database import UNFINISHED, Database, get_meta
from .database.rows import SegmentRow
from .database.segments import read_segments

LOCK = "maintenance.lock"
"""Name of the file that a process locks while it writes or merges segments."""


class SegmentFolder:
    """The segment files of the collection in `directory`."""

    def __init__(self, directory: Path, database: Database) -> None:
        self._root = directory / "segments"
        self._lock = directory / LOCK
        self._database = database

    def create(self) -> None:
        """Create the folder `segments` if it is missing."""
        self._root.mkdir(exist_ok=True)

    def path(self, name: str) -> Path:
        """Return the directory of the segment `name`."""
        return self._root / name

    def check(self, row: SegmentRow, *, contents: bool = True) -> None:
        """Raise CorruptFileError for the first damaged file of a segment.

        contents: True: compare checksums of the whole files. False: compare only sizes.
        """
        for problem in check_directory(self.path(row.id), row.files, contents=contents):
            # A merge by another process may just have replaced this segment.
            if row.id in {named.id for named in self._rows()}:
                raise problem

    def problems(self) -> list[str]:
        """Return a message for each damaged segment file. Empty if the database cannot be read."""
        try:
            rows = self._rows()
        except StorageError:
            return []
        return [
            f"{problem.path}: {problem.problem}"
            for row in rows
            for problem in check_directory(self.path(row.id), row.files, contents=True)
        ]

    def remove(self, rows: Iterable[SegmentRow]) -> None:
        """Remove the files of segments. `rows` must already be deleted from the database."""
        for row in rows:
            remove_tree(self.path(row.id))

    def remove_garbage(self) -> int:
        """Remove segment directories without a row in the database. Return how many.

        Does nothing while another process writes a segment, whose directory has no row yet.
        """
        with exclusive(self._lock, wait=False) as held:
            if not held:
                return 0
            named = {row.id for row in self._rows()} | self._unfinished()
            unnamed = [path for path in sorted(self._root.glob("*")) if path.name not in named]
            for path in unnamed:
                remove_tree(path)
            return len(unnamed)

    def _unfinished(self) -> set[str]:
        """Return the names of segments that an interrupted build can still complete."""
        with self._database.read() as connection:
            names = parse_json(connection, UNFINISHED, get_meta(connection, UNFINISHED) or "{}")
            return set(names.values())

    def _rows(self) -> list[SegmentRow]:
        with self._database.read() as connection:
            return read_segments(connection)
