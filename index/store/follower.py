"""Updates the snapshot of an open collection to the latest commit of any process.

The time of an update depends only on what has changed since the last one. New segments are mapped
into memory, and new passages are appended to the delta. Rows of newly deleted documents are removed
from copies of the masks of live rows.
"""

from __future__ import annotations

import sqlite3
import threading

import numpy as np
from numpy.typing import NDArray

from ..config import CollectionConfig
from ..protocol import Mask
from .database.database import get_number
from .database.rows import SegmentRow
from .database.segments import read_segments
from .database.tables import dead_numbers, read_config, tombstones
from .delta import Delta
from .folder import SegmentFolder
from .segment import Segment
from .snapshot import Part, Snapshot


class Follower:
    """Keeps the latest snapshot and configuration that this process has read. Thread-safe."""

    def __init__(self, folder: SegmentFolder, config: CollectionConfig) -> None:
        self._folder = folder
        self.config = config
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Discard the latest snapshot and the open files and arrays from which it was made.

        Snapshots that running searches use stay valid.
        """
        self._segments: dict[str, tuple[Segment, Part]] = {}
        self._delta = Delta(self.config, 0)
        self._delta_live: Mask = np.empty(0, dtype=np.bool_)
        self._last_tombstone = 0
        self._snapshot: Snapshot | None = None

    def snapshot(self, connection: sqlite3.Connection, generation: int) -> Snapshot:
        """Return the snapshot of `generation`, or a later snapshot that this process already has.

        connection: a read transaction that sees the collection at `generation`.
        """
        snapshot = self._snapshot
        if snapshot is not None and snapshot.generation >= generation:
            return snapshot
        with self._lock:
            snapshot = self._snapshot
            if snapshot is None or snapshot.generation < generation:
                try:
                    snapshot = self._advance(connection, generation)
                except BaseException:
                    # Legs may have appended different rows, so the state cannot be reused.
                    self.reset()
                    raise
                self._snapshot = snapshot
            return snapshot

    def _advance(self, connection: sqlite3.Connection, generation: int) -> Snapshot:
        config = read_config(connection)
        watermark = get_number(connection, "sealed")
        fresh = watermark != self._delta.watermark
        if fresh:
            self._delta = Delta(config, watermark)
            self._delta_live = np.empty(0, dtype=np.bool_)
        if config != self.config:
            self._segments = {}  # A part is opened with its configuration.
        deleted = tombstones(connection, "seq > ?", self._last_tombstone)
        rows = read_segments(connection)
        self._segments = {
            row.id: self._segment_part(connection, row, config, deleted) for row in rows
        }
        self._delta.read_new(connection)
        # A new delta may have rows of kept versions, whose tombstones were read before.
        delta = self._delta_part(
            tombstones(connection, "number > ?", watermark) if fresh else deleted
        )
        last = connection.execute("SELECT max(seq) FROM tombstones").fetchone()[0]
        self._last_tombstone = max(self._last_tombstone, last or 0)
        segments = [segment for segment, _ in self._segments.values()]
        parts = [part for _, part in self._segments.values()]
        self.config = config
        return Snapshot(generation, config, [*parts, delta], self._delta.legs, segments)

    def _segment_part(
        self,
        connection: sqlite3.Connection,
        row: SegmentRow,
        config: CollectionConfig,
        deleted: NDArray[np.int64],
    ) -> tuple[Segment, Part]:
        known = self._segments.get(row.id)
        if known is None:
            segment = Segment.open(self._folder.path(row.id), row, config)
            deleted = dead_numbers(connection, row.first, row.last)
            live = segment.without(deleted)
        else:
            segment, part = known
            live = segment.without(deleted, part.live)
            if live is part.live:
                return known
        return segment, Part(
            passages=segment.passages,
            legs=segment.legs,
            live=live,
            live_passages=row.passages if live is None else int(live.sum()),
            spread=row.passages / row.documents,
        )

    def _delta_part(self, deleted: NDArray[np.int64]) -> Part:
        passages = self._delta.passages
        live = np.ones(len(passages), dtype=np.bool_)
        live[: len(self._delta_live)] = self._delta_live
        live[np.isin(passages.numbers, deleted)] = False
        self._delta_live = live
        documents = 1 + int(np.count_nonzero(np.diff(passages.numbers)))
        return Part(
            passages=passages,
            legs=self._delta.legs,
            live=live,
            live_passages=int(live.sum()),
            spread=len(passages) / documents,
        )
