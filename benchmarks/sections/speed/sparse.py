"""The section of speed/sparse.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import part, scientific, set_name, table, whole

TITLE = "Learned sparse vectors"
NAMES = {"twindex": "Twindex, exact", "scipy": "scipy, exact", "seismic": "seismic, approximate"}


def rows_of(figures: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for size in figures["sizes"] for row in size["results"]]


def section(figures: dict[str, Any]) -> Iterator[str]:
    rows = rows_of(figures)
    columns = sorted({(row["documents"], row["k"]) for row in rows})
    times = {(row["system"], row["documents"], row["k"]): row["us CPU/query"] for row in rows}
    yield (
        "CPU microseconds of a query over SPLADE vectors; lower is better. The vectors are those "
        f"of {set_name(figures['set'])}, resampled to the size of the column."
    )
    yield table(
        ["", *(f"{documents:,} passages, k = {k:,}" for documents, k in columns)],
        (
            [
                title,
                *(whole(times[name, *at]) if (name, *at) in times else "" for at in columns),
            ]
            for name, title in NAMES.items()
            if any(row["system"] == name for row in rows)
        ),
    )
    worst = max(size["largest_difference_from_scipy"] for size in figures["sizes"])
    yield (
        f"The largest difference between a score and scipy's is {scientific(worst)}. "
        f"seismic runs with {', '.join(f'`{k}` {v}' for k, v in figures['seismic'].items())}"
        + "; ".join(
            f", and finds {part(row['top-10 agreement'], 2)} of the exact top hits"
            for row in rows
            if row["system"] == "seismic" and row["k"] == min(k for _, k in columns)
        )
        + ". It is measured at the smallest size only, because its build takes long."
    )


def compared(figures: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    smallest = figures["sizes"][0]
    rows = {row["system"]: row for row in reversed(smallest["results"])}
    peer = rows.get("seismic")
    if peer is not None:
        title = f"SPLADE, {smallest['documents']:,} passages, CPU time of a query, lower is better"
        agreement = part(peer["top-10 agreement"], 2)
        ours = f"{whole(rows['twindex']['us CPU/query'])} us, exact"
        yield title, ours, f"{whole(peer['us CPU/query'])} us, recall {agreement} (seismic)"
