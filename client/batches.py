"""Documents of any iterable as batches of NDJSON, with bounded memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import InvalidInputError
from ..core.types import Document
from . import arguments

FIRST = 16
"""Documents in the first batch: how fast the service encodes is not known yet."""
DOCUMENTS = 500
"""Documents in a batch at most. The service writes up to 1,000 lines at once."""
SECONDS = 5.0
"""What a batch should take, so that a lost one costs little and none reaches the time limit."""
BYTES = 4 << 20
"""Bytes after which a batch is sent. The service writes up to 8 MiB at once."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some documents of an input: `first` is the number of the first, from 0."""

    first: int
    documents: int
    lines: bytes


class Batcher:
    """Collects documents until a batch is full. Batches grow with the speed of the service."""

    def __init__(self) -> None:
        self._most = FIRST
        self._first = 0
        self._lines: list[bytes] = []
        self._bytes = 0

    def offer(self, document: Document | Mapping[str, Any]) -> Batch | None:
        """Take a document; those before it as a batch if it does not fit to them any more. Raises
        InvalidInputError for one that is no JSON."""
        number = self._first + len(self._lines)
        if isinstance(document, Document):
            document = {
                "id": document.id,
                "title": document.title,
                "text": document.text,
                "metadata": document.metadata,
            }
        if not isinstance(document, Mapping):
            raise InvalidInputError(
                f"must be a Document or a mapping, got {type(document).__name__}",
                field=f"documents[{number}]",
            )
        try:
            arguments.check_json(document)
            line = json.dumps(dict(document), ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError:
            raise InvalidInputError(
                "contains half of a surrogate pair, which is not Unicode text",
                field=f"documents[{number}]",
            ) from None
        except (TypeError, ValueError) as error:
            raise InvalidInputError(
                f"cannot be written as JSON: {error}", field=f"documents[{number}]"
            ) from None
        full = len(self._lines) >= self._most or self._bytes + len(line) >= BYTES
        batch = self.rest() if full else None
        self._lines.append(line)
        self._bytes += len(line) + 1
        return batch

    def took(self, batch: Batch, seconds: float) -> None:
        """A batch was written in so many seconds: the next ones should take `SECONDS`."""
        wanted = batch.documents * SECONDS / max(seconds, 1e-3)
        self._most = round(min(max(wanted, 1), 4 * self._most, DOCUMENTS))

    def rest(self) -> Batch | None:
        """What has been collected; None = nothing."""
        if not self._lines:
            return None
        batch = Batch(self._first, len(self._lines), b"\n".join(self._lines) + b"\n")
        self._first += batch.documents
        self._lines, self._bytes = [], 0
        return batch
