"""Refuses a change of metadata that encoders have read, because nothing is encoded again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core import Document, InvalidInputError
from ...core.errors import shown
from ...encoders import detects_languages
from ...index import CollectionConfig
from ...sources.structure import markup

_LANGUAGES = ("language", "title_language")


def check_unread(before: Document, after: Document, config: CollectionConfig) -> None:
    """Raise InvalidInputError if another encoding would result from the new metadata.

    That is a change of the field `type`, if documents are read by their syntax, or of the fields
    `language` and `title_language`, if a leg detects languages.
    """
    for field in reads_differently(before, after, config):
        raise InvalidInputError(
            f"document {shown(before.id)} was encoded with another value of this field; write the "
            "document again, with its text",
            field=f"metadata.{field}",
        )


def reads_differently(before: Document, after: Document, config: CollectionConfig) -> Iterator[str]:
    """Yield the metadata fields whose change would change what is encoded."""

    def value(document: Document, field: str) -> Any:
        return document.metadata.get(field)

    passages = config.passages
    if (passages.structure or passages.headings) and markup(before.metadata) != markup(
        after.metadata
    ):
        yield "type"
    if any(detects_languages(leg.encoder) for leg in config.legs.values()):
        yield from (one for one in _LANGUAGES if value(before, one) != value(after, one))
