"""Reads Excel files (.xlsx) as Markdown: a heading and a table for each sheet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path
from typing import Any

from .converted import Converted
from .limits import Limits
from .markdown_text import heading, join, one_line, table
from .office import properties
from .reasons import EMPTY, TOO_LARGE, UnreadableError
from .zipped import check_zip


def read_sheets(path: Path, limits: Limits) -> Converted:
    """Return the cells of a workbook as Markdown tables.

    A cell with a formula has the value that was saved with the formula. Empty rows, empty sheets
    and hidden sheets are left out.

    Raises UnreadableError if the file is damaged or encrypted, has no filled cells or exceeds
    `limits`.
    """
    from openpyxl import load_workbook

    check_zip(path, limits, "xl/workbook.xml")
    book: Any = load_workbook(path, read_only=True, data_only=True)
    try:
        blocks: list[str] = []
        left = limits.characters
        for sheet in book.worksheets:
            if sheet.sheet_state != "visible":
                continue
            sheet.reset_dimensions()  # Wrong dimensions would make rows of 16,384 cells.
            rows = []
            for row in _rows(sheet):
                left -= sum(map(len, row)) + len(row)
                if left < 0:
                    message = f"has more than {limits.characters:,} characters; split the file, "
                    message += "or raise the limit `characters`"
                    raise UnreadableError(TOO_LARGE, message)
                rows.append(row)
            if rows:
                blocks += [heading(2, sheet.title), table(rows)]
        if not blocks:
            raise UnreadableError(EMPTY, "has no filled cells")
        core = book.properties
        metadata = properties(core) | ({"author": core.creator} if core.creator else {})
        return Converted(join(blocks) + "\n", one_line(core.title or ""), metadata)
    finally:
        book.close()


def _rows(sheet: Any) -> Iterator[list[str]]:
    for cells in sheet.iter_rows(values_only=True):
        row = ["" if cell is None else _shown(cell) for cell in cells]
        while row and not row[-1]:
            row.pop()
        if row:
            yield row


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
