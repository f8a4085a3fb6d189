"""The section of quality/section_passages.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import chance, part, table, whole

TITLE = "Passages that follow sections"
GROUPS = {
    "dev": "RFCs of the first half",
    "test": "RFCs of the second half",
    "other RFCs": "cited by another RFC",
    "all": "all queries",
}
MEASURES = ("nDCG@10", "R@100")


def section(figures: dict[str, Any]) -> Iterator[str]:
    ways, queries = figures["ways"], figures["queries"]
    base = next(iter(ways))
    yield (
        f"{whole(queries['all'])} sentences of RFCs that cite a section are the queries; the "
        f"citation is removed. {figures['documents']} whole RFCs are the documents. A hit is right "
        "if its document has the cited section and its best passage is in it; higher is better. "
        "All legs run, with the default fusion. Brackets hold the p-value of a paired "
        f"randomisation test against `{base}`, not corrected for the number of ways."
    )
    for measure in MEASURES:
        yield table(
            [
                measure,
                "passages",
                "MB",
                *(f"{label} ({whole(queries[name])})" for name, label in GROUPS.items()),
            ],
            (
                [
                    name,
                    whole(way["passages"]),
                    part(way["bytes"] / 1e6, 1),
                    *(value(way, "all", group, measure) for group in GROUPS),
                ]
                for name, way in ways.items()
            ),
        )
    yield "nDCG@10 of each leg, all queries:"
    legs = list(dict.fromkeys(row["leg"] for row in ways[base]["rows"] if row["leg"] != "all"))
    yield table(
        ["", *legs],
        (
            [name, *(value(way, leg, "all", MEASURES[0]) for leg in legs)]
            for name, way in ways.items()
        ),
    )


def value(way: dict[str, Any], leg: str, group: str, measure: str) -> str:
    """A measure with its p-value, if it has one."""
    row = next(row for row in way["rows"] if (row["leg"], row["group"]) == (leg, group))
    p = row.get(f"p of {measure}")
    return part(row[measure]) + ("" if p is None else f" ({chance(p)})")
