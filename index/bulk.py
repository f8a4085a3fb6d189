"""Filling a new collection offline: shards first, then as few segments as memory allows.

A shard is a segment whose vectors are not yet in a graph. It becomes true in one transaction
together with its documents and with how much of the input is done, so an interrupted build
continues after its last shard. Nobody else reads the collection before `finish`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from ..core import (
    CollectionConfig,
    ConflictError,
    DenseLeg,
    Document,
    FlatConfig,
    HnswConfig,
    NotFoundError,
    Progress,
    Representation,
)
from .collection import Collection, EncodedDocument
from .database import get_meta, set_meta
from .maintenance import merge_segments, write_segment
from .protocol import Mask
from .segment import Passages, Segment, SegmentRow
from .tables import (
    dead_numbers,
    delete_documents,
    insert_document,
    insert_segment,
    last_number,
    numbers_of,
    read_segments,
)

MOST_SHARDS = 24
"""Shards that are merged, and so open, at once."""


def resume(path: Path, config: CollectionConfig) -> Collection | None:
    """The collection whose build was interrupted, or None when the folder holds none.

    Raises ConflictError when the folder holds a finished collection, or an unfinished one with
    another configuration.
    """
    try:
        collection = Collection.open(path, verify="size", state="building")
    except NotFoundError:
        return None
    if collection.config != config:
        collection.close()
        raise ConflictError(
            f"{path}: holds an unfinished build with another configuration; give the same options "
            "again to continue it, or remove the folder to start anew"
        )
    return collection


@dataclass(frozen=True, slots=True)
class Consumed:
    """How much of the input is done: documents, and a digest of them in their order."""

    documents: int = 0
    digest: str = ""

    def after(self, document: Document) -> Consumed:
        """With one more document."""
        content = [document.id, document.title, document.text, dict(document.metadata)]
        link = self.digest + json.dumps(content, sort_keys=True, ensure_ascii=True)
        return Consumed(self.documents + 1, sha256(link.encode()).hexdigest())


def consumed(collection: Collection) -> Consumed:
    """What earlier runs of this build have done."""
    with collection.database.read() as connection:
        stored = get_meta(connection, "consumed")
    return Consumed(*json.loads(stored)) if stored else Consumed()


def append_shard(
    collection: Collection,
    batch: Sequence[EncodedDocument],
    legs: Mapping[str, Representation],
    done: Consumed,
) -> None:
    """Add documents, whose ids must differ, with their representations.

    Documents of earlier shards with the same ids are replaced. `done` of the input is done when
    this returns.
    """
    with collection.database.read() as connection:
        first = last_number(connection) + 1
    last = first + len(batch) - 1
    spans = [[(p.start, p.end) for p in item.passages] or [(-1, -1)] for item in batch]
    passages = Passages(
        np.repeat(np.arange(first, last + 1, dtype=np.int64), [len(s) for s in spans]),
        np.array([span for s in spans for span in s], dtype=np.int32).reshape(-1, 2),
    )
    shard = write_segment(collection, passages, legs, first, last, shard_config(collection.config))
    with collection.database.write() as connection:
        _check_building(connection, collection)
        known = numbers_of(connection, [item.document.id for item in batch])
        delete_documents(connection, list(known.values()))
        for number, item in enumerate(batch, first):
            if insert_document(connection, item.document) != number:
                raise ConflictError(f"{collection.directory}: another process wrote to it")
        insert_segment(connection, shard)
        set_meta(connection, "sealed", str(last))
        set_meta(connection, "consumed", json.dumps([done.documents, done.digest]))


def finish(collection: Collection, memory: int, progress: Progress) -> tuple[int, int]:
    """Merge the shards and make the collection visible; its documents and passages."""
    config = collection.config
    rows = _few_shards(collection, memory)
    progress.start("index", sum(row.passages for row in rows), "passages")
    replaced: list[SegmentRow] = []
    merged: list[SegmentRow] = []
    for group in _groups(rows, config, memory):
        sources = _open_shards(collection, group)
        clean = all(live is None for _, live in sources)
        if len(group) > 1 or not clean or shard_config(config) != config:
            replaced.extend(group)
            row = _merge_shards(collection, group, sources, memory, config)
            merged.extend([] if row is None else [row])
        progress.advance(sum(row.passages for row in group))
    with collection.database.write() as connection:
        _check_building(connection, collection)
        _swap(connection, replaced, merged)
        connection.execute("DELETE FROM tombstones")
        connection.execute("DELETE FROM meta WHERE key = 'consumed'")
        set_meta(connection, "state", "ready")
        documents = int(connection.execute("SELECT count(*) FROM documents").fetchone()[0])
        passages = sum(row.passages for row in read_segments(connection))
    collection.segments.remove(replaced)
    collection.database.shrink()
    return documents, passages


def _few_shards(collection: Collection, memory: int) -> list[SegmentRow]:
    """Merge shards by the dozen until few are left: each takes memory and open files."""
    with collection.database.read() as connection:
        rows = read_segments(connection)
    while len(rows) > MOST_SHARDS:
        for start in range(0, len(rows), MOST_SHARDS):
            group = rows[start : start + MOST_SHARDS]
            if len(group) == 1:
                continue
            sources = _open_shards(collection, group)
            row = _merge_shards(collection, group, sources, memory, shard_config(collection.config))
            with collection.database.write() as connection:
                _check_building(connection, collection)
                _swap(connection, group, [] if row is None else [row])
            collection.segments.remove(group)
        with collection.database.read() as connection:
            rows = read_segments(connection)
    return rows


def _merge_shards(
    collection: Collection,
    group: Sequence[SegmentRow],
    sources: Sequence[tuple[Segment, Mask | None]],
    memory: int,
    config: CollectionConfig,
) -> SegmentRow | None:
    """One segment of several shards, or None when all that is in them was replaced."""
    if not any(live is None or live.any() for _, live in sources):
        return None
    first, last = group[0].first, group[-1].last
    return merge_segments(collection, sources, first, last, memory, config)


def _swap(
    connection: sqlite3.Connection, old: Sequence[SegmentRow], new: Sequence[SegmentRow]
) -> None:
    connection.executemany("DELETE FROM segments WHERE id = ?", [(row.id,) for row in old])
    for row in new:
        insert_segment(connection, row)


def _check_building(connection: sqlite3.Connection, collection: Collection) -> None:
    if get_meta(connection, "state") != "building":
        raise ConflictError(f"{collection.directory}: another process finished this build")


def shard_config(config: CollectionConfig) -> CollectionConfig:
    """The same legs without graphs: these are built once, when shards are merged."""
    legs = {
        name: leg.model_copy(update={"index": FlatConfig()}) if isinstance(leg, DenseLeg) else leg
        for name, leg in config.legs.items()
    }
    return config.model_copy(update={"legs": legs})


def _open_shards(
    collection: Collection, rows: Sequence[SegmentRow]
) -> list[tuple[Segment, Mask | None]]:
    """Shards, whole by their checksums, with masks of what later shards have not replaced."""
    config = shard_config(collection.config)
    opened: list[tuple[Segment, Mask | None]] = []
    for row in rows:
        collection.segments.check(row)
        segment = Segment.open(collection.segments.path(row.id), row, config)
        with collection.database.read() as connection:
            dead = sorted(dead_numbers(connection, row.first, row.last))
        opened.append((segment, segment.without(np.array(dead, dtype=np.int64))))
    return opened


def _groups(
    rows: Sequence[SegmentRow], config: CollectionConfig, memory: int
) -> list[list[SegmentRow]]:
    """Neighbouring shards that can be made one segment within `memory` bytes."""
    groups: list[list[SegmentRow]] = []
    room = 0
    for row in rows:
        need = _graph_bytes(row, config)
        if not groups or need > room:
            groups.append([])
            room = memory
        groups[-1].append(row)
        room -= need
    return groups


def _graph_bytes(row: SegmentRow, config: CollectionConfig) -> int:
    """Memory that the graphs of a shard's passages take; other indexes are merged as streams."""
    total = 0
    for name, leg in config.legs.items():
        if isinstance(leg, DenseLeg) and isinstance(leg.index, HnswConfig):
            vectors = sum(s.size for f, s in row.files.items() if f.startswith(f"{name}/"))
            total += 2 * vectors + row.passages * (8 * leg.index.neighbors + 64)
    return total
