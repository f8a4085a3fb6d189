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
        "searches, in which the servers take turns. `added` is the median of the differences in a round, with "
        "their quartiles: other work on the machine makes them differ."
    )
    rows = []
    for name, title in titles.items():
        added = figures["added_ms"].get(name)
        rows.append(
            [
                title,
                f"{figures['cpu_ms'][name]:.2f}",
                "" if added is None else "{1:+.2f} ({0:+.2f} to {2:+.2f})".format(*added),
                f"{figures['spans_per_search'][name]:.1f}",
            ]
        )
    yield table(["traces", "CPU ms a search", "added", "spans a search"], rows)
