"""The section of quality/passage_cutting.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import listed, part, set_name, table, whole

TITLE = "Cutting documents into passages"
NAMES = {
    "words": "`words`",
    "tokens, overlap": "`tokens`, sharing",
    "tokens": "`tokens`",
}
MEASURES = ("nDCG@10", "R@100")


def section(figures: dict[str, Any]) -> Iterator[str]:
    sets, means = figures["sets"], figures["means"]
    yield (
        "nDCG@10 and R@100 of each leg and of the default fusion for ways to cut documents; higher "
        f"is better. The table has means over {listed([set_name(name) for name in sets])}. "
        "A sample keeps the documents that answer the queries, and others at equal distances."
    )
    ways = list(means)
    systems = list(means[ways[0]])
    yield table(
        ["", "passages", "not read to the end (dense)", *systems],
        (
            [
                way,
                whole(sum(one["ways"][way]["passages"] for one in sets.values())),
                whole(sum(one["ways"][way]["truncated"].get("dense", 0) for one in sets.values())),
                *(
                    " / ".join(part(means[way][system][measure]) for measure in MEASURES)
                    for system in systems
                ),
            ]
            for way in ways
        ),
    )
    yield "nDCG@10 of the dense leg and of the fusion on each collection:"
    yield table(
        ["dense / fusion", *ways],
        (
            [
                set_name(name),
                *(
                    " / ".join(part(one["ways"][way]["systems"][s][MEASURES[0]]) for s in shown)
                    for way in ways
                ),
            ]
            for name, one in sets.items()
            for shown in [("dense", systems[-1])]
        ),
    )
    yield (
        "Passages by tokens never exceed what the encoders read. `--ways` and `--sets` measure "
        "more ways and larger samples."
    )
