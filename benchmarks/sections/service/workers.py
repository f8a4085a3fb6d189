"""The section of service/workers.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import table, whole

TITLE = "Several workers"


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Searches of {whole(figures['documents'])} documents by {figures['legs']} legs with fake "
        "encoders. The workers and the clients share "
        f"{figures['cores']} processors. Higher searches a second and lower milliseconds are "
        f"better; the run with the median rate of {whole(figures['runs'])}."
    )
    yield table(
        ["clients", "workers", "searches/s", "p50 ms", "p99 ms"],
        (
            [
                count,
                workers,
                whole(found["per_second"]),
                f"{found['p50_ms']:.1f}",
                f"{found['p99_ms']:.1f}",
            ]
            for count in next(iter(figures["workers"].values()))
            for workers, by_count in figures["workers"].items()
            for found in [by_count[count]["ok"]]
        ),
    )
