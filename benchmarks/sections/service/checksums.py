"""The section of service/checksums.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import figures as digits
from sections.markdown import table, whole

TITLE = "Checksums"
ROWS = {
    "write": "write of a document, CPU",
    "search": "search with texts, CPU",
    "open": "open and read every file, wall clock",
}


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        "Milliseconds of the same work with and without checksums; lower is better. A write is one "
        "SciFact document. Opening reads "
        f"{whole(figures['bytes'] / 1e6)} MB, or compares the sizes of files only."
    )
    yield table(
        ["", "with, ms", "without, ms", "ratio"],
        (
            [
                title,
                *(digits(figures[name][f"ms, {way}"], 3) for way in ("checked", "unchecked")),
                f"{figures[name]['ratio']:.2f}",
            ]
            for name, title in ROWS.items()
        ),
    )
