"""Statistics of a local collection: counts and sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..dense.config import DenseLeg
from ..protocol import Approximate
from ..structures.protocol import VectorStorage
from ..structures.vector_search import DEFAULT_RECALL
from .database.database import Database, get_number
from .database.segments import read_segments
from .snapshot import Part
from .view import LocalView


def described(view: LocalView, database: Database) -> dict[str, Any]:
    """Return counts, segments, sizes on disk in bytes, and how vectors are stored, as JSON values.

    Fields of the result that need an explanation:
    legs: leg -> object. `bytes` is the size of the leg in all segments together. A dense leg also
        has `vectors`: its configured storage options and its sizes.
    segments: one object for each segment. Its `vectors` maps each dense leg to how the segment
        stores the vectors; see `Approximate.description`.
    """
    rows = read_segments(view.connection)
    *parts, delta = view.snapshot.parts
    stored = [_vectors(part) for part in parts]
    legs = view.config.legs
    files = database.path.parent.glob(f"{database.path.name}*")
    return {
        "documents": view.count(None),
        "passages": view.snapshot.live_passages,
        "generation": view.generation,
        "sealed": get_number(view.connection, "sealed"),
        "delta": {"passages": delta.live_passages},
        "segments": [
            {
                "id": row.id,
                "passages": row.passages,
                "documents": row.documents,
                "dead_passages": row.passages - part.live_passages,
                "bytes": row.size,
                "bytes_by_leg": {leg: row.bytes_of(leg) for leg in legs},
                "vectors": vectors,
            }
            for row, part, vectors in zip(rows, parts, stored, strict=True)
        ],
        "bytes": {
            "database": sum(map(_size, files)),
            "segments": sum(row.size for row in rows),
        },
        "legs": {
            name: {
                "bytes": sum(row.bytes_of(name) for row in rows),
                **(
                    {"vectors": _storage(name, leg.storage, stored)}
                    if isinstance(leg, DenseLeg)
                    else {}
                ),
            }
            for name, leg in legs.items()
        },
    }


def _size(path: Path) -> int:
    """Return the size of a file in bytes; 0 if it was removed meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _vectors(part: Part) -> dict[str, dict[str, Any]]:
    """Return dense leg -> description of how one segment (`part`) stores its vectors."""
    return {
        name: leg.description() for name, leg in part.legs.items() if isinstance(leg, Approximate)
    }


def _storage(
    name: str, storage: VectorStorage, segments: Sequence[Mapping[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return the configured storage options of one dense leg, and its sizes in all segments.

    name:     name of the leg.
    segments: the result of `_vectors` for each segment.

    Fields of the result:
    recall: default recall target of searches. None if index parameters are configured instead.
    bytes_per_vector: mean size of a vector on disk. None if no segment has vectors.
    memory: bytes of memory that the indexes of all segments use together.
    """
    codec = storage.used_codec
    found = [segment[name] for segment in segments if name in segment]
    rows = sum(one["rows"] for one in found)
    configured = storage.index.search
    target = 1.0 if storage.index.kind == "flat" and storage.lossless else DEFAULT_RECALL
    return {
        "index": storage.index.kind,
        "codec": None if codec is None else codec.kind,
        "projection": None
        if storage.projection is None
        else storage.projection.model_dump(mode="json"),
        "originals": storage.kept,
        "recall": None if configured.parameters else configured.recall or target,
        "bytes_per_vector": sum(one["rows"] * one["bytes_per_vector"] for one in found) / rows
        if rows
        else None,
        "memory": sum(one["memory"] for one in found),
    }
