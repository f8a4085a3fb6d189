"""The section of speed/history.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import table, whole

TITLE = "A history of documents"


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{whole(figures['documents'])} pieces of RFCs are inserted and "
        f"{whole(figures['replacements'])} of them replaced, in two collections with a lexical "
        "leg, one of which keeps a history. A factor is the time with a history divided by the "
        "time without; lower is better."
    )
    names = {"with": "search with a history", "as of": "search as of an earlier commit"}
    rows = [[f"{kind} documents", f"{one:.2f}"] for kind, one in figures["factors"].items()]
    rows += [
        [f"{title}, {when}", f"{found[name] / found['without']:.2f}"]
        for when, found in figures["searches"].items()
        for name, title in names.items()
    ]
    yield table(["", "factor"], rows)
