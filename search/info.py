"""What is in a collection, told to people and programs."""

from __future__ import annotations

from typing import Any

from ..index import Collection
from ..index.database import get_meta
from ..index.tables import read_segments


def describe(collection: Collection) -> dict[str, Any]:
    """Counts, segments, sizes on disk in bytes, legs with their encoders, configuration."""
    with collection.reader() as reader:
        rows = read_segments(reader.connection)
        sealed = int(get_meta(reader.connection, "sealed") or 0)
        parts = reader.snapshot.parts
        documents = reader.count(None)
        generation = reader.snapshot.generation
    delta = parts[-1]
    fingerprints = collection.fingerprints()
    database = sum(
        path.stat().st_size
        for path in collection.directory.glob(f"{collection.database.path.name}*")
    )
    return {
        "path": str(collection.directory),
        "documents": documents,
        "passages": sum(part.live_passages for part in parts),
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
                    for leg in collection.config.legs
                },
            }
            for row, part in zip(rows, parts, strict=False)
        ],
        "bytes": {"database": database, "segments": sum(row.size for row in rows)},
        "legs": {
            name: {"kind": leg.kind, "encoder": fingerprints.get(name)}
            for name, leg in collection.config.legs.items()
        },
        "config": collection.config.model_dump(mode="json"),
    }
