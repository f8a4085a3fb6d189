"""The delta in memory: passages that were written since the last seal.

It only grows, so a snapshot is the delta and a number of rows. When a seal empties it, a new one
is begun; snapshots that hold the old one go on using it.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..core import CollectionConfig, Representation
from .legs import delta_part
from .protocol import DeltaPart
from .segment import Passages

_LENGTH = struct.Struct("<I")


class Delta:
    """Passages after document number `watermark`, with one part for each leg."""

    def __init__(self, config: CollectionConfig, watermark: int) -> None:
        self.watermark = watermark
        self.legs: dict[str, DeltaPart] = {
            name: delta_part(leg)(leg) for name, leg in config.legs.items()
        }
        self._numbers: list[int] = []
        self._spans: list[tuple[int, int]] = []
        self._last_seq = 0
        self._passages = Passages(np.empty(0, np.int64), np.empty((0, 2), np.int32))

    def __len__(self) -> int:
        return len(self._passages)

    @property
    def passages(self) -> Passages:
        """All rows so far, dead ones included; numbers ascend."""
        return self._passages

    def read_new(self, connection: sqlite3.Connection) -> None:
        """Append what was written since the last call."""
        rows = connection.execute(
            "SELECT seq, number, start, stop, data FROM delta "
            "WHERE seq > ? AND number > ? ORDER BY seq",
            (self._last_seq, self.watermark),
        ).fetchall()
        if not rows:
            return
        packed = [_split(data) for *_, data in rows]
        for index, part in enumerate(self.legs.values()):
            part.append(part.unpack([pieces[index] for pieces in packed]))
        self._numbers.extend(row[1] for row in rows)
        self._spans.extend((row[2], row[3]) for row in rows)
        self._last_seq = rows[-1][0]
        self._passages = Passages(
            np.array(self._numbers, dtype=np.int64),
            np.array(self._spans, dtype=np.int32).reshape(-1, 2),
        )


def pack(config: CollectionConfig, legs: Mapping[str, Representation]) -> list[bytes]:
    """One blob for each passage: its legs in the order of the configuration, each with a length."""
    columns = [delta_part(leg).pack(legs[name]) for name, leg in config.legs.items()]
    return [
        b"".join(_LENGTH.pack(len(piece)) + piece for piece in pieces)
        for pieces in zip(*columns, strict=True)
    ]


def _split(data: bytes) -> Sequence[bytes]:
    pieces = []
    position = 0
    while position < len(data):
        (length,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size
        pieces.append(data[position : position + length])
        position += length
    return pieces


def live_rows(passages: Passages, dead: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True for the rows whose document is not among `dead`."""
    return ~np.isin(passages.numbers, dead)
