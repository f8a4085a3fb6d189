"""The section of service/own_vectors.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import table, whole

TITLE = "Vectors that you bring"

STEPS = {
    "numpy": "peer: `numpy`, copy of the vectors only",
    "faiss": "peer: FAISS `IndexFlatIP`, vectors only",
    "npy": "`twindex build` from `.npy`",
    "parquet": "`twindex build` from Parquet",
    "encoder": "`build` with an encoder that returns the same vectors",
    "export": "`twindex export`",
    "import": "`twindex build` from the export",
}


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{whole(figures['documents'])} documents, each with a vector of "
        f"{figures['dimensions']} dimensions that was made elsewhere; index flat, codec float32. "
        "Every step is a process of its own. The peers store no documents and no checksums. Lower "
        "is better."
    )
    yield table(
        ["step", "seconds", "CPU seconds", "peak MB", "MB on disk"],
        (
            [
                STEPS[row["step"]],
                *(whole(row[key]) for key in ("seconds", "cpu_seconds")),
                *(whole(row[key] / 1e6) for key in ("peak_bytes", "bytes")),
            ]
            for row in figures["steps"]
        ),
    )
    hits = figures["hits"]
    yield (
        f"Hits and scores are equal to those of the encoder for {hits['equal']} of "
        f"{hits['queries']} random queries. The exported vectors "
        f"{'equal' if figures['vectors_unchanged'] else 'do not equal'} the given ones, and a "
        "second export after the import has "
        f"{'the same bytes' if figures['round_trip'] else 'other bytes'}."
    )
