"""The section of service/build.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import table, whole

TITLE = "Memory of a build"


def section(figures: dict[str, Any]) -> Iterator[str]:
    legs = ["BM25"] + [
        f"{leg} ({figures[leg]})" for leg in ("dense", "sparse") if figures[leg] != "none"
    ]
    yield (
        "Peak memory of `twindex build`, mapped files included, with and without a memory budget; "
        f"lower is better. {whole(figures['documents'])} RFCs with {whole(figures['characters'])} "
        f"characters; legs: {', '.join(legs)}."
    )
    yield table(
        ["budget", "peak MB", "passages", "seconds", "CPU seconds"],
        (
            [
                row["budget"],
                whole(row["peak_bytes"] / 1e6),
                *(whole(row[key]) for key in ("passages", "seconds", "cpu_seconds")),
            ]
            for row in figures["builds"]
        ),
    )
    yield "`--dense` and `--sparse` add the legs of models, which take far longer."
