"""Offline builds of new collections: write shards, then merge them into few segments.

A shard is a segment whose vectors are not in an index yet. One transaction stores a shard, its
documents and the position in the input, so an interrupted build continues after its last shard. The
memory that a merge may use limits how many shards become one segment. The collection cannot be
searched before `finish`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ...core import ConflictError, Document, NotFoundError, Progress, Representation
from ...sources import vectors_digest
from ..codecs.config import FAISS_BITS, Int8Codec, ScalarCodec
from ..config import CollectionConfig
from ..dense.config import DenseLeg
from ..models import absolute, same_models
from ..protocol import Mask
from ..store_protocol import EncodedDocument
from ..structures.protocol import VectorStorage
from .database.database import UNFINISHED, get_meta, set_meta
from .database.history import switch
from .database.rows import SegmentRow
from .database.segments import insert_segment, read_segments, swap_segments
from .database.tables import (
    dead_numbers,
    delete_documents,
    insert_documents,
    last_number,
    numbers_of,
)
from .local import LocalStore
from .maintenance import merge_segments, new_segment_name
from .segment import Passages, Segment, write

MOST_SHARDS = 24
"""Maximum number of shards that are open and merged at once."""


def resume(path: Path, config: CollectionConfig) -> LocalStore | None:
    """Open and return the interrupted build in the folder `path`.

    Returns None if the folder contains no collection.

    Raises ConflictError if the folder contains a finished collection, or an unfinished build with a
    configuration other than `config`.
    """
    try:
        store = LocalStore.open(path, verify="size", state="building")
    except NotFoundError:
        return None
    wanted = same_models(config, store.config, store.fingerprints())
    if wanted != absolute(store.config):
        store.close()
        raise ConflictError(
            f"{path}: contains an unfinished build with another configuration; run it with its "
            "original options to continue it, or remove the folder to start over"
        )
    return store


@dataclass(frozen=True, slots=True)
class Consumed:
    """The part of a build's input that is already stored.

    documents: number of stored documents.
    digest: SHA-256 of these documents, in their order, in hexadecimal; "" if there are none.
    """

    documents: int = 0
    digest: str = ""

    def after(self, document: Document) -> Consumed:
        """Return a `Consumed` that also includes `document`, the next one of the input."""
        content: list[object] = [
            document.id,
            document.title,
            document.text,
            dict(document.metadata),
        ]
        if document.brings:
            passages = [(one.start, one.end) for one in document.passages]
            content += [vectors_digest(document.vectors), passages]
        link = self.digest + json.dumps(content, sort_keys=True, ensure_ascii=True)
        return Consumed(self.documents + 1, sha256(link.encode()).hexdigest())


def consumed(store: LocalStore) -> Consumed:
    """Return the part of the input that earlier runs of this build have stored."""
    with store.database.read() as connection:
        stored = get_meta(connection, "consumed")
    return Consumed(*json.loads(stored)) if stored else Consumed()


def append_shard(
    store: LocalStore,
    batch: Sequence[EncodedDocument],
    legs: Mapping[str, Representation],
    done: Consumed,
) -> None:
    """Write one shard with the documents of `batch` and their representations.

    batch: documents with distinct ids. They replace documents of earlier shards with the same ids.
    legs: leg -> representations of all passages of `batch`, in order.
    done: the part of the input that is stored after this call, including `batch`. This record is
        stored with the shard, so that an interrupted build continues after it.

    Raises ConflictError if another process is running or has finished the same build.
    """
    with store.database.read() as connection:
        first = last_number(connection) + 1
    last = first + len(batch) - 1
    spans = [[(p.start, p.end) for p in item.passages] or [(-1, -1)] for item in batch]
    passages = Passages(
        np.repeat(np.arange(first, last + 1, dtype=np.int64), [len(s) for s in spans]),
        np.array([span for s in spans for span in s], dtype=np.int32).reshape(-1, 2),
    )
    directory = store.segments.path(new_segment_name(last))
    shard = write(directory, passages, legs, first, last, shard_config(store.config))
    with store.database.write() as connection:
        _check_building(connection, store)
        known = numbers_of(connection, [item.document.id for item in batch])
        delete_documents(connection, list(known.values()))
        numbers = insert_documents(connection, [item.document for item in batch])
        if numbers != list(range(first, last + 1)):
            raise ConflictError(
                f"{store.directory}: another process is running the same build; stop one of the two"
            )
        insert_segment(connection, shard)
        set_meta(connection, "sealed", str(last))
        set_meta(connection, "consumed", json.dumps([done.documents, done.digest]))


def finish(store: LocalStore, memory: int, progress: Progress) -> tuple[int, int]:
    """Merge the shards into segments with indexes and make the collection available to searches.

    memory: working memory of a merge, in bytes. With more memory, fewer and larger segments result.

    Returns the number of documents and the number of passages.
    """
    config = store.config
    rows = _reduce_shards(store, memory)
    merged: list[tuple[list[SegmentRow], SegmentRow | None]] = []
    for group in _groups(rows, config, memory):
        sources = _open_shards(store, group)
        clean = all(live is None for _, live in sources)
        if len(group) > 1 or not clean or shard_config(config) != config:
            name = _reserved_name(store, group)
            row = merge_segments(store, sources, memory, config, progress, name)
            merged.append((group, row))
    with store.database.write() as connection:
        _check_building(connection, store)
        for group, row in merged:
            swap_segments(connection, group, row)
        connection.execute("DELETE FROM tombstones")
        connection.execute("DELETE FROM meta WHERE key IN ('consumed', ?)", (UNFINISHED,))
        set_meta(connection, "state", "ready")
        if config.history is not None:
            switch(connection, config.history.days)
        documents = int(connection.execute("SELECT count(*) FROM documents").fetchone()[0])
        passages = sum(row.passages for row in read_segments(connection))
    for group, _ in merged:
        store.segments.remove(group)
    store.database.shrink()
    return documents, passages


def _reduce_shards(store: LocalStore, memory: int) -> list[SegmentRow]:
    """Merge groups of shards until at most MOST_SHARDS shards are left. Return their rows.

    The number of shards is limited because each open shard needs memory and open files.
    """
    with store.database.read() as connection:
        rows = read_segments(connection)
    while len(rows) > MOST_SHARDS:
        for start in range(0, len(rows), MOST_SHARDS):
            group = rows[start : start + MOST_SHARDS]
            if len(group) == 1:
                continue
            sources = _open_shards(store, group)
            row = merge_segments(store, sources, memory, shard_config(store.config))
            with store.database.write() as connection:
                _check_building(connection, store)
                swap_segments(connection, group, row)
            store.segments.remove(group)
        with store.database.read() as connection:
            rows = read_segments(connection)
    return rows


def _reserved_name(store: LocalStore, group: Sequence[SegmentRow]) -> str:
    """Return the name of the segment into which the shards `group` are merged.

    The first call stores a new name. Later calls for the same shards return the stored name. So an
    interrupted merge can continue, and its files are not removed as garbage.
    """
    shards = " ".join(row.id for row in group)
    with store.database.write() as connection:
        names = json.loads(get_meta(connection, UNFINISHED) or "{}")
        if shards not in names:
            names[shards] = new_segment_name(group[-1].last)
            set_meta(connection, UNFINISHED, json.dumps(names))
        return str(names[shards])


def _check_building(connection: sqlite3.Connection, store: LocalStore) -> None:
    if get_meta(connection, "state") != "building":
        raise ConflictError(
            f"{store.directory}: another process has finished this build; open the collection"
        )


def shard_config(config: CollectionConfig) -> CollectionConfig:
    """Return the configuration of shards: `config`, but dense legs store vectors without an index.

    The indexes are built only once, when the shards are merged.
    """
    legs = {
        name: leg.model_copy(update=_shard_storage(leg)) if isinstance(leg, DenseLeg) else leg
        for name, leg in config.legs.items()
    }
    return config.model_copy(update={"legs": legs})


def _shard_storage(leg: DenseLeg) -> dict[str, Any]:
    """Return field -> value for the storage options that `leg` has in shards.

    Shards store uncompressed vectors without an index. A leg with several vectors for each passage
    and a lossy codec has many vectors. Its shards store them with float16 or int8, and the codec of
    the leg then produces nearly the same codes as from the original vectors.
    """
    storage = VectorStorage()
    if leg.multi and not leg.storage.lossless:
        wide = FAISS_BITS.get(leg.storage.held_codec.kind, 0) >= 16
        codec = ScalarCodec(kind="float16") if wide else Int8Codec()
        storage = VectorStorage(codec=codec, originals="none")
    return dict(storage)


def _open_shards(
    store: LocalStore, rows: Sequence[SegmentRow]
) -> list[tuple[Segment, Mask | None]]:
    """Check the checksums of shards and open them. Return each shard with a mask of rows to keep.

    The mask leaves out rows whose documents a later shard has replaced. None: keep all rows.
    """
    config = shard_config(store.config)
    opened: list[tuple[Segment, Mask | None]] = []
    for row in rows:
        store.segments.check(row)
        segment = Segment.open(store.segments.path(row.id), row, config)
        with store.database.read() as connection:
            dead = dead_numbers(connection, row.first, row.last)
        opened.append((segment, segment.without(dead)))
    return opened


def _groups(
    rows: Sequence[SegmentRow], config: CollectionConfig, memory: int
) -> list[list[SegmentRow]]:
    """Divide the shards `rows` into groups of neighbours. Each group becomes one segment.

    The merge of a group needs at most `memory` bytes. A shard that needs more is a group of its
    own.
    """
    groups: list[list[SegmentRow]] = []
    for row in rows:
        if groups and _building_bytes([*groups[-1], row], config) <= memory:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _building_bytes(rows: Sequence[SegmentRow], config: CollectionConfig) -> int:
    """Return the bytes of memory that a merge of the shards `rows` needs to build indexes.

    Most indexes are merged as a stream. Such an index counts as 0 bytes.
    """
    passages = sum(row.passages for row in rows)
    total = 0
    for name, leg in config.legs.items():
        stored = sum(row.bytes_of(name) for row in rows)
        total += leg.building_bytes(passages, width=stored // (4 * max(1, passages)))
    return total
