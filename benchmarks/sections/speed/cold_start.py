"""The section of speed/cold_start.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import figures, set_name, table

TITLE = "Start of a process"
NAMES = {
    "python, empty": "an empty Python program",
    "search, Python, en": 'first search, Python, `"language": "en"`',
    "search, command, en": "first search, `twindex search`, `--language en`",
    "search, Python, auto": 'first search, Python, `"language": "auto"`',
    "search, command, auto": "first search, `twindex search`, `--language auto`",
    "search, bm25s": "first search, bm25s",
}


def section(values: dict[str, Any]) -> Iterator[str]:
    rows = {row["what"]: row for row in values["rows"]}
    yield (
        "Time of a new process, from its start to its end; lower is better. Each value "
        f"is the least of {values['rounds']} runs, with files in the page cache. The searches are "
        f"lexical (BM25) over {values['documents']:,} documents of {set_name(values['set'])}. "
        "Imports of other packages are listed for comparison."
    )
    yield table(
        ["", "CPU seconds", "wall-clock seconds"],
        (
            [
                NAMES.get(name, f"`{name}`"),
                figures(row["cpu_seconds"]),
                figures(row["seconds"]),
            ]
            for name, row in rows.items()
        ),
    )
    detection = (
        rows["search, Python, auto"]["cpu_seconds"] - rows["search, Python, en"]["cpu_seconds"]
    )
    yield (
        "With `auto`, the collection also has documents of "
        f"{set_name(values['other'])}, so the language of the query is detected. The model of the "
        f"detector is compressed: reading it takes {figures(max(detection, 0.01))} CPU seconds, "
        "once in a process. Nothing is detected if all documents have one language, or if the "
        "request names the `language`."
    )
