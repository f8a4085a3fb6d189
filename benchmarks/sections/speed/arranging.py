"""The section of speed/arranging.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import table, whole

TITLE = "Facets, sorting, groups, boosts and highlights"


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        f"CPU time of a search of {whole(figures['documents'])} pieces of RFCs by a lexical leg, "
        f"medians of {whole(figures['queries'])} queries. The factor compares the time with that "
        "of the plain search of the same query; lower is better. The first search with a field "
        "reads the field from the database."
    )
    yield table(
        ["search", "ms", "factor", "first, ms"],
        (
            [name, f"{one['ms']:.2f}", f"{one['factor']:.2f}", f"{one['first']:.0f}"]
            for name, one in figures["cases"].items()
        ),
    )
