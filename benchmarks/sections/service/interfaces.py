"""The section of service/interfaces.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import part, table, whole

TITLE = "Interfaces of other services"


def section(figures: dict[str, Any]) -> Iterator[str]:
    embedded = figures["embeddings"]
    yield (
        f"`/v1/embeddings` against the same encoder ({embedded['model']}) in a program, "
        f"{whole(embedded['texts'])} texts of {whole(embedded['words'])} words in a request. The "
        "ratios are medians over rounds in which both take turns; higher is better."
    )
    yield table(
        ["", "texts a second", "throughput ratio", "CPU ms a text"],
        [
            [
                shown,
                whole(embedded[name]["texts_per_second"]),
                part(embedded[name]["throughput_ratio"], 2),
                part(embedded[name]["cpu_ms_per_text"], 2),
            ]
            for name, shown in (
                ("process", "in the program"),
                ("float", "served, float"),
                ("base64", "served, base64"),
            )
        ],
    )
    yield (
        "CPU milliseconds of the server for a request, against the native route that does the same "
        f"work; lower is better. The collection has {whole(figures['documents'])} short documents. "
        "Embeddings are of one short text, and rerankings of several by a reranker without a "
        "model. A tool of MCP is called over HTTP, without a session."
    )
    yield table(
        ["interface", "native route", "native CPU ms", "CPU ms", "ratio"],
        [
            [
                f"`{name}`",
                one["native"],
                part(one["native_ms"], 2),
                part(one["ms"], 2),
                part(one["ratio"], 2),
            ]
            for name, one in figures["routes"].items()
        ],
    )
