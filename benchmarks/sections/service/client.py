"""The section of service/client.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import part, table, whole

TITLE = "The Python client"


def section(figures: dict[str, Any]) -> Iterator[str]:
    streamed, compared, killed = figures["streamed"], figures["compared"], figures["killed"]
    yield (
        "CPU microseconds of the client for a document that it writes, against a plain loop that "
        "posts the same batches; lower is better."
    )
    yield table(
        ["", "CPU us a document"],
        [
            ["`twindex.Client`", f"{compared['client_us']:.1f}"],
            ["plain httpx2 loop", f"{compared['plain_us']:.1f}"],
            ["ratio", f"{compared['cpu_ratio']:.2f}"],
        ],
    )
    yield (
        f"The client streams {whole(streamed['documents'])} short documents from a generator at "
        f"{whole(streamed['documents_per_second'])} documents a second. Its peak memory is "
        f"{whole(streamed['peak_mb_early'])} MB after a tenth of them and "
        f"{whole(streamed['peak_mb'])} MB at the end."
    )
    once = "every document is" if killed["exactly_once"] else "not every document is"
    yield (
        f"With the server killed {killed['kills']} times during the stream, {once} stored exactly "
        f"once. This run takes {part(killed['lost_seconds'], 1)} s longer; the server is down for "
        f"{sum(killed['down_seconds']):.1f} s of them."
    )
