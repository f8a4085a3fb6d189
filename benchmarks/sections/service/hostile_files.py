"""The section of service/hostile_files.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import figures as digits
from sections.markdown import table, whole

TITLE = "Hostile files"
REASONS = {"None": "invalid"}


def section(figures: dict[str, Any]) -> Iterator[str]:
    rows = figures["rows"]
    lost = sum(not row["good"] for row in rows)
    yield (
        "Hostile and damaged files, each in a folder beside a harmless one, read with the default "
        "limits. Seconds are those of the reading, without the start of Python, but with that of "
        "the process that converts files. Memory is the peak of that process, or of the process "
        f"that reads texts. Harmless files that were not read: {whole(lost)}."
    )
    yield table(
        ["file", "bytes", "outcome", "seconds", "peak MB"],
        (
            [
                row["file"],
                whole(row["bytes"]) if row["bytes"] else "",
                outcome(row),
                digits(row["seconds"]),
                whole(max(row["peak_mb"], row["converter_mb"])),
            ]
            for row in rows
        ),
    )


def outcome(row: dict[str, Any]) -> str:
    """What became of a file."""
    said = ["read"] if row["documents"] else []
    said += [REASONS.get(reason, reason) for reason in row["reasons"]]
    return ", ".join(said) or "left out"
