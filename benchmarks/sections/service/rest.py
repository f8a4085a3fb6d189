"""The section of service/rest.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import table, whole

TITLE = "HTTP"
ROWS = {
    "ping": "ping over HTTP",
    "http": "search over HTTP",
    "process": "search in process",
}


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        "Milliseconds and CPU microseconds of the same search over HTTP and in process; lower is "
        f"better. {whole(figures['documents'])} documents, {figures['legs']} legs with fake "
        f"encoders, {figures['limit']} hits, one kept-alive connection, "
        f"{whole(figures['requests'])} requests."
    )
    yield table(
        ["", "p50 ms", "p95 ms", "CPU us"],
        (
            [
                title,
                f"{figures[f'{kind}_p50_ms']:.2f}",
                f"{figures[f'{kind}_p95_ms']:.2f}",
                whole(figures[f"{kind}_cpu_us"]),
            ]
            for kind, title in ROWS.items()
        ),
    )
    yield (
        f"HTTP adds {figures['added_p50_ms']:.1f} ms at p50. The server's CPU time for a request "
        f"is {figures['cpu_ratio']:.1f} times that of a ping; without the search itself it is "
        f"{figures['added_cpu_ratio']:.1f} times."
    )
