"""The section of speed/lexical.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import part, scientific, table, whole

TITLE = "BM25"
OURS = "twindex"


def cells(figures: dict[str, Any]) -> dict[str, dict[int, dict[str, Any]]]:
    """System -> k -> row, the fastest system first."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for row in sorted(figures["results"], key=lambda row: row["us CPU/query"]):
        found.setdefault(row["system"], {})[row["k"]] = row
    return found


def section(figures: dict[str, Any]) -> Iterator[str]:
    found = cells(figures)
    depths = sorted({row["k"] for row in figures["results"]})
    yield (
        f"CPU microseconds of a query over {whole(figures['passages'])} passages of RFCs; lower is "
        f"better. A query is a few neighbouring words; there are {whole(figures['queries'])}. "
        "Twindex's time includes its statistics."
    )
    yield table(
        ["", *(f"k = {depth:,}" for depth in depths), "same top hits"],
        (
            [
                "Twindex" if name == OURS else name,
                *(whole(rows[depth]["us CPU/query"]) for depth in depths),
                "" if name == OURS else part(rows[depths[0]]["top-10 agreement"], 2),
            ]
            for name, rows in found.items()
        ),
    )
    difference = figures["scifact_largest_difference_from_bm25s"]
    yield (
        f"The largest difference between a score and bm25s's on SciFact is "
        f"{scientific(difference)}. tantivy agrees less because its constants are fixed and it "
        "rounds the lengths of passages."
    )


def compared(figures: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    found = cells(figures)
    depth = min(row["k"] for row in figures["results"])
    times = {name: rows[depth]["us CPU/query"] for name, rows in found.items()}
    ours = times.pop(OURS)
    others = [
        f"{whole(value)} us ({name.replace('(', '').rstrip(')')})"
        for name, value in times.items()
        if value < 10 * ours
    ]
    passages = whole(figures["passages"])
    title = f"BM25, {passages} passages, CPU time of a query, lower is better"
    yield title, f"{whole(ours)} us", ", ".join(others)
