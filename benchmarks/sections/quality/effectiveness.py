"""The section of quality/effectiveness.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sections.markdown import listed, part, percent, set_name, table, whole

TITLE = "Effectiveness"
MEASURE = "nDCG@10"
DEFAULT = "minmax"
"""The default fusion."""


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        "nDCG@10 (linear gain) of each leg and each fusion on whole collections; higher is better. "
        "All collections use the default configuration, and nothing is tuned to one of them. "
        f"The default fusion is `{DEFAULT}`."
    )
    systems = list(next(iter(figures.values()))["systems"])
    yield table(
        [MEASURE, "documents", "queries", *systems],
        (
            [
                set_name(name),
                whole(one["documents"]),
                whole(one["queries"]),
                *(part(one["systems"][system][MEASURE]) for system in systems),
            ]
            for name, one in figures.items()
        ),
    )
    for name, one in figures.items():
        if "filtered" not in one:
            continue
        found = one["filtered"]
        inside, after = (
            listed([f"{measure} {part(value)}" for measure, value in found[way].items()])
            for way in ("inside_legs", "after_top_10")
        )
        yield (
            f"{set_name(name)} with the filter `{json.dumps(found['filter'])}`, which "
            f"{percent(found['share_of_documents'])} of the documents meet: the default finds "
            f"{inside}. Filtering its unfiltered top hits afterwards leaves {after}."
        )


def compared(figures: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in ("scifact", "msrd_movies"):
        if name in figures:
            systems = {key: one[MEASURE] for key, one in figures[name]["systems"].items()}
            legs = [f"{part(systems[leg])} ({leg})" for leg in ("lexical", "dense", "sparse")]
            title = f"{MEASURE} on {set_name(name)}, higher is better"
            yield title, f"{part(systems[DEFAULT])} fused", ", ".join(legs)
