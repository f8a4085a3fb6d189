"""Documents from JSON lines, the layout of BEIR."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from ..core import Document, InvalidInputError, SourceError
from .errors import OnError, report
from .fields import DEFAULT_FIELDS, FieldNames
from .lines import read_lines


def read_jsonl_documents(
    path: Path, fields: FieldNames = DEFAULT_FIELDS, on_error: OnError | None = None
) -> Iterator[Document]:
    """One document for each line of a `.jsonl` or `.jsonl.gz` file; empty lines are skipped.

    The parts are `_id` or `id`, `title`, `text` and `metadata` (an object); other fields are
    added to the metadata. A line that cannot be used goes to `on_error`, or is raised.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            document = fields.document(parse_json_line(line), nested="metadata")
        except InvalidInputError as error:
            report(SourceError(error.message, path=path, line=number, field=error.field), on_error)
        else:
            yield document


def parse_json_line(line: bytes) -> dict[str, object]:
    """The object on one line. Raises InvalidInputError."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"not JSON: {error.msg} (column {error.colno})") from None
    if not isinstance(value, dict):
        raise InvalidInputError("a line must hold a JSON object")
    return value
