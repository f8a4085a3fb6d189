"""The section of quality/rerank.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import chance, part, set_name, signed, table, whole

TITLE = "Rerankers"
MEASURE = "nDCG@10"
FIRST = {"bm25": "BM25", "hybrid": "hybrid search"}


def section(figures: dict[str, Any]) -> Iterator[str]:
    depths = sorted({row["top_n"] for row in figures["rows"] if "top_n" in row})
    yield (
        "nDCG@10 after a reranker has ordered the first stage's hits anew, higher is better, and "
        "the wall-clock milliseconds that it adds to a search, lower is better. Rerankers get "
        f"{' or '.join(map(whole, depths))} hits. `leg:` reads vectors that the collection stores, "
        "`late` and `tilde` encode the texts during the search. p is of a paired randomisation "
        "test against the first stage."
    )
    yield table(
        ["", "first stage", "reranker", "queries", MEASURE, "change", "p50 ms", "p95 ms"],
        map(cells, figures["rows"]),
    )
    yield (
        "Texts that were encoded for an earlier query are not encoded again, so `late` and `tilde` "
        "would take longer on a larger collection. `--first hybrid` reranks hybrid search, "
        "`--cross-encoder FOLDER` adds a cross-encoder of your own, and `--llm-queries` the "
        "rerankers that prompt a language model."
    )


def cells(row: dict[str, Any]) -> list[str]:
    start = [set_name(row["set"]), FIRST[row["first"]]]
    if "reranker" not in row:
        return [*start, "none", whole(row["queries"]), part(row[MEASURE]), "", "", ""]
    change = f"{signed(row['difference'])} ({chance(row['p_value'])})"
    times = [f"{1000 * row[key]:,.1f}" for key in ("p50", "p95")]
    return [*start, row["reranker"], whole(row["queries"]), part(row[MEASURE]), change, *times]
