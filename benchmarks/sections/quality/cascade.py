"""The section of quality/cascade.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import chance, part, set_name, table, whole

TITLE = "Long documents"
MEASURE = "nDCG@10"
PICKERS = {
    "lexical": "picked by BM25",
    "trained": "picked by a trained passage scorer",
    "first": "the first",
    "random": "at random",
}
WHOLE = "every window"


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        "nDCG@10 of a costly reranker that reads some windows of long documents, higher is better, "
        "and the windows that it reads for a query, lower is better. "
        f"{whole(figures['queries'])} questions about {whole(figures['documents'])} "
        f"{set_name(figures['set'])} of up to {whole(figures['longest_words'])} words; BM25's best "
        f"{whole(figures['candidates'])}. The costly reranker is the {figures['slow']} of "
        "all-MiniLM-L6-v2. p is of a paired randomisation test against every window."
    )
    none = ["none (BM25)", part(figures["bm25"][MEASURE]), "", ""]
    rows = [
        [
            windows(row["picked by"]),
            part(row[MEASURE]),
            "" if row["picked by"] == WHOLE else chance(row["p"]),
            whole(row["calls"]),
        ]
        for row in figures["rows"]
    ]
    yield table(["windows of each document", MEASURE, "p", "windows read"], [none, *rows])


def windows(name: str) -> str:
    picker, _, number = name.rpartition(" ")
    return name if name == WHOLE else f"{number} {PICKERS[picker]}"
