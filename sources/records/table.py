"""Reads documents from CSV and TSV files with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ...core import Document, InvalidInputError, SourceError
from ...core.unicode import is_unicode
from ..errors import OnError, report
from ..fields import DEFAULT_FIELDS, FieldNames, offer
from ..lines import MAX_LINE, plain_suffix, read_lines

MAX_ROW = MAX_LINE
"""Maximum size of a row in bytes. A row may have many lines. Without this limit, a row with an
unclosed quote would include the rest of the file."""


def read_table_documents(
    path: Path, fields: FieldNames = DEFAULT_FIELDS, on_error: OnError | None = None
) -> Iterator[Document]:
    """Yield a document for each row of a `.csv` or `.tsv` file with a header, also if compressed.

    CSV follows RFC 4180: quoted cells may contain commas, line ends and doubled quotes. TSV has no
    quoting: a tab always ends a cell. The columns that `fields` selects as metadata are stored as
    text, except those in `fields.numeric`.

    on_error: function that receives the SourceError of an invalid row; reading then continues.
              None: the error is raised.

    Raises SourceError for a header without a required column, even with `on_error`.
    """
    rows = _rows(path, on_error)
    header_line, header = next(rows, (1, []))
    check_header(header, fields, path, header_line)
    for line, cells in rows:
        try:
            if len(cells) != len(header):
                message = f"the row has {len(cells)} cells, but the header has {len(header)}"
                raise InvalidInputError(message)
            for name, cell in zip(header, cells, strict=True):
                if not is_unicode(cell):
                    raise InvalidInputError("is not UTF-8; convert the file to UTF-8", field=name)
            document = fields.document(dict(zip(header, cells, strict=True)))
        except InvalidInputError as error:
            report(SourceError(error.message, path=path, line=line, field=error.field), on_error)
        else:
            yield document


def _rows(path: Path, on_error: OnError | None) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of the row's first line, cells) for each non-empty row of a table.

    Bytes that are not UTF-8 become lone surrogates in the cells, so that reading continues after an
    invalid row.
    """
    if csv.field_size_limit() < MAX_ROW:
        csv.field_size_limit(MAX_ROW)  # The module has only this limit, for the whole process.
    lines = _Lines(path)
    while True:
        # After an error a reader may still be inside a cell, so a new reader continues.
        reader = lines.reader()
        try:
            for cells in reader:
                if cells:
                    yield lines.begins, cells
                lines.next_row()
            return
        except csv.Error as error:
            message = f"the row is not valid ({error})"
            report(SourceError(message, path=path, line=lines.begins), on_error)
            lines.next_row()


class _Lines:
    """Iterator over the lines of a table as text, for the `csv` module. Limits the size of a row.

    begins: number of the first line of the current row, from 1.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = read_lines(path)
        self._number = 0
        self._size = 0
        self.begins = 1

    def reader(self) -> Iterator[list[str]]:
        """Return a reader of the rows from the next line on."""
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
            raise csv.Error(f"more than {MAX_ROW:,} bytes; check that every quote is closed")
        return line.decode(errors="surrogateescape")


def check_header(
    header: list[str], fields: FieldNames, path: Path, line: int | None = None
) -> None:
    """Raise SourceError if columns have equal names, or if a column that `fields` names is missing.

    line: number of the header's line; None for a file without lines, such as Parquet.
    """
    columns = ", ".join(header) or "none"
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise SourceError(
            f"columns must have different names, but these are repeated: {', '.join(twice)}",
            path=path,
            line=line,
        )
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
            message += f"; {found!r} is not a separator; use commas in .csv and tabs in .tsv"
        elif fields.id is None and "id" in missing:
            message += "; set the column of the id with --id-field"
        raise SourceError(message, path=path, line=line, field=missing[0])
