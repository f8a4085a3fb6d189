"""Models of requests and replies about documents."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ....core import Config
from ....core.filters.help import FILTER_HELP
from .shape import LanguageModelUsage, Shape


class DocumentBody(BaseModel):
    """A document.

    title:    title; encoders read it before each passage.
    text:     text that is searched.
    id:       id of the document; `_id` is another name. Optional in a PUT.
    metadata: object whose fields filters can use.
    """

    id: str | int | None = Field(default=None, examples=["kiwi"])
    title: str | None = Field(default=None, examples=["Kiwi"])
    text: str = Field(examples=["The kiwi is a bird that cannot fly."])
    metadata: dict[str, Any] | None = Field(default=None, examples=[{"year": 2024}])


class StoredDocument(Shape):
    """A stored document.

    id:       id of the document.
    title:    title; may be empty.
    text:     text that is searched.
    metadata: object whose fields filters can use.
    """

    id: str
    title: str
    text: str
    metadata: dict[str, Any]


class Written(Shape):
    """A document that was written.

    id:        id of the document.
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

    documents:   the documents.
    total:       number of documents on all pages.
    next_cursor: `cursor` of the next page; null on the last page.
    """

    documents: list[StoredDocument]
    total: int
    next_cursor: str | None


class DeleteRequest(Config):
    """The documents to delete: exactly one of `ids` and `filter`.

    ids: at most 10,000 ids.
    """

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
    """An invalid line of a bulk request.

    code:   stable word for programs.
    line:   number of the line, from 1.
    detail: what is wrong, for people.
    field:  the invalid field of the document; null if the line is not JSON.
    """

    code: str
    line: int
    detail: str
    field: str | None = None


class BulkItem(Shape):
    """The result for one line of a bulk request.

    id:     id of the document; null if the line has none.
    error:  what is wrong with an invalid line.
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
