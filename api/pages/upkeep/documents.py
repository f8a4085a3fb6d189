"""The list of documents, and the form that edits one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import orjson

from ....core import ConflictError, Document, InvalidInputError
from ....sources import parse_document
from .. import conditions
from ..links import page_address

PREVIEW = 200
"""Maximum number of characters of a text in the list."""
EDITED = 100_000
"""Maximum number of characters of a text that the form contains."""


def row(collection: str, document: Document) -> dict[str, Any]:
    """Return what the list shows of a document."""
    chips, more = conditions.chips(document.metadata, None)
    return {
        "id": document.id,
        "title": document.title,
        "text": " ".join(document.text[: PREVIEW * 2].split())[:PREVIEW],
        "cut": len(document.text) > PREVIEW,
        "length": len(document.text),
        "chips": chips[:6],
        "more": more + len(chips[6:]),
        "link": page_address({"collection": collection, "id": document.id}),
    }


def digest(document: Document) -> str:
    """Return a digest of a document, with which the form notices a change by others."""
    value = [document.id, document.title, document.text, document.metadata]
    return sha256(orjson.dumps(value)).hexdigest()


@dataclass(slots=True)
class Edit:
    """The fields of the form as the user entered them.

    text:    None: the text stays as it is.
    digest:  digest of the document when the form was made; "" for a new document.
    """

    collection: str = ""
    id: str = ""
    title: str = ""
    text: str | None = ""
    metadata: str = ""
    digest: str = ""

    @classmethod
    def of(cls, collection: str, document: Document) -> Edit:
        """Return the form for a stored document. A very long text is not part of it."""
        text = document.text if len(document.text) <= EDITED else None
        metadata = orjson.dumps(document.metadata, option=orjson.OPT_INDENT_2).decode()
        return cls(collection, document.id, document.title, text, metadata, digest(document))

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Edit:
        """Return the form that a browser sent. Browsers send line ends as CR LF."""
        text = given.get("text")
        return cls(
            given.get("collection", ""),
            given.get("id", ""),
            given.get("title", ""),
            None if text is None else text.replace("\r\n", "\n"),
            given.get("metadata", "").replace("\r\n", "\n"),
            given.get("digest", ""),
        )

    @property
    def back(self) -> str:
        """Address to return to: the page of the document, or the list for a new document."""
        if self.digest:
            return page_address({"collection": self.collection, "id": self.id})
        return "documents?" + urlencode({"collection": self.collection})

    def document(self, stored: Document | None) -> Document:
        """Return the document to write.

        stored: the document with this id; None if there is none.

        Raises InvalidInputError for an invalid field, and ConflictError if the stored document is
        not the one that the form was made for.
        """
        if stored is not None and not self.digest:
            raise ConflictError(f"the id {self.id[:80]!r} is in use; edit that document instead")
        if self.digest and (stored is None or digest(stored) != self.digest):
            raise ConflictError(
                "the document was changed or deleted since this form was opened; open it again"
            )
        text = self.text
        if stored is not None and (text is None or text == stored.text.replace("\r\n", "\n")):
            text = stored.text
        fields = {"id": self.id, "title": self.title, "text": text or "", "metadata": self._meta()}
        return parse_document(fields)

    def _meta(self) -> dict[str, Any]:
        try:
            value = orjson.loads(self.metadata) if self.metadata.strip() else {}
        except orjson.JSONDecodeError as error:
            raise InvalidInputError(f"is not JSON ({error})", field="metadata") from None
        if not isinstance(value, dict):
            raise InvalidInputError(
                'must be a JSON object, such as {"year": 1999}', field="metadata"
            )
        return value
