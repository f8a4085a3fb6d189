"""The class of rows that describe segments in the database of a collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...arrays.files import FileState


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """The row that describes a segment in the database of its collection.

    id: name of the segment, which is also the name of its directory.
    first, last: range of document numbers that the segment covers, both inclusive.
    passages, documents: number of passages and of documents, including deleted ones.
    files: path of each file, relative to the directory -> size and CRC-32 of the file.
    """

    id: str
    first: int
    last: int
    passages: int
    documents: int
    files: Mapping[str, FileState]

    @property
    def size(self) -> int:
        """Size of all files of the segment, in bytes."""
        return sum(state.size for state in self.files.values())

    def bytes_of(self, leg: str) -> int:
        """Return the size of the files of one leg in this segment, in bytes."""
        own = (state.size for name, state in self.files.items() if name.startswith(f"{leg}/"))
        return sum(own)
