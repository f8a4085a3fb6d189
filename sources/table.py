"""Documents from CSV and TSV files with named columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ..core import Document, InvalidInputError, SourceError
from .errors import OnError, report
from .fields import DEFAULT_FIELDS, FieldNames, offer
from .lines import MAX_LINE, plain_suffix, read_lines

MAX_ROW = MAX_LINE
"""Bytes in a row, which may have many lines. A quote that is never closed would otherwise swallow
the whole file."""


def read_table_documents(
    path: Path, fields: FieldNames = DEFAULT_FIELDS, on_error: OnError | None = None
) -> Iterator[Document]:
    """One document for each row of a `.csv` or `.tsv` file (or with `.gz`) that has a header.

    CSV is read as RFC 4180 says: quoted cells may hold commas, line ends and doubled quotes.
    TSV has no quoting: a tab always ends a cell. Columns that are not named otherwise become
    metadata, as text unless `fields.numeric` names them. A row that cannot be used goes to
    `on_error`, or is raised; a header without the needed columns is always raised.
    """
    rows = _rows(path, on_error)
    header_line, header = next(rows, (1, []))
    _check_header(header, fields, path, header_line)
    for line, cells in rows:
        try:
            if len(cells) != len(header):
                message = f"the row has {len(cells)} cells, the header {len(header)}"
                raise InvalidInputError(message)
            for name, cell in zip(header, cells, strict=True):
                if not _is_text(cell):
                    raise InvalidInputError("not UTF-8", field=name)
            document = fields.document(dict(zip(header, cells, strict=True)))
        except InvalidInputError as error:
            report(SourceError(error.message, path=path, line=line, field=error.field), on_error)
        else:
            yield document


def _rows(path: Path, on_error: OnError | None) -> Iterator[tuple[int, list[str]]]:
    """(line on which the row begins, cells); empty rows are left out.

    Bytes that are not UTF-8 are carried through as lone surrogates, so that one bad row does not
    end the reading of the file.
    """
    if csv.field_size_limit() < MAX_ROW:
        csv.field_size_limit(MAX_ROW)  # a setting of the process: the module offers no other
    lines = _Lines(path)
    while True:
        # A reader that has raised an error may still be inside a cell, so a new one goes on.
        reader = lines.reader()
        try:
            for cells in reader:
                if cells:
                    yield lines.begins, cells
                lines.next_row()
            return
        except csv.Error as error:
            message = f"not a table row: {error}"
            report(SourceError(message, path=path, line=lines.begins), on_error)
            lines.next_row()


class _Lines:
    """The lines of a table as text, with the line on which the row begins and its size so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = read_lines(path)
        self._number = 0
        self._size = 0
        self.begins = 1

    def reader(self) -> Iterator[list[str]]:
        """Rows from the next line on."""
        if plain_suffix(self._path) == ".tsv":
            return csv.reader(self, delimiter="\t", quoting=csv.QUOTE_NONE)
        return csv.reader(self, strict=True)

    def next_row(self) -> None:
        self.begins, self._size = self._number + 1, 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self._number, line = next(self._lines)
        self._size += len(line)
        if self._size > MAX_ROW:
            raise csv.Error(f"it has more than {MAX_ROW:,} bytes; is a quote not closed?")
        return line.decode(errors="surrogateescape")


def _check_header(header: list[str], fields: FieldNames, path: Path, line: int) -> None:
    columns = ", ".join(header) or "none"
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise SourceError(f"column named twice: {', '.join(twice)}", path=path, line=line)
    wanted = {fields.text, *fields.named()}
    if fields.id is not None:
        wanted.add(fields.id)
    elif not {"_id", "id"}.intersection(header):
        wanted.add("id")
    missing = sorted(wanted.difference(header))
    if missing:
        near = offer(missing[0], header).partition(" (")[2]
        message = f"no column {', '.join(missing)} (the file has: {columns})"
        message += f" ({near}" if near else ""
        if len(header) == 1 and (found := next((s for s in ";\t|" if s in header[0]), None)):
            message += f"; {found!r} parts no columns: .csv takes commas, .tsv takes tabs"
        elif fields.id is None and "id" in missing:
            message += "; name the column that holds the id with --id-field"
        raise SourceError(message, path=path, line=line, field=missing[0])


def _is_text(cell: str) -> bool:
    return cell.isascii() or not any("\ud800" <= character <= "\udfff" for character in cell)
