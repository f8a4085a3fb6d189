"""The section of speed/encode.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import counted, part, set_name, table, whole

TITLE = "Encoding"
KINDS = {"dense": "dense (all-MiniLM-L6-v2)", "sparse": "sparse (SPLADE)"}
OURS = {"twindex": "float32", "twindex, bfloat16": "bfloat16"}


def library(rows: dict[str, dict[str, float]]) -> dict[str, float]:
    """The fastest call of the library."""
    peers = [row for label, row in rows.items() if label not in OURS]
    return max(peers, key=lambda row: row["texts_per_second"])


def section(figures: dict[str, Any]) -> Iterator[str]:
    batches = [label.split()[-1] for label in figures["dense"] if label not in OURS]
    yield (
        "Throughput of the encoders as a ratio to plain sentence-transformers on the same texts; "
        f"higher is better. The texts are {whole(figures['texts'])} abstracts and queries of "
        f"SciFact. The library counts with the best of the batch sizes {', '.join(batches)}. "
        f"Both use {counted(figures['threads'], 'thread')}."
    )
    quality = figures.get("quality")
    rows = []
    for kind, title in KINDS.items():
        best = library(figures[kind])
        for label, precision in OURS.items():
            row = figures[kind][label]
            cells = [
                f"{title}, {precision}",
                f"{row['speed_ratio']:.2f}",
                f"{row['cpu_ratio']:.2f}",
            ]
            if quality:
                cells += [part(row["ndcg@10"], 4), part(best["ndcg@10"], 4)]
            rows.append(cells)
    header = ["", "by wall clock", "by CPU time"]
    if quality:
        header += [f"nDCG@10 on {set_name(quality)}", "nDCG@10 of the library"]
    yield table(header, rows)
    yield (
        "bfloat16 is the `precision` of an encoder. It pays on processors that have it. "
        "`--quality` adds nDCG@10 on a collection."
    )


def compared(figures: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for kind, title in (("dense", "MiniLM"), ("sparse", "SPLADE")):
        rows = figures[kind]
        ours = [f"{rows[label]['speed_ratio']:.1f} ({name})" for label, name in OURS.items()]
        peer = f"{whole(library(rows)['speed_ratio'])} (sentence-transformers, float32)"
        yield f"Encoding with {title}, throughput, higher is better", ", ".join(ours), peer
