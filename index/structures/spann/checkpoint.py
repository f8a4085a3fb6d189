"""How far a build has come, so that one that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays.files import sync_directory
from ...arrays.vectors import VectorSource
from ..protocol import VectorStorage

FILE = "state.json"
FORMAT = 1
CHECKED = 64
"""Vectors whose contents are compared."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """source: see `identify`. chosen: what stage 1 has to say. assigned: vectors that are in the
    scratch files. sizes: of these. seconds: of the processor, by stage."""

    source: str
    chosen: dict[str, Any]
    assigned: int = 0
    sizes: list[int] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def save(self, scratch: Path) -> None:
        """Replace the last one, durably, all or nothing."""
        new = scratch / f"{FILE}.new"
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(scratch / FILE)
        sync_directory(scratch)

    @classmethod
    def load(cls, scratch: Path, source: str) -> Checkpoint | None:
        """What was saved for the same source; None if there is nothing of use."""
        try:
            found = cls(**json.loads((scratch / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return found if found.source == source else None


def identify(vectors: VectorSource, storage: VectorStorage, memory: int) -> str:
    """A digest of all that decides the result; of the vectors, their number and some of them."""
    rows = len(vectors)
    digest = hashlib.sha256(
        json.dumps([FORMAT, storage.model_dump(), memory, rows, vectors.width]).encode()
    )
    for row in np.unique(np.linspace(0, rows - 1, CHECKED).astype(np.int64)).tolist():
        digest.update(np.ascontiguousarray(vectors.read(row, row + 1)).tobytes())
    return digest.hexdigest()
