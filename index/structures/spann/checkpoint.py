"""Checkpoints of the build of a spann index, from which a killed build continues."""

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
"""Number of vectors whose values enter the digest."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of an unfinished build.

    source:   digest of the input; see `input_digest`.
    chosen:   choices of stage 1, such as the number of heads.
    assigned: number of vectors in the scratch files.
    sizes:    bytes of each scratch file.
    seconds:  processor time of each stage.
    """

    source: str
    chosen: dict[str, Any]
    assigned: int = 0
    sizes: list[int] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def save(self, scratch: Path) -> None:
        """Replace the saved checkpoint atomically and sync it to disk."""
        new = scratch / f"{FILE}.new"
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(scratch / FILE)
        sync_directory(scratch)

    @classmethod
    def load(cls, scratch: Path, source: str) -> Checkpoint | None:
        """Return the saved checkpoint; None if it is missing, damaged or has another `source`."""
        try:
            found = cls(**json.loads((scratch / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return found if found.source == source else None


def input_digest(vectors: VectorSource, storage: VectorStorage, memory: int) -> str:
    """Return a SHA-256 hex digest of the inputs of a build.

    Covers storage, memory, the shape of the vectors, and the values of CHECKED vectors.
    """
    rows = len(vectors)
    digest = hashlib.sha256(
        json.dumps([FORMAT, storage.model_dump(), memory, rows, vectors.width]).encode()
    )
    for row in np.unique(np.linspace(0, rows - 1, CHECKED).astype(np.int64)).tolist():
        digest.update(np.ascontiguousarray(vectors.read(row, row + 1)).tobytes())
    return digest.hexdigest()
