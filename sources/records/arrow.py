"""Reads documents from Parquet and Arrow files. Each row is one document."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date, datetime, time
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from ...core import Document, InvalidInputError, MissingExtraError, SourceError
from ...core.files import unreadable
from ..errors import OnError, report
from ..fields import DEFAULT_FIELDS, FieldNames
from ..formats.converter import Converter
from ..formats.reasons import UnreadableError
from .table import check_header

_READER = f"{__name__.rpartition('.')[0]}.arrow_rows"
_MOST_ROWS = 2**40
"""Maximum number of rows that `count_rows` returns. A larger number is a sign of damage."""
_ALWAYS = ("metadata", "vectors", "passages")
"""Columns that are parts of a document, as in JSON. They are always read."""


def read_arrow_documents(
    path: Path,
    fields: FieldNames = DEFAULT_FIELDS,
    on_error: OnError | None = None,
    converter: Converter | None = None,
) -> Iterator[Document]:
    """Yield a document for each row of a `.parquet`, `.arrow` or `.feather` file.

    Reads only the columns that `fields` selects, and the columns `metadata`, `vectors` and
    `passages`. Dates become text in ISO 8601, and decimals become numbers. A missing value (null or
    NaN) is not stored.

    fields:    names of the columns that contain the parts of a document.
    on_error:  function that receives the SourceError of an invalid row; reading then continues. The
               `line` of this error is the number of the row, from 1. If the file is damaged or
               exceeds a limit, the function receives this error after the readable rows. None:
               errors are raised.
    converter: process that reads the file, within limits of memory and time. None: a new one.

    Raises SourceError for a file without a required column, even with `on_error`. Raises
    MissingExtraError if PyArrow is not installed.
    """
    number = 0
    with Converter() if converter is None else nullcontext(converter) as process:
        try:
            names = described(path, process)["names"]
            chosen = _columns(names, fields, path)
            for batch in read_batches(path, process, chosen):
                for row in batch.to_pylist():
                    number += 1
                    record = {name: _json(value) for name, value in row.items()}
                    record = {name: value for name, value in record.items() if value is not None}
                    try:
                        document = fields.document(record, nested="metadata")
                    except InvalidInputError as error:
                        found = SourceError(
                            error.message, path=path, line=number, field=error.field
                        )
                        report(found, on_error)
                    else:
                        yield document
        except UnreadableError as error:
            after = f"; the rows after row {number:,} are not read" if number else ""
            report(SourceError(f"{error.message}{after}", path=path, reason=error.reason), on_error)


def count_rows(path: Path) -> int | None:
    """Return the number of rows that a Parquet file declares.

    Returns None for Arrow and Feather files, and for a file that cannot be read.
    """
    if path.suffix.lower() != ".parquet":
        return None
    with Converter() as process:
        try:
            rows: int | None = described(path, process)["rows"]
        except UnreadableError:
            return None
    return rows if rows is not None and 0 <= rows <= _MOST_ROWS else None


def described(path: Path, process: Converter) -> dict[str, Any]:
    """Return what `arrow_rows.describe` says about a file.

    Raises UnreadableError for an invalid file, SourceError for a missing one, and MissingExtraError
    if PyArrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise MissingExtraError("pyarrow", "documents")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise unreadable(path, error) from None
    (content,) = process.stream(path, f"{_READER}:describe", {})
    found: dict[str, Any] = orjson.loads(content)
    return found


def read_batches(path: Path, process: Converter, columns: list[str]) -> Iterator[Any]:
    """Yield the rows of columns as Arrow record batches. Raises UnreadableError; see `batches`."""
    from pyarrow import ipc

    for content in process.stream(path, f"{_READER}:batches", {"columns": columns}):
        with ipc.open_stream(content) as stream:
            yield from stream


def _columns(names: list[str], fields: FieldNames, path: Path) -> list[str]:
    """Return the columns to read. Raises SourceError if a required column is missing."""
    check_header(names, fields, path)
    names = [name for name in names if name not in fields.omitted or name in _needed(fields)]
    if fields.metadata == "rest":
        return names
    wanted = {*_needed(fields), *fields.metadata, *_ALWAYS}
    return [name for name in names if name in wanted]


def _needed(fields: FieldNames) -> set[str]:
    """Return the columns of the id, title, text and vectors of a document; none of metadata."""
    ids = {"_id", "id"} if fields.id is None else {fields.id}
    return {*ids, fields.title, fields.text, *(name for _, name in fields.vectors)}


def _json(value: Any) -> Any:
    """Return a value of a column as a JSON value; None for NaN.

    A value of a type without a JSON form is returned unchanged; `parse_document` refuses it later.
    """
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, list) else value
