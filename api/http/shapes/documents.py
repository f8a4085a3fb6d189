"""Pydantic models of requests and replies about documents."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ....core import Config
from ....core.filters.help import FILTER_HELP
from .shape import LanguageModelUsage, Shape


class DocumentBody(BaseModel):
    """A document to write.

    title:    title; encoders read it before each passage.
    text:     text that is searched.
    id:       id of the document; the name `_id` is accepted too. Optional in a PUT.
    metadata: object with any fields, which filters can test.
    vectors:  leg -> vector of the document: a list of numbers, {term: weight}, or
              {"indices": [...], "values": [...]}. The leg's encoder then does not encode the
              document. For a document with several passages: a list with one vector for each.
    passages: passages of the document, each the [start, end] of a range of characters in the text.
              The server then does not split the text itself.
    """

    id: str | int | None = Field(default=None, examples=["kiwi"])
    title: str | None = Field(default=None, examples=["Kiwi"])
    text: str = Field(examples=["The kiwi is a bird that cannot fly."])
    metadata: dict[str, Any] | None = Field(default=None, examples=[{"year": 2024}])
    vectors: dict[str, Any] | None = Field(default=None, examples=[None])
    passages: list[list[int]] | None = Field(default=None, examples=[None])


class StoredDocument(Shape):
    """A stored document.

    id:       id of the document.
    title:    title; may be empty.
    text:     text that is searched.
    metadata: object with any fields, which filters can test.
    """

    id: str
    title: str
    text: str
    metadata: dict[str, Any]


class Written(Shape):
    """A document that was written.

    id:        id of the document.
    created:   true if no document had this id before.
    unchanged: true if an equal document was already stored. Then nothing is written or encoded.
    passages:  number of passages that were encoded.
    truncated: leg -> number of passages that its encoder did not read to the end.
    usage:     calls, tokens and time of language models; only if a leg's encoder uses one.
    """

    id: str
    created: bool
    unchanged: bool
    passages: int
    truncated: dict[str, int]
    usage: LanguageModelUsage | None = None


class DocumentPage(Shape):
    """A page of documents, by ascending id.

    documents:   documents of this page.
    total:       number of documents on all pages together.
    next_cursor: value of `cursor` for the next page; null on the last page.
    """

    documents: list[StoredDocument]
    total: int
    next_cursor: str | None


class DeleteRequest(Config):
    """The documents to delete: exactly one of `ids` and `filter`.

    ids: ids of the documents, at most 10,000.
    """

    ids: list[str] | None = Field(default=None, max_length=10_000, examples=[["kiwi"]])
    filter: dict[str, Any] | None = Field(default=None, description=FILTER_HELP)


class Deleted(Shape):
    """The result of a deletion.

    deleted:   number of deleted documents.
    not_found: ids in the request for which no document exists.
    warnings:  warnings about the filter.
    """

    deleted: int
    not_found: list[str]
    warnings: list[str]


class BulkError(Shape):
    """An invalid line of a bulk request.

    code:   kind of error, a stable word that programs can test.
    line:   number of the line, from 1.
    detail: what is wrong, in words.
    field:  the invalid field of the document; null if the line is not JSON.
    """

    code: str
    line: int
    detail: str
    field: str | None = None


class BulkItem(Shape):
    """The result for one line of a bulk request.

    id:     id of the document; null if the line has none.
    error:  error of an invalid line; absent for a valid line.
    status: 200 for a stored document, 400 for invalid JSON, 422 for an invalid document.
    """

    id: str | None
    status: int
    error: BulkError | None = None


class BulkReply(Shape):
    """The result of a bulk request.

    errors:    true if at least one line was invalid.
    items:     one item for each line that is not blank, in order.
    written:   number of documents that were written. If lines that are written together have the
               same id, only the last of them counts.
    replaced:  number of documents that replaced a stored document.
    unchanged: number of documents that were skipped, because an equal document was already stored.
    passages:  number of passages that were encoded.
    truncated: leg -> number of passages that its encoder did not read to the end.
    usage:     calls, tokens and time of language models; only if a leg's encoder uses one.
    """

    errors: bool
    items: list[BulkItem]
    written: int
    replaced: int
    unchanged: int
    passages: int
    truncated: dict[str, int]
    usage: LanguageModelUsage | None = None
