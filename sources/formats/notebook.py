"""Reads Jupyter notebooks as Markdown: the texts and the code of their cells, without outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .converted import Converted
from .limits import Limits
from .markdown_text import clean, code, heading, join, one_line
from .reasons import DAMAGED, EMPTY, UnreadableError


def read_notebook(path: Path, limits: Limits) -> Converted:
    """Return the Markdown cells of a notebook as they are, and its code cells as fenced code.

    Outputs, attachments and raw cells are left out. The title is the `title` in the metadata of the
    notebook. Reads the formats 3 and 4 of notebooks.

    Raises UnreadableError for a file that is not a notebook, and for one without text. The size of
    the file is limited by `Limits.bytes`, which the caller checks.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except ValueError as error:
        message = f"is not valid JSON ({error}); save the notebook again"
        raise UnreadableError(DAMAGED, message) from None
    text = join(map(_cell, _cells(content)))
    if not text:
        raise UnreadableError(EMPTY, "has no text")
    about = content.get("metadata")
    title = about.get("title") if isinstance(about, Mapping) else None
    return Converted(f"{text}\n", one_line(title) if isinstance(title, str) else "")


def _cells(notebook: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the cells of a notebook. A notebook of format 3 has its cells in worksheets."""
    holders = [notebook]
    if isinstance(notebook, Mapping) and isinstance(notebook.get("worksheets"), list):
        holders = notebook["worksheets"]
    for holder in holders:
        cells = holder.get("cells") if isinstance(holder, Mapping) else None
        if not isinstance(cells, list):
            raise UnreadableError(DAMAGED, "has no list `cells`; save the notebook again")
        yield from (cell for cell in cells if isinstance(cell, Mapping))


def _cell(cell: Mapping[str, Any]) -> str:
    """Return a cell as Markdown; "" for a cell that is left out."""
    kind = cell.get("cell_type")
    text = _text(cell.get("source", cell.get("input")))
    if kind == "code":
        return code(text)
    if kind == "heading":  # Format 3.
        level = cell.get("level")
        return heading(level if isinstance(level, int) else 1, text)
    return clean(text).strip() if kind == "markdown" else ""


def _text(source: object) -> str:
    """Return the text of a cell as one string. source: a string, or a list of its lines."""
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str))
