"""The section of service/sync.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import figures as digits
from sections.markdown import table, whole

TITLE = "Sync of a folder"


def section(figures: dict[str, Any]) -> Iterator[str]:
    legs = ["BM25"] + [
        f"{leg} ({figures[leg]})" for leg in ("dense", "sparse") if figures[leg] != "none"
    ]
    yield (
        f"`twindex build --sync` of a folder with {whole(figures['files'])} files; lower is "
        "better. "
        f"Between the syncs, {100 * figures['changed']:g} % of the files is changed and "
        f"{100 * figures['removed']:g} % is removed. Legs: {', '.join(legs)}. "
        "`fake` is an encoder without a model: a real one adds its time for each encoded passage. "
        "Times include the start of Python."
    )
    yield table(
        ["", "seconds", "encoded passages", "documents written", "deleted"],
        (
            [
                run["command"],
                digits(run["seconds"], 3),
                *(whole(run[key]) for key in ("passages", "documents", "deleted")),
            ]
            for run in figures["runs"]
        ),
    )
    if kills := figures.get("kills"):
        yield (
            f"{whole(kills['kills'])} syncs were killed at random times (SIGKILL), with changed "
            f"files before each; {whole(kills['ended'])} more ended before their kill. "
            f"{whole(kills['compared'])} times, the next sync was left alone, and the documents "
            f"were compared with the files: {whole(kills['different'])} times they differed."
        )
