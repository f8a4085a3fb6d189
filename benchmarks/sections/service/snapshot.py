"""The section of service/snapshot.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import table, whole

TITLE = "Searches beside a snapshot"


def _row(title: str, found: dict[str, Any]) -> list[str]:
    return [title, whole(found["per_second"])] + [
        f"{found[f'p{share}_ms']:.1f}" for share in (50, 95, 99)
    ]


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        f"A snapshot of {whole(figures['snapshot_megabytes'])} MB took "
        f"{figures['snapshot_seconds']:.0f} s at the default `snapshot_rate`, while "
        f"{whole(figures['writes_per_second'])} documents a second were replaced and "
        f"{whole(figures['searches_per_second'])} searches a second arrived, each by two legs with "
        "fake encoders. The medians of "
        f"{whole(figures['rounds'])} rounds; fewer milliseconds are better."
    )
    yield table(
        ["", "searches/s", "p50 ms", "p95 ms", "p99 ms"],
        [
            _row("without a snapshot", figures["alone"]["ok"]),
            _row("beside a snapshot", figures["beside"]["ok"]),
        ],
    )
    ratios = ", ".join(f"{ratio:.2f}" for ratio in figures["p99_ratios"])
    yield (
        f"p99 beside the snapshot divided by p99 without, by round: {ratios}. The restored copy "
        f"had exactly the first {whole(figures['copy']['writes'])} writes, of which the last was "
        "sent during the snapshot, and no damaged file."
    )
