"""The section of quality/stored_rerank.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import counted, part, set_name, table, whole
from sections.markdown import figures as digits

TITLE = "Reranking by stored vectors"
MEASURE = "nDCG@10"


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        "nDCG@10 of BM25's best documents in a new order, higher is better, and the bytes and CPU "
        "milliseconds that this costs, lower is better. Late interaction stores the vectors of all "
        "tokens of a passage, TILDEv2 stores weights of its terms. The time includes encoding the "
        f"query; models and searches use {counted(figures['threads'], 'thread')}."
    )
    for name in dict.fromkeys(row["set"] for row in figures["sets"]):
        yield table(
            [set_name(name), "bytes a passage", MEASURE, "CPU ms", "p50 ms", "p95 ms"],
            (
                [
                    row["leg"],
                    *(optional(row["bytes a passage"]), part(row[MEASURE])),
                    *(optional(row[key]) for key in ("CPU ms", "p50 ms", "p95 ms")),
                ]
                for row in figures["sets"]
                if row["set"] == name
            ),
        )
    for row in figures["synthetic"]:
        yield (
            f"TILDEv2 over random weights of {row['passages']} passages takes "
            f"{digits(row['CPU ms'])} ms of CPU (p50 {digits(row['p50 ms'])} ms) and "
            f"{whole(row['bytes a passage'])} bytes a passage."
        )
    yield (
        "The weights of TILDEv2 here are those of a SPLADE model, which was not trained for it. "
        "`--sets` adds collections, and `--synthetic` other sizes."
    )


def optional(value: float | str) -> str:
    """A number, or nothing for a system that has none."""
    if isinstance(value, str):
        return ""
    return whole(value) if value >= 100 else digits(value)
