"""Divides documents into batches of NDJSON (one JSON object a line) with bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import InvalidInputError
from ..core.types import Document, Passage
from . import arguments
from .attached import Attached

FIRST = 16
"""Number of documents in the first batch, when the speed of the service is unknown."""
DOCUMENTS = 500
"""Maximum number of documents in a batch. The service accepts up to 1,000 lines at once."""
SECONDS = 5.0
"""Seconds that the service should need to write a batch. Short batches avoid timeouts, and little
work is lost if one fails."""
BYTES = 4 << 20
"""Size in bytes at which a batch is sent. The service accepts up to 8 MiB at once."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of documents as NDJSON (one JSON object a line).

    first:     position of the batch's first document in the input, from 0.
    documents: number of documents in the batch.
    lines:     the documents as NDJSON, in UTF-8.
    """

    first: int
    documents: int
    lines: bytes


class Batcher:
    """Collects documents into batches. The faster the service writes, the larger the batches.

    vectors: name of a leg -> rows of vectors for the documents, in order; see `Attached`.
    """

    def __init__(self, vectors: Mapping[str, Any] | None = None) -> None:
        self._attached = Attached(vectors)
        self._most = FIRST
        self._first = 0
        self._lines: list[bytes] = []
        self._bytes = 0

    def offer(self, document: Document | Mapping[str, Any]) -> Batch | None:
        """Add a document to the current batch, or to a new one if the current batch is full.

        Returns the full batch, which does not contain the document; None if the current batch was
        not full.

        Raises InvalidInputError for a document that cannot be written as JSON, or for which a leg
        of `vectors` has no row left.
        """
        number = self._first + len(self._lines)
        line = arguments.as_json(self.fields(document, number))
        full = len(self._lines) >= self._most or self._bytes + len(line) >= BYTES
        batch = self.rest() if full else None
        self._lines.append(line)
        self._bytes += len(line) + 1
        return batch

    def fields(self, document: Document | Mapping[str, Any], number: int) -> dict[str, Any]:
        """Return the JSON fields of a document, with the next rows of `vectors`.

        number: position of the document in the input, from 0, for errors.
        """
        if isinstance(document, Document):
            document = _as_mapping(document)
        if not isinstance(document, Mapping):
            raise InvalidInputError(
                f"must be a Document or a mapping, got {type(document).__name__}",
                field=f"documents[{number}]",
            )
        given = dict(document)
        self._attached.take(given, number)
        if "vectors" in given:
            given["vectors"] = arguments.vectors(given["vectors"])
        if isinstance(passages := given.get("passages"), list | tuple):
            given["passages"] = [_pair(one) for one in passages]
        try:
            arguments.check_json(given)
            arguments.as_json(given)
        except UnicodeEncodeError:
            raise InvalidInputError(
                "contains half of a surrogate pair, which is not Unicode text; remove it",
                field=f"documents[{number}]",
            ) from None
        except (TypeError, ValueError) as error:
            raise InvalidInputError(
                f"cannot be written as JSON ({error})", field=f"documents[{number}]"
            ) from None
        return given

    def took(self, batch: Batch, seconds: float) -> None:
        """Adapt the size of batches, so that the service writes a batch in about `SECONDS`.

        seconds: time that the service took to write `batch`.
        """
        wanted = batch.documents * SECONDS / max(seconds, 1e-3)
        self._most = round(min(max(wanted, 1), 4 * self._most, DOCUMENTS))

    def last(self) -> Batch | None:
        """Return the last batch, after all documents were offered; None if it is empty.

        Raises InvalidInputError if rows of `vectors` are left.
        """
        self._attached.end(self._first + len(self._lines))
        return self.rest()

    def rest(self) -> Batch | None:
        """Return the current batch and begin a new one. Returns None if the batch is empty."""
        if not self._lines:
            return None
        batch = Batch(self._first, len(self._lines), b"\n".join(self._lines) + b"\n")
        self._first += batch.documents
        self._lines, self._bytes = [], 0
        return batch


def _as_mapping(document: Document) -> dict[str, Any]:
    """Return the fields of a document as a dictionary, with unconverted vectors and passages."""
    found: dict[str, Any] = {
        "id": document.id,
        "title": document.title,
        "text": document.text,
        "metadata": document.metadata,
    }
    if document.vectors:
        found["vectors"] = document.vectors
    if document.passages:
        found["passages"] = document.passages
    return found


def _pair(passage: object) -> object:
    return [passage.start, passage.end] if isinstance(passage, Passage) else passage
