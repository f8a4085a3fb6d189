"""The section of quality/promptreps.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import chance, part, set_name, signed, table, whole

TITLE = "PromptReps"
MEASURE = "nDCG@10"
SYSTEMS = {
    "PromptReps dense": "dense",
    "PromptReps sparse": "sparse",
    "PromptReps hybrid": "hybrid",
}
PEERS = ("BM25", "MiniLM")
VARIANTS = ("single", "small")


def section(figures: dict[str, Any]) -> Iterator[str]:
    sets, small = figures["sets"], figures["small"]
    documents = sorted({one["documents"] for one in sets.values()})
    yield (
        f"nDCG@10 of {figures['model']} ({figures['precision']}) beside BM25 and MiniLM; higher is "
        f"better. Each collection is a fixed random sample of {' or '.join(map(whole, documents))} "
        "documents with the queries that they answer, so the figures compare with each other only. "
        f"`small` is the template `{small['template']}`, layer {small['layer']} and centred "
        "vectors, found on SciFact's training queries and Cranfield."
    )
    variants = [v for v in VARIANTS if all(v in one for one in sets.values())]
    columns = [(variant, system) for variant in variants for system in SYSTEMS]
    yield table(
        [MEASURE, "queries", *(f"{v}: {SYSTEMS[system]}" for v, system in columns), *PEERS],
        (
            [
                set_name(name),
                whole(one["queries"]),
                *(part(one[v]["measures"][system][MEASURE]) for v, system in columns),
                *(part(one["single"]["measures"][peer][MEASURE]) for peer in PEERS),
            ]
            for name, one in sets.items()
        ),
    )
    yield (
        "The next table has the difference in nDCG@10 that the model makes when it is added to a "
        "system, and the p-value of a paired randomisation test. The p-values are not corrected "
        "for their number."
    )
    pairs = next(iter(sets.values()))[variants[0]]["differences"]
    yield table(
        ["added", *(f"{set_name(name)}, {v}" for name in sets for v in variants)],
        (
            [
                pair.replace(" - ", " against "),
                *(
                    f"{signed(found['difference'])} ({chance(found['p_value'])})"
                    for one in sets.values()
                    for v in variants
                    for found in [one[v]["differences"][pair]]
                ),
            ]
            for pair in pairs
        ),
    )
    yield "`--variants` measures the other variants, and `--documents` other sizes."
