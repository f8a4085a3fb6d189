"""The row of a segment in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...arrays.files import FileState


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """The row of a segment in the database.

    id: name of the segment and its directory.
    first, last: range of document numbers that it covers.
    passages, documents: numbers of passages and documents, including deleted ones.
    files: path relative to the directory -> size and CRC-32.
    """

    id: str
    first: int
    last: int
    passages: int
    documents: int
    files: Mapping[str, FileState]

    @property
    def size(self) -> int:
        """Size on disk, in bytes."""
        return sum(state.size for state in self.files.values())

    def bytes_of(self, leg: str) -> int:
        """Return the size of a leg's files, in bytes."""
        own = (state.size for name, state in self.files.items() if name.startswith(f"{leg}/"))
        return sum(own)
