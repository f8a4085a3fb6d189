"""Models of requests and replies about documents."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ....core import Config
from ....core.filters.help import FILTER_HELP
from .shape import LanguageModelUsage, Shape


class DocumentBody(BaseModel):
    """A document.

    id:       id of the document; `_id` is another name. Optional in a PUT.
    metadata: object whose fields filters can use.
    """

    id: str | int | None = Field(default=None, examples=["kiwi"])
    title: str | None = Field(default=None, examples=["Kiwi"])
    text: str = Field(examples=["The kiwi is a bird that cannot fly."])
    metadata: dict[str, Any] | None = Field(default=None, examples=[{"year": 2024}])


class StoredDocument(Shape):
    """A stored document."""

    id: str
    title: str
    text: str
    metadata: dict[str, Any]


class Written(Shape):
    """A document that was written.

    created:   true if the id is new.
    unchanged: true if an equal document was already stored. Nothing was encoded then.
    passages:  passages that were encoded.
    truncated: leg -> passages that its encoder did not read to the end.
    usage:     work of language models, if a leg's encoder is one.
    """

    id: str
    created: bool
    unchanged: bool
    passages: int
    truncated: dict[str, int]
    usage: LanguageModelUsage | None = None


class DocumentPage(Shape):
    """A page of documents, by ascending id.

    total:       number of documents on all pages.
    next_cursor: `cursor` of the next page; null on the last page.
    """

    documents: list[StoredDocument]
    total: int
    next_cursor: str | None


class DeleteRequest(Config):
    """The documents to delete: exactly one of `ids` and `filter`."""

    ids: list[str] | None = Field(default=None, max_length=10_000, examples=[["kiwi"]])
    filter: dict[str, Any] | None = Field(default=None, description=FILTER_HELP)


class Deleted(Shape):
    """Deleted documents.

    deleted:   number of deleted documents.
    not_found: ids in the request that no document had.
    warnings:  warnings about the filter.
    """

    deleted: int
    not_found: list[str]
    warnings: list[str]


class BulkError(Shape):
    """An invalid line of a bulk request. line: its number, from 1."""

    code: str
    line: int
    detail: str
    field: str | None = None


class BulkItem(Shape):
    """The result for one line of a bulk request.

    status: 200 for a document that is stored, 400 for invalid JSON, 422 for an invalid document.
    """

    id: str | None
    status: int
    error: BulkError | None = None


class BulkReply(Shape):
    """The result of a bulk request.

    errors:    true if a line was invalid.
    items:     one item per line, in order, without blank lines.
    replaced:  documents that replaced a stored document.
    unchanged: documents that were skipped, because an equal document was already stored.
    passages:  passages that were encoded.
    truncated: leg -> passages that its encoder did not read to the end.
    usage:     work of language models, if a leg's encoder is one.
    """

    errors: bool
    items: list[BulkItem]
    replaced: int
    unchanged: int
    passages: int
    truncated: dict[str, int]
    usage: LanguageModelUsage | None = None
