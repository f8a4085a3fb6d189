"""What the database says of a segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...arrays.files import FileState


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """What the database says of a segment."""

    id: str
    first: int
    last: int
    passages: int
    documents: int
    files: Mapping[str, FileState]

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(state.size for state in self.files.values())

    def bytes_of(self, leg: str) -> int:
        """Of the files of a leg."""
        own = (state.size for name, state in self.files.items() if name.startswith(f"{leg}/"))
        return sum(own)
