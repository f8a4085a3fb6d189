"""What is in a collection, told to people and programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..encoders import MOST_TOKENS, counted_by_words
from ..index import DEFAULT_RECALL, CollectionConfig, DenseLeg, LocalStore, VectorStorage
from ..index.protocol import Approximate
from ..index.store.database.database import get_number
from ..index.store.database.tables import read_segments
from ..index.store.snapshot import Part


def describe(store: LocalStore) -> dict[str, Any]:
    """Counts, segments, sizes on disk in bytes, legs with their encoders and how their vectors are
    stored, configuration.

    cut: how documents are cut: `unit`, `size` (most tokens or words; None: not cut, or not known
    before a document was encoded), `overlap`, and `leg`, whose encoder sets the size, or None.
    legs: `bytes` in all segments; `vectors` of a dense leg is what is configured and what it takes
    there (of a leg whose passages have several, for each vector).
    segments: `vectors` tells of each dense leg how it is stored there; see `Approximate`.
    """
    with store.reader() as reader:
        rows = read_segments(reader.connection)
        sealed = get_number(reader.connection, "sealed")
        parts = reader.snapshot.parts
        documents = reader.count(None)
        generation = reader.snapshot.generation
        config = reader.config
    delta = parts[-1]
    stored = [_vectors(part) for part in parts[:-1]]
    fingerprints = store.fingerprints()
    database = sum(
        path.stat().st_size for path in store.directory.glob(f"{store.database.path.name}*")
    )
    return {
        "path": str(store.directory),
        "documents": documents,
        "passages": sum(part.live_passages for part in parts),
        "cut": _cut(config, fingerprints),
        "generation": generation,
        "sealed": sealed,
        "delta": {"passages": delta.live_passages},
        "segments": [
            {
                "id": row.id,
                "passages": row.passages,
                "documents": row.documents,
                "dead_passages": row.passages - part.live_passages,
                "bytes": row.size,
                "bytes_by_leg": {
                    leg: sum(
                        state.size
                        for name, state in row.files.items()
                        if name.startswith(f"{leg}/")
                    )
                    for leg in config.legs
                },
                "vectors": vectors,
            }
            for row, part, vectors in zip(rows, parts[:-1], stored, strict=True)
        ],
        "bytes": {"database": database, "segments": sum(row.size for row in rows)},
        "legs": {
            name: {
                "kind": leg.kind,
                "role": leg.role,
                "bytes": sum(
                    state.size
                    for row in rows
                    for file, state in row.files.items()
                    if file.startswith(f"{name}/")
                ),
                "encoder": fingerprints.get(name),
                **(
                    {"vectors": _storage(name, leg.storage, stored)}
                    if isinstance(leg, DenseLeg)
                    else {}
                ),
            }
            for name, leg in config.legs.items()
        },
        "config": config.model_dump(mode="json"),
    }


def _cut(config: CollectionConfig, fingerprints: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """How documents are cut. whole: words of a document that is not cut; leg: whose encoder reads
    no more than a passage has."""
    passages = config.passages
    reads = {
        name: one.get("document_length", one.get("max_length"))
        for name, one in fingerprints.items()
    }
    limits = {name: int(limit) for name, limit in reads.items() if limit is not None}
    if passages.unit == "tokens" and fingerprints and not limits:
        passages = counted_by_words(passages)
    found: dict[str, Any] = passages.model_dump(include={"unit", "size", "overlap"})
    found |= {"whole": passages.threshold, "leg": None}
    if passages.unit == "none":
        return {**found, "size": None, "overlap": 0, "whole": 0}
    if passages.unit == "tokens" and limits:
        least = min(limits, key=lambda name: limits[name])
        found["size"] = passages.size or MOST_TOKENS
        if limits[least] <= found["size"]:
            found.update(size=limits[least], leg=least)
        found["overlap"] = min(passages.overlap, found["size"] // 2)
    return found


def _vectors(part: Part) -> dict[str, dict[str, Any]]:
    """Leg -> how its vectors are stored in a segment."""
    return {
        name: leg.description() for name, leg in part.legs.items() if isinstance(leg, Approximate)
    }


def _storage(
    name: str, storage: VectorStorage, segments: Sequence[Mapping[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """How a leg's vectors are stored as configured, and what they take in all segments.

    recall: the target of a search that says nothing; None where parameters are configured.
    bytes_per_vector: on disk; None while there is no segment. memory: bytes that indexes hold.
    """
    codec = storage.used_codec
    told = [segment[name] for segment in segments if name in segment]
    rows = sum(one["rows"] for one in told)
    fields = dict(storage.index)
    fixed = any(fields.get(parameter) is not None for parameter in ("nprobe", "ef_search"))
    target = 1.0 if storage.index.kind == "flat" and storage.lossless else DEFAULT_RECALL
    return {
        "index": storage.index.kind,
        "codec": None if codec is None else codec.kind,
        "projection": None
        if storage.projection is None
        else storage.projection.model_dump(mode="json"),
        "originals": storage.kept,
        "recall": None if fixed else fields.get("recall") or target,
        "bytes_per_vector": sum(one["rows"] * one["bytes_per_vector"] for one in told) / rows
        if rows
        else None,
        "memory": sum(one["memory"] for one in told),
    }
