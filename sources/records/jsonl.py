"""Reads documents from files of JSON lines (one object a line), the format of BEIR."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import orjson

from ...core import Document, InvalidInputError, SourceError
from ...core.errors import shown
from ..errors import OnError, report
from ..fields import DEFAULT_FIELDS, FieldNames, offer
from ..lines import plain_suffix, read_lines
from .exact_json import parse_json
from .json_array import is_array, read_array

LOOKED_AT = 100
"""Number of records in which named fields must occur at least once."""


def read_jsonl_documents(
    path: Path, fields: FieldNames = DEFAULT_FIELDS, on_error: OnError | None = None
) -> Iterator[Document]:
    """Yield a document for each line of a `.jsonl` or `.jsonl.gz` file. Empty lines are skipped.

    path:     file whose lines are objects with `_id` or `id`, `title`, `text` and `metadata` (an
              object). Other fields are added to the metadata. A `.json` file may also contain one
              array of such objects.
    fields:   names of these fields, if the file uses other names.
    on_error: function that receives the SourceError of an invalid line; reading then continues.
              None: the error is raised.

    Raises SourceError if a title, metadata, numeric or vector field that `fields` names explicitly
    is in none of the first `LOOKED_AT` records.
    """
    if plain_suffix(path) == ".json" and is_array(path):
        records: Iterator[tuple[int, object]] = read_array(path)
    else:
        records = ((number, line) for number, line in read_lines(path) if line.strip())
    if named := fields.named():
        records = _checked(records, named, path)
    for number, record in records:
        try:
            document = fields.document(_object(record), nested="metadata")
        except InvalidInputError as error:
            report(SourceError(error.message, path=path, line=number, field=error.field), on_error)
        else:
            yield document


def _checked(
    records: Iterator[tuple[int, object]], named: list[str], path: Path
) -> Iterator[tuple[int, object]]:
    """Yield the (line number, record) pairs unchanged.

    named: fields that the caller named.

    Raises SourceError if one of these fields is in none of the first `LOOKED_AT` records.
    """
    first = list(islice(records, LOOKED_AT))
    present: dict[str, None] = {}
    for _, record in first:
        with suppress(InvalidInputError):
            found = _object(record)
            inner = found.get("metadata")
            present.update(dict.fromkeys([*found, *(inner if isinstance(inner, dict) else {})]))
    missing = [name for name in named if name not in present]
    if missing and present:
        message = f"is in none of the first {len(first)} records; {offer(missing[0], present)}"
        raise SourceError(message, path=path, field=missing[0])
    yield from first
    yield from records


def _object(record: object) -> dict[str, object]:
    if isinstance(record, bytes):
        return parse_json_line(record)
    if not isinstance(record, dict):
        raise InvalidInputError(
            f"each item of the array must be a JSON object, got {shown(record)}"
        )
    return record


def parse_json_line(line: bytes) -> dict[str, object]:
    """Return the JSON object on a line. Raises InvalidInputError for anything else on the line."""
    try:
        value = parse_json(line)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(
            f"the line is not valid JSON ({error.msg}, column {error.colno})"
        ) from None
    if not isinstance(value, dict):
        hint = "; a file with one array must be named .json" if isinstance(value, list) else ""
        raise InvalidInputError(f"each line must be a JSON object, got {shown(value)}{hint}")
    return value
