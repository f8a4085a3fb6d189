"""Maps the fields of a record, or the columns of a table, to the parts of a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from ..core import Document, InvalidInputError
from ..core.errors import shown
from ..core.near import nearest
from .document import parse_document
from .vectors import are_passages


@dataclass(frozen=True, slots=True)
class FieldNames:
    """Names of the fields (or table columns) of a file that contain the parts of a document.

    id:       field that contains the id. None: `_id` or `id`.
    title:    field that contains the title.
    text:     field that contains the text.
    metadata: fields that are stored as metadata. "rest": all fields that are not id, title or text.
              The content of the field `metadata` of a JSON record is always stored as well.
    numeric:  metadata fields that contain numbers as text, such as the cells of a table. They are
              stored as numbers. An empty cell is not stored.
    vectors:  (leg, field) pairs: the field contains the document's vector for the leg, as a list or
              object, or as such JSON text. Null or an empty text means no vector.
    omitted:  fields that are not stored, such as a column whose vectors are read separately.

    The fields `vectors` and `passages` of a record are also parts of the document, unless an option
    above names them:

    - `vectors` contains the vectors if it is an object {leg: vector}. A list of numbers is refused,
      because its leg is unknown.
    - `passages` contains the passages if it is a list of pairs of integers.
    - Null means that the part is absent. A field with any other value is metadata.

    Raises InvalidInputError if a field of `numeric` is not in `metadata`, or a field of `omitted`
    is in `metadata`.
    """

    id: str | None = None
    title: str = "title"
    text: str = "text"
    metadata: tuple[str, ...] | Literal["rest"] = "rest"
    numeric: tuple[str, ...] = ()
    vectors: tuple[tuple[str, str], ...] = ()
    omitted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.metadata == "rest":
            return
        lost = set(self.numeric).difference(self.metadata)
        if lost:
            message = f"{', '.join(sorted(lost))} must be a metadata field; add it to `metadata`"
            raise InvalidInputError(message, field="numeric")
        both = set(self.omitted).intersection(self.metadata)
        if both:
            message = f"{', '.join(sorted(both))} is also in `metadata`; remove it from one of them"
            raise InvalidInputError(message, field="omitted")

    def document(self, record: Mapping[str, Any], *, nested: str | None = None) -> Document:
        """Return the document that a record of a file describes.

        record: name of each field -> value.
        nested: name of the field whose value is an object with metadata; None: there is none.

        Raises InvalidInputError for an invalid field. `field` of the error is the name of this
        field in the file.
        """
        parts = {part: name for part, name in self._parts().items() if name in record}
        value: dict[str, Any] = {part: record[name] for part, name in parts.items()}
        value |= (brought := self._brought(record))
        taken = {*parts.values(), *brought, *self.omitted, nested}
        taken |= {name for _, name in self.vectors}
        metadata = self._metadata(record, taken)
        own = record.get(nested) if nested else None
        if isinstance(own, Mapping):
            for name in metadata:
                if name in own:
                    raise InvalidInputError(
                        f"is a field of the record and also of its `{nested}`; keep one",
                        field=name,
                    )
            metadata = {**own, **metadata}
        value["metadata"] = metadata if own is None or isinstance(own, Mapping) else own
        try:
            return parse_document(value)
        except InvalidInputError as error:
            field = error.field or ""
            message = error.message
            in_file = self._name_in_file(field)
            if field in ("id", "text") and field not in value and f"_{field}" not in value:
                option = f"set the field with --{field}-field"
                message = f"is missing; {offer(in_file or '', record)}; {option}"
            raise InvalidInputError(message, field=in_file) from None

    def named(self) -> list[str]:
        """Return the title, metadata, numeric and vector fields that the caller named explicitly.

        A single record may lack such a field. To find misspelled names, readers check that each
        field occurs in at least one of the first records.
        """
        title = [] if self.title == DEFAULT_FIELDS.title else [self.title]
        metadata = () if self.metadata == "rest" else self.metadata
        vectors = [name for _, name in self.vectors]
        return list(dict.fromkeys([*title, *metadata, *self.numeric, *vectors]))

    def _parts(self) -> dict[str, str]:
        ids = {"id": self.id} if self.id is not None else {"_id": "_id", "id": "id"}
        return {**ids, "title": self.title, "text": self.text}

    def _brought(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the vectors and passages of a record, as the fields of a document's JSON form."""
        found: dict[str, Any] = {}
        chosen = () if self.metadata == "rest" else self.metadata
        other = {*self._parts().values(), *chosen, *self.omitted}
        other |= {name for _, name in self.vectors}
        own, passages = record.get("vectors"), record.get("passages")
        if "vectors" in record and "vectors" not in other and _are_vectors(own):
            if own is not None and not isinstance(own, Mapping):
                raise InvalidInputError(
                    'must be an object {"leg": vector}, got a list of numbers; name the leg of '
                    "the field with --vector-fields LEG=vectors, or rename the field",
                    field="vectors",
                )
            found["vectors"] = own
        ranges = passages is None or are_passages(passages)
        if "passages" in record and "passages" not in other and ranges:
            found["passages"] = passages
        for leg, name in self.vectors:
            value = record.get(name)
            if value is None or (isinstance(value, str) and not value.strip()):
                continue  # An empty cell of a table is no vector.
            vectors = found.get("vectors") or {}
            if leg in vectors:
                raise InvalidInputError(
                    f"is a vector of leg {leg!r}, and so is a vector in `vectors`; keep one",
                    field=name,
                )
            found["vectors"] = {**vectors, leg: _vector(value, name)}
        return found

    def _metadata(self, record: Mapping[str, Any], used: set[str | None]) -> dict[str, Any]:
        chosen = record if self.metadata == "rest" else self.metadata
        names = [name for name in chosen if name in record and name not in used]
        metadata = {}
        for name in names:
            value = record[name]
            if name in self.numeric and isinstance(value, str):
                if not value.strip():
                    continue
                value = _number(value, name)
            metadata[name] = value
        return metadata

    def _name_in_file(self, field: str) -> str | None:
        names = {"id": self.id or "id", "title": self.title, "text": self.text}
        return names.get(field, field) or None


DEFAULT_FIELDS = FieldNames()


def offer(name: str, names: Iterable[str]) -> str:
    """Return the part of an error message that lists the fields `names` of a file.

    If one of them is similar to the unknown field `name`, the text suggests it.
    """
    known = list(names)
    near = nearest(name, known)
    listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return f"the fields are: {listed or 'none'}" + (f" (did you mean {near}?)" if near else "")


def _are_vectors(value: Any) -> bool:
    """Return True if a field `vectors` with this value contains vectors; False: it is metadata."""
    if isinstance(value, list):
        return bool(value) and type(value[0]) in (int, float)
    return value is None or isinstance(value, Mapping)


def _vector(value: Any, field: str) -> Any:
    """Return a vector from a record. Text is parsed as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise InvalidInputError(
            f"must be a vector as JSON, such as [0.1, 0.2], got {shown(value)}; correct the value, "
            "or name another field",
            field=field,
        ) from None


def _number(text: str, field: str) -> int | float:
    for kind in (int, float):
        try:
            return kind(text.replace("_", "?"))  # Python accepts 1_000, but it is not a number.
        except ValueError:
            continue
    message = (
        f"must be a number, got {shown(text)}; correct it, or leave the field out of `numeric`"
    )
    raise InvalidInputError(message, field=field)
