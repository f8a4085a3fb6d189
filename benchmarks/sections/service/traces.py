"""The section of service/traces.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import percent, table, whole

TITLE = "Traces"


def section(figures: dict[str, Any]) -> Iterator[str]:
    titles = {
        "off": "no traces",
        "on": "every search",
        "sampled": f"{percent(figures['sampling'])} of the searches",
    }
    yield (
        "Processor milliseconds (user and system) of a server for a search, with the sending of "
        "its spans to a collector on this machine; lower is better. "
        f"{whole(figures['documents'])} documents, {figures['legs']} legs with fake encoders, one "
        f"client. Medians of {whole(figures['rounds'])} rounds of {whole(figures['requests'])} "
        "searches, in which the servers take turns. `added` is the median of the differences in a "
        "round, with their quartiles: other work on the machine makes them differ."
    )
    rows = []
    for name, title in titles.items():
        low, middle, high = (f"{one:+.2f}" for one in figures["added_ms"].get(name, [0.0] * 3))
        rows.append(
            [
                title,
                f"{figures['cpu_ms'][name]:.2f}",
                f"{middle} ({low} to {high})" if name in figures["added_ms"] else "",
                f"{figures['spans_per_search'][name]:.1f}",
            ]
        )
    yield table(["traces", "CPU ms a search", "added", "spans a search"], rows)
