"""The file with the codes (encoded vectors) of all vectors of a segment.

codes.npy  uint8 [rows, bytes per code]
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...core import Progress
from ..arrays.npy import NpyWriter
from ..arrays.vectors import VectorSource
from ..codecs import Codec
from .exact import BLOCK_ROWS

CODES = "codes.npy"
_COPIES = 6
"""Number of float32 copies of a block that encoding makes."""


def block_rows(memory: int, width: int) -> int:
    """Return how many vectors of `width` dimensions to encode at a time in `memory` bytes."""
    return max(1, min(BLOCK_ROWS, memory // (_COPIES * 4 * width)))


def write(
    directory: Path, codec: Codec, vectors: VectorSource, memory: int, progress: Progress
) -> None:
    """Encode all vectors and write codes.npy into `directory`.

    memory: approximate bytes of working memory.
    """
    step = block_rows(memory, vectors.width)
    with NpyWriter(directory / CODES, np.uint8, columns=codec.stride) as writer:
        for start in range(0, len(vectors), step):
            block = vectors.read(start, min(start + step, len(vectors)))
            writer.append(codec.encode(block))
            progress.advance(len(block))
