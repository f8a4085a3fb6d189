"""Documents from CSV and TSV files with named columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ..core import Document, InvalidInputError, SourceError
from .errors import OnError, report
from .fields import DEFAULT_FIELDS, FieldNames, offer
from .lines import plain_suffix, read_lines

MAX_CELL = 64 * 2**20
"""Characters in a cell. A quote that is never closed would otherwise swallow the whole file."""


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
    if csv.field_size_limit() < MAX_CELL:
        csv.field_size_limit(MAX_CELL)  # a setting of the process: the module offers no other
    lines = (line.decode(errors="surrogateescape") for _, line in read_lines(path))
    if plain_suffix(path) == ".tsv":
        reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            report(SourceError(f"not a table row: {error}", path=path, line=begins), on_error)
            continue
        if cells:
            yield begins, cells


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
        if fields.id is None and "id" in missing:
            message += "; name the column that holds the id with --id-field"
        raise SourceError(message, path=path, line=line, field=missing[0])


def _is_text(cell: str) -> bool:
    return cell.isascii() or not any("\ud800" <= character <= "\udfff" for character in cell)
