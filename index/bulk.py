"""Filling a new collection offline: shards first, then as few segments as memory allows.

A shard is a segment whose vectors are not yet in a graph. It becomes true in one transaction
together with its documents and with how much of the input is done, so an interrupted build
continues after its last shard. Nobody else reads the collection before `finish`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..core import (
    CollectionConfig,
    ConflictError,
    DenseLeg,
    FlatConfig,
    HnswConfig,
    NotFoundError,
    Progress,
    Representation,
)
from .collection import Collection, EncodedDocument
from .database import get_meta, set_meta
from .files import remove_tree
from .maintenance import merge_segments, write_segment
from .protocol import Mask
from .segment import Passages, Segment, SegmentRow
from .tables import (
    dead_numbers,
    delete_documents,
    insert_document,
    insert_segment,
    numbers_of,
    read_segments,
)


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


def consumed(collection: Collection) -> int:
    """Documents of the input that are done."""
    with collection.database.read() as connection:
        return int(get_meta(connection, "consumed") or 0)


def append_shard(
    collection: Collection,
    batch: Sequence[EncodedDocument],
    legs: Mapping[str, Representation],
    consumed_now: int,
) -> None:
    """Add documents, whose ids must differ, with their representations.

    Documents of earlier shards with the same ids are replaced. `consumed_now` documents of the
    input are done when this returns.
    """
    with collection.database.read() as connection:
        row = connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'documents'"
        ).fetchone()
    first = (row[0] if row else 0) + 1
    last = first + len(batch) - 1
    spans = [[(p.start, p.end) for p in item.passages] or [(-1, -1)] for item in batch]
    passages = Passages(
        np.repeat(np.arange(first, last + 1, dtype=np.int64), [len(s) for s in spans]),
        np.array([span for s in spans for span in s], dtype=np.int32).reshape(-1, 2),
    )
    shard = write_segment(collection, passages, legs, first, last, shard_config(collection.config))
    with collection.database.write() as connection:
        known = numbers_of(connection, [item.document.id for item in batch])
        delete_documents(connection, list(known.values()))
        for number, item in enumerate(batch, first):
            if insert_document(connection, item.document) != number:
                raise ConflictError(f"{collection.directory}: another process wrote to it")
        insert_segment(connection, shard)
        set_meta(connection, "sealed", str(last))
        set_meta(connection, "consumed", str(consumed_now))


def finish(collection: Collection, memory: int, progress: Progress) -> tuple[int, int]:
    """Merge the shards and make the collection visible; its documents and passages."""
    config = collection.config
    with collection.database.read() as connection:
        rows = read_segments(connection)
        dead = {row.id: dead_numbers(connection, row.first, row.last) for row in rows}
    replaced: list[SegmentRow] = []
    merged: list[SegmentRow] = []
    progress.start("index", sum(row.passages for row in rows), "passages")
    for group in _groups(rows, config, memory):
        whole = len(group) == 1 and not dead[group[0].id] and shard_config(config) == config
        if not whole:
            sources = [_open_shard(collection, row, dead[row.id]) for row in group]
            replaced.extend(group)
            if any(live is None or live.any() for _, live in sources):
                merged.append(
                    merge_segments(collection, sources, group[0].first, group[-1].last, memory)
                )
        progress.advance(sum(row.passages for row in group))
    with collection.database.write() as connection:
        connection.executemany("DELETE FROM segments WHERE id = ?", [(r.id,) for r in replaced])
        for row in merged:
            insert_segment(connection, row)
        connection.execute("DELETE FROM tombstones")
        connection.execute("DELETE FROM meta WHERE key = 'consumed'")
        set_meta(connection, "state", "ready")
        documents = int(connection.execute("SELECT count(*) FROM documents").fetchone()[0])
        passages = sum(row.passages for row in read_segments(connection))
    for row in replaced:
        remove_tree(collection.directory / "segments" / row.id)
    collection.database.shrink()
    return documents, passages


def shard_config(config: CollectionConfig) -> CollectionConfig:
    """The same legs without graphs: these are built once, when shards are merged."""
    legs = {
        name: leg.model_copy(update={"index": FlatConfig()}) if isinstance(leg, DenseLeg) else leg
        for name, leg in config.legs.items()
    }
    return config.model_copy(update={"legs": legs})


def _open_shard(
    collection: Collection, row: SegmentRow, dead: set[int]
) -> tuple[Segment, Mask | None]:
    directory = collection.directory / "segments" / row.id
    segment = Segment.open(directory, row, shard_config(collection.config))
    if not dead:
        return segment, None
    live = np.ones(row.passages, dtype=np.bool_)
    live[segment.dead(np.array(sorted(dead), dtype=np.int64))] = False
    return segment, live


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
