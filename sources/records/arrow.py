"""Reads documents from Parquet and Arrow files. Each row is one document."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from ...core import Document, InvalidInputError, MissingExtraError, SourceError
from ...core.files import unreadable
from ..errors import OnError, report
from ..fields import DEFAULT_FIELDS, FieldNames
from ..formats.reasons import DAMAGED
from .table import check_header

ROWS = 1_000
"""Number of rows that are read at a time."""
_ALWAYS = ("metadata", "vectors", "passages")
"""Columns that are parts of a document, as in JSON, whichever columns are metadata."""


def read_arrow_documents(
    path: Path, fields: FieldNames = DEFAULT_FIELDS, on_error: OnError | None = None
) -> Iterator[Document]:
    """Yield a document for each row of a `.parquet`, `.arrow` or `.feather` file.

    Only the columns that `fields` selects are read, and those that always have a part of a
    document: `metadata`, `vectors` and `passages`. Dates become ISO 8601, and decimals numbers.
    A missing value (null or NaN) is not stored.

    For an invalid row, SourceError, whose `line` is the number of the row, is passed to `on_error`,
    or raised if `on_error` is None. A file without a required column, or that is damaged, always
    raises SourceError. Raises MissingExtraError if PyArrow is not installed.
    """
    number = 0
    for rows in _batches(path, fields):
        for row in rows:
            number += 1
            record = {name: _json(value) for name, value in row.items()}
            record = {name: value for name, value in record.items() if value is not None}
            try:
                document = fields.document(record, nested="metadata")
            except InvalidInputError as error:
                found = SourceError(error.message, path=path, line=number, field=error.field)
                report(found, on_error)
            else:
                yield document


def count_rows(path: Path) -> int | None:
    """Return the number of rows of a Parquet file; None for the other kinds."""
    if path.suffix.lower() != ".parquet":
        return None
    with _damage(path):
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            return int(file.metadata.num_rows)


def _batches(path: Path, fields: FieldNames) -> Iterator[list[dict[str, Any]]]:
    with _damage(path):
        import pyarrow
        from pyarrow import ipc, parquet

        if path.suffix.lower() == ".parquet":
            with parquet.ParquetFile(path) as file:
                chosen = _columns(file.schema_arrow.names, fields, path)
                for batch in file.iter_batches(ROWS, columns=chosen):
                    yield batch.to_pylist()
            return
        with pyarrow.memory_map(str(path)) as source:
            try:
                with ipc.open_file(source) as file:
                    chosen = _columns(file.schema.names, fields, path)
                    for number in range(file.num_record_batches):
                        yield from _rows(file.get_batch(number), chosen)
            except pyarrow.ArrowInvalid:
                source.seek(0)  # A stream has no footer.
                with ipc.open_stream(source) as stream:
                    chosen = _columns(stream.schema.names, fields, path)
                    for batch in stream:
                        yield from _rows(batch, chosen)


def _rows(batch: Any, columns: list[str]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, batch.num_rows, ROWS):
        yield batch.slice(start, ROWS).select(columns).to_pylist()


def _columns(names: list[str], fields: FieldNames, path: Path) -> list[str]:
    """Return the columns to read. Raises SourceError if a required one is missing."""
    check_header(names, fields, path)
    if fields.metadata == "rest":
        return names
    ids = {"_id", "id"} if fields.id is None else {fields.id}
    vectors = [name for _, name in fields.vectors]
    wanted = {*ids, fields.title, fields.text, *fields.metadata, *vectors, *_ALWAYS}
    return [name for name in names if name in wanted]


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Raise SourceError for errors of a file that PyArrow cannot read."""
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError("pyarrow", "documents") from error
    try:
        yield
    except pyarrow.ArrowException as error:
        message = f"is not a valid {path.suffix.lower()} file ({str(error)[:200]}); create it again"
        raise SourceError(message, path=path, reason=DAMAGED) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _json(value: Any) -> Any:
    """Return a value as JSON. What is no JSON value stays, and the document is refused."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, list) else value
