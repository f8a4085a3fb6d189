"""The delta: the passages that are not in a segment yet, in memory.

A seal writes these passages into a segment and starts a new delta. Until then the delta only grows,
so a snapshot needs only a reference to the delta and a number of rows.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Mapping

import numpy as np

from ...core import Representation
from ..config import CollectionConfig
from ..protocol import DeltaPart
from .database.checks import damaged, delta_check, differs
from .segment import Parts, Passages

_NUMBER = struct.Struct("<I")


class Delta:
    """The passages of documents that are not in a segment yet, with an index for each leg.

    watermark: highest document number that is in a segment. Only documents with higher numbers are
        in the delta.
    """

    def __init__(self, config: CollectionConfig, watermark: int) -> None:
        self.watermark = watermark
        self.legs: Parts[DeltaPart] = Parts(
            (name, leg.delta_part()(leg)) for name, leg in config.legs.items()
        )
        self._numbers: list[int] = []
        self._spans: list[tuple[int, int]] = []
        self._last_seq = 0
        self.passages = Passages(np.empty(0, np.int64), np.empty((0, 2), np.int32))
        """All rows, including those of deleted documents. Document numbers ascend."""

    def read_new(self, connection: sqlite3.Connection) -> None:
        """Append the passages that were written to the database since the last call.

        Raises CorruptFileError for a damaged passage.
        """
        rows = connection.execute(
            "SELECT seq, number, start, stop, data, crc FROM delta "
            "WHERE seq > ? AND number > ? ORDER BY seq",
            (self._last_seq, self.watermark),
        ).fetchall()
        if not rows:
            return
        packed = [
            None if differs(crc, delta_check(*row)) else _split(row[-1], len(self.legs))
            for _, *row, crc in rows
        ]
        intact = [pieces for pieces in packed if pieces is not None]
        if len(intact) < len(packed):
            wrong = [row[1] for row, pieces in zip(rows, packed, strict=True) if pieces is None]
            raise damaged(
                connection,
                f"the encoded form of {len(wrong)} recent passages",
                f"their checksums do not match; the first passage is of document number {wrong[0]}",
            )
        try:
            for index, part in enumerate(self.legs.values()):
                part.append(part.unpack([pieces[index] for pieces in intact]))
        except ValueError as error:
            raise damaged(connection, "the encoded form of a recent passage", str(error)) from error
        self._numbers.extend(row[1] for row in rows)
        self._spans.extend((row[2], row[3]) for row in rows)
        self._last_seq = rows[-1][0]
        self.passages = Passages(
            np.array(self._numbers, dtype=np.int64),
            np.array(self._spans, dtype=np.int32).reshape(-1, 2),
        )


def pack(config: CollectionConfig, legs: Mapping[str, Representation]) -> list[bytes]:
    """Return one blob for each passage, to be stored in the database.

    legs: leg -> representations of all passages.

    A blob starts with a CRC-32 of its other bytes. Then it contains, for each leg of `config`, the
    length and the bytes of the passage's vector or terms.
    """
    columns = [leg.delta_part().pack(legs[name]) for name, leg in config.legs.items()]
    blobs = []
    for pieces in zip(*columns, strict=True):
        body = b"".join(_NUMBER.pack(len(piece)) + piece for piece in pieces)
        blobs.append(_NUMBER.pack(zlib.crc32(body)) + body)
    return blobs


def _split(data: bytes, legs: int) -> list[bytes] | None:
    """Return the bytes of each leg in `data`, a blob that `pack` returned.

    legs: number of legs.

    None: the blob is damaged.
    """
    if len(data) < _NUMBER.size or zlib.crc32(data[_NUMBER.size :]) != _NUMBER.unpack_from(data)[0]:
        return None
    pieces = []
    position = _NUMBER.size
    for _ in range(legs):
        (length,) = _NUMBER.unpack_from(data, position)
        position += _NUMBER.size
        pieces.append(data[position : position + length])
        position += length
    return pieces
