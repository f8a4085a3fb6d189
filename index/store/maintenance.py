"""Seals the delta (writes the passages in memory as a segment on disk) and merges segments.

A seal or merge writes new files without blocking readers or writers. Then one transaction replaces
the old segments. Documents that are deleted in the meantime stay deleted: their tombstones (marks
of deletion) are kept. A lock file ensures that only one process seals or merges at a time.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence

import numpy as np

from ...core import NoProgress, Progress
from ..arrays.files import exclusive
from ..config import CollectionConfig
from ..protocol import Mask
from . import segment as segments
from .database.database import get_number, set_meta
from .database.history import due, retained, sweep
from .database.rows import SegmentRow
from .database.segments import read_segments, swap_segments
from .database.tables import count_pending, dead_numbers, insert_tombstones, last_number
from .folder import LOCK
from .local import LocalStore
from .segment import Passages, Segment
from .view import LocalView

DEFAULT_MEMORY = 256 << 20
"""Working memory of a merge, in bytes."""


def seal(store: LocalStore) -> bool:
    """Write the delta (the passages in memory) as a segment. Return False if the delta is empty."""
    with exclusive(store.directory / LOCK, wait=True):
        with store.view() as view:
            snapshot, config = view.snapshot, view.config
            first = get_number(view.connection, "sealed") + 1
            last = last_number(view.connection)
            kept = retained(view.connection, first)
        if last < first:
            return False
        delta = snapshot.parts[-1]
        assert delta.live is not None, "the delta always has a mask"
        keep = np.flatnonzero(delta.live | np.isin(delta.passages.numbers[: len(delta)], kept))
        row = None
        if len(keep):
            passages = Passages(delta.passages.numbers[keep], delta.passages.spans[keep])
            legs = {name: part.rows(keep) for name, part in snapshot.delta.items()}
            directory = store.segments.path(new_segment_name(last))
            row = segments.write(directory, passages, legs, first, last, config)
        with store.database.write() as connection:
            replace_segments(connection, store, [], row, first, last)
        return True


def merge(
    store: LocalStore,
    *,
    memory: int = DEFAULT_MEMORY,
    progress: Progress | None = None,
) -> bool:
    """Merge all segments into one without deleted documents, and release the disk space.

    memory: working memory in bytes.

    Returns False if no merge is necessary: there is no segment, or one without deleted documents.
    """
    with exclusive(store.directory / LOCK, wait=True):
        forget_old(store)
        with store.view() as view:
            rows = read_segments(view.connection)
            alive = all(mask is None for mask in kept_rows(view)[: len(rows)])
        done = len(rows) > 1 or not alive
        if done:
            merge_run(store, 0, len(rows), memory, progress or NoProgress())
        store.database.shrink()
    store.segments.remove_garbage()
    return done


def maintain(store: LocalStore) -> None:
    """Seal the delta and merge segments until the collection is within its `StorageConfig` limits.

    To seal the delta is to write the passages in memory as a segment.
    """
    forget_old(store)
    while True:
        with store.view() as view:
            sealed = get_number(view.connection, "sealed")
            pending = count_pending(view.connection, sealed)
        if pending >= store.config.sealed_at:
            seal(store)
        elif not merge_due(store):
            return


def merge_due(store: LocalStore, *, memory: int = DEFAULT_MEMORY) -> bool:
    """Merge the newest segments if there are more than `max_segments` segments.

    Otherwise rewrite one segment, if more than half of its passages are deleted. Returns False if
    nothing was merged or rewritten.

    memory: working memory in bytes.

    A merge takes the newest segments, from new to old. It stops before the first segment with more
    passages than all newer segments together. In a collection of n passages, a passage is therefore
    rewritten O(log n) times.
    """
    with exclusive(store.directory / LOCK, wait=True):
        with store.view() as view:
            rows = read_segments(view.connection)
            masks = kept_rows(view)[: len(rows)]
        if len(rows) > store.config.storage.max_segments:
            start = len(rows) - 2
            total = rows[-1].passages + rows[-2].passages
            while start > 0 and rows[start - 1].passages <= total:
                start -= 1
                total += rows[start].passages
            stop = len(rows)
        else:
            mostly_dead = (
                i for i, mask in enumerate(masks) if mask is not None and mask.mean() < 0.5
            )
            start = next(mostly_dead, -1)
            stop = start + 1
            if start < 0:
                return False
        merge_run(store, start, stop, memory, NoProgress())
    store.segments.remove_garbage()
    return True


def merge_run(
    store: LocalStore, start: int, stop: int, memory: int, progress: Progress | None
) -> None:
    """Merge the segments `start` to `stop` (exclusive) of the collection into one.

    The caller holds the lock file.
    """
    with store.view() as view:
        rows = read_segments(view.connection)[start:stop]
        snapshot, config = view.snapshot, view.config
        masks = kept_rows(view)[start:stop]
    for row in rows:
        store.segments.check(row)  # Damage must not be copied under a new, valid checksum.
    sources = list(zip(snapshot.segments[start:stop], masks, strict=True))
    merged = merge_segments(store, sources, memory, config, progress)
    with store.database.write() as connection:
        replace_segments(connection, store, rows, merged, rows[0].first, rows[-1].last)
    store.segments.remove(rows)


def kept_rows(view: LocalView) -> list[Mask | None]:
    """Return for each part a mask of the rows that a merge keeps; None: all rows.

    These are the rows of documents that are not deleted, and of versions within retention.
    """
    numbers = retained(view.connection)
    masks: list[Mask | None] = []
    for part in view.snapshot.parts:
        mask = part.live
        if mask is not None and len(numbers):
            mask = mask | np.isin(part.passages.numbers[: len(part)], numbers)
            mask = None if mask.all() else mask
        masks.append(mask)
    return masks


def forget_old(store: LocalStore) -> int:
    """Forget the versions of documents whose retention has ended. Return their number.

    The next merge removes their passages.
    """
    with store.database.read() as connection:
        if not due(connection):
            return 0
    with store.database.write() as connection:
        return sweep(connection)


def merge_segments(
    store: LocalStore,
    sources: Sequence[tuple[Segment, Mask | None]],
    memory: int,
    config: CollectionConfig,
    progress: Progress | None = None,
    unfinished: str | None = None,
) -> SegmentRow | None:
    """Write the files of one segment with the passages of several segments.

    Passages of deleted documents are left out.

    sources: segments, each with a mask of the rows whose documents are not deleted; None: all rows.
    memory: working memory in bytes.
    config: configuration of the new segment.
    unfinished: name of the new segment. An interrupted merge with this name is continued. None: the
        segment gets a new name.

    Returns the row that the caller must store in the database. None: no passages are left, and no
    files were written.
    """
    if not any(live is None or live.any() for _, live in sources):
        return None
    directory = store.segments.path(unfinished or new_segment_name(sources[-1][0].row.last))
    resume = unfinished is not None
    return segments.merge(directory, sources, config, memory, progress, resume=resume)


def replace_segments(
    connection: sqlite3.Connection,
    store: LocalStore,
    old: Sequence[SegmentRow],
    new: SegmentRow | None,
    first: int,
    last: int,
) -> None:
    """Replace the segments `old` by `new` in the database, in a transaction of the caller.

    Also deletes rows that `new` makes unnecessary: passages in the table `delta`, and tombstones
    (numbers of deleted documents).

    new: row of the new segment; None: no passage is left.
    first, last: range of document numbers that `new` covers.
    """
    swap_segments(connection, old, new)
    connection.execute("DELETE FROM delta WHERE number <= ?", (last,))
    still_dead: list[int] = []
    if new is not None:
        numbers = np.load(store.segments.path(new.id) / "numbers.npy", mmap_mode="r")
        still_dead = np.intersect1d(dead_numbers(connection, first, last), numbers).tolist()
    connection.execute("DELETE FROM tombstones WHERE number BETWEEN ? AND ?", (first, last))
    insert_tombstones(connection, still_dead)
    sealed = max(last, get_number(connection, "sealed"))
    set_meta(connection, "sealed", str(sealed))


def new_segment_name(last: int) -> str:
    """Return a new name for a segment whose highest document number is `last`.

    In sorted order, the names of newer segments come later. No name is used twice.
    """
    return f"{last:012d}-{secrets.token_hex(4)}"
