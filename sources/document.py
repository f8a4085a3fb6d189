"""Parses and validates documents in their JSON form, for files, REST and Python."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..core import Document, InvalidInputError, checked_text
from ..core.errors import shown
from .vectors import check_passages, check_vectors

MAX_ID_BYTES = 512
MAX_METADATA_DEPTH = 16
MAX_METADATA_KEY = 256
"""Maximum number of characters in a metadata key."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

FIELDS = ("_id", "id", "title", "text", "metadata", "vectors", "passages")


def parse_document(value: object) -> Document:
    """Return the Document that a mapping with the keys `FIELDS` describes.

    id:       non-empty string, or an integer, which is stored as a decimal string. At most 512
              bytes of UTF-8. Control characters and the ids "." and ".." are refused. The field may
              also be named `_id`.
    text:     string, required; may be empty.
    title:    string or null, optional.
    metadata: object or null, optional. It may contain only JSON values, with finite numbers,
              integers of at most 64 bits, at most 16 levels of nesting, and keys of 1 to 256
              characters.
    vectors:  object {leg: vector} or null, optional. A vector is a list of numbers, {term: weight},
              or {"indices": [...], "values": [...]}. A list of vectors has a vector for each
              passage.
    passages: list of [start, end] or null, optional: ranges of characters of `text`, ordered by
              `start`, at most 20,000. Passages may overlap.

    Raises InvalidInputError, whose `field` names the invalid or unknown field.
    """
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"a document must be a JSON object, not {_kind(value)}")
    for name in value:
        if name not in FIELDS:
            raise InvalidInputError(
                "unknown field; a document has `id`, `title`, `text`, `metadata`, `vectors` and "
                "`passages`",
                field=name if isinstance(name, str) else None,
            )
    name = parse_id(value)
    if "text" not in value:
        raise InvalidInputError(
            "is missing; a document requires a text, which may be empty", field="text"
        )
    title, metadata = value.get("title"), value.get("metadata")
    vectors, passages = value.get("vectors"), value.get("passages")
    return check_document(
        Document(
            id=name,
            title="" if title is None else title,
            text=value["text"],
            metadata={} if metadata is None else metadata,
            vectors={} if vectors is None else vectors,
            passages=() if passages is None else passages,
        )
    )


def check_document(document: Document) -> Document:
    """Return the document with a copy of its metadata, and with checked vectors and passages.

    Raises InvalidInputError, whose `field` names the field, if a field has a wrong type or exceeds
    a limit of `parse_document`.
    """
    found = Document(
        id=_checked_id(_string(document.id, "id"), "id"),
        title=_string(document.title, "title"),
        text=_string(document.text, "text"),
        metadata=_checked_metadata(document.metadata),
    )
    if document.vectors == {} and document.passages == ():
        return found
    return replace(
        found,
        vectors=check_vectors(document.vectors),
        passages=check_passages(document.passages, found.text),
    )


class CheckedDocuments(Iterator[Document]):
    """An iterator over checked documents. A write does not check them again."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = iter(documents)

    def __next__(self) -> Document:
        return next(self._documents)


def checked_documents(
    documents: Iterable[Document | Mapping[str, object]],
) -> CheckedDocuments:
    """Return an iterator that checks each document when it reads the document.

    CheckedDocuments are returned unchanged. For an invalid document, the iterator raises
    InvalidInputError. The error names the position of the document, from 0, and the invalid field,
    such as `documents[7].text`.
    """
    if isinstance(documents, CheckedDocuments):
        return documents
    return CheckedDocuments(_checked(number, item) for number, item in enumerate(documents))


def _checked(number: int, item: Document | Mapping[str, object]) -> Document:
    try:
        return check_document(item) if isinstance(item, Document) else parse_document(item)
    except InvalidInputError as error:
        path = f"documents[{number}]" + ("" if error.field is None else f".{error.field}")
        raise InvalidInputError(error.message, field=path) from None


def parse_id(value: Mapping[str, Any]) -> str:
    """Return the id of a document or query from its field `_id` or `id`.

    Raises InvalidInputError if both fields are missing, if one is invalid, or if they differ.
    """
    present = [name for name in ("_id", "id") if name in value]
    names = [name for name in present if value[name] is not None] or present
    if not names:
        raise InvalidInputError("is missing; every record requires an `id` or `_id`", field="id")
    ids = [
        _checked_id(_string(_decimal(value[name], name), name, "a string or an integer"), name)
        for name in names
    ]
    if ids[0] != ids[-1]:
        raise InvalidInputError(
            f"`_id` is {shown(ids[0])}, but `id` is {shown(ids[-1])}; keep one of them", field="id"
        )
    return ids[0]


def _decimal(value: object, field: str) -> object:
    """Return an integer as its decimal string, and any other value unchanged."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if value.bit_length() > 4 * MAX_ID_BYTES:  # Python refuses to convert very long integers.
        raise InvalidInputError(
            f"the integer has too many digits; an id has at most {MAX_ID_BYTES}", field=field
        )
    return str(value)


def _checked_id(text: str, field: str) -> str:
    if not text:
        raise InvalidInputError("must not be empty; choose an id", field=field)
    size = len(text.encode())
    if size > MAX_ID_BYTES:
        raise InvalidInputError(
            f"must have at most {MAX_ID_BYTES} bytes in UTF-8, got {size}", field=field
        )
    if _CONTROL.search(text):
        raise InvalidInputError(
            f"must not contain control characters, got {shown(text)}; remove them", field=field
        )
    if text in (".", ".."):  # HTTP clients remove these from the path of a URL.
        raise InvalidInputError(f"must not be {text!r}; choose another id", field=field)
    return text


def _string(value: object, field: str, wanted: str = "a string") -> str:
    if not isinstance(value, str):
        raise InvalidInputError(f"must be {wanted}, not {_kind(value)}", field=field)
    return checked_text(value, field)


def _checked_metadata(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"must be an object, not {_kind(value)}", field="metadata")
    return {key: _json(item, path, 1) for key, path, item in _items(value, "metadata")}


def _json(value: object, path: str, depth: int) -> Any:
    """Return a copy of a JSON value.

    path:  path of the value for the error, such as `metadata.tags[0]`.
    depth: number of objects and lists that contain the value.

    Raises InvalidInputError if the value is not valid JSON or exceeds a limit.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _string(value, path)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            message = f"an integer must fit in 64 bits, got {shown(value)}"
            raise InvalidInputError(message, field=path)
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInputError(f"a number must be finite, got {value}", field=path)
        return value
    if not isinstance(value, (Mapping, list, tuple)):
        raise InvalidInputError(f"must be a JSON value, not {_kind(value)}", field=path)
    if depth >= MAX_METADATA_DEPTH:
        raise InvalidInputError(
            f"is nested deeper than {MAX_METADATA_DEPTH} levels; use fewer levels", field=path
        )
    if isinstance(value, Mapping):
        return {key: _json(item, inner, depth + 1) for key, inner, item in _items(value, path)}
    return [_json(item, f"{path}[{number}]", depth + 1) for number, item in enumerate(value)]


def _items(value: Mapping[Any, Any], path: str) -> list[tuple[str, str, Any]]:
    """Return (key, path of the item, item) for each item of a JSON object.

    path: path of the object, such as `metadata.author`.

    Raises InvalidInputError for a key that is not a string or has an invalid length.
    """
    for key in value:
        if not 1 <= len(_string(key, path, "an object with string keys")) <= MAX_METADATA_KEY:
            raise InvalidInputError(
                f"a key must have 1 to {MAX_METADATA_KEY} characters, got {len(key)}", field=path
            )
    return [(key, f"{path}.{key}", item) for key, item in value.items()]


def _kind(value: object) -> str:
    """Return the JSON name of a value's type, such as "an array"."""
    names = {
        type(None): "null",
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)
