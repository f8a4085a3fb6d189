"""Pydantic models of requests and replies about versions of documents."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ....core import Config
from ....core.bounds import Bounds
from ....core.filters.help import FILTER_HELP
from .documents import StoredDocument
from .shape import Shape


class DocumentVersion(Shape):
    """One version of a document.

    version:       its number. Later versions have higher numbers, and no number is used twice.
    document:      the document as it was.
    recorded:      the commit that wrote it; null: before the history began.
    recorded_at:   time of this commit, in UTC.
    superseded:    the commit that replaced or deleted it; null: it is the current version.
    superseded_at: time of this commit, in UTC.
    deleted:       true if this commit deleted the document, false if it stored another version.
    content_hash:  "sha256:" and the SHA-256 of the document's canonical JSON.
    source:        name of the synced file from which it was read; empty if there is none.
    actor:         id of the key that wrote it; empty if unknown.
    request_id:    the request that wrote it; empty if unknown.
    encoders:      leg -> fingerprint of the encoder that made its vectors or terms.
    """

    version: int
    document: StoredDocument
    recorded: int | None
    recorded_at: str | None
    superseded: int | None
    superseded_at: str | None
    deleted: bool
    content_hash: str
    source: str
    actor: str
    request_id: str
    encoders: dict[str, Any]


class DocumentHistory(Shape):
    """The versions of a document within the retention.

    versions: the versions, the newest first.
    """

    versions: list[DocumentVersion]


class RevertRequest(Config):
    """The version to store again.

    version: its number, as `version` in the history of the document.
    """

    version: Annotated[int, Bounds(1, 2**62)]


class HistorySetting(Config):
    """How long superseded versions are kept.

    days: days; null: versions are not kept, and those that are kept now are forgotten.
    """

    days: Annotated[int, Bounds(1, 36_500)] | None = Field(examples=[30])


class PurgeRequest(Config):
    """The documents to erase: exactly one of `ids` and `filter`.

    ids: ids of the documents, at most 10,000.
    """

    ids: list[str] | None = Field(default=None, max_length=10_000, examples=[["kiwi"]])
    filter: dict[str, Any] | None = Field(default=None, description=FILTER_HELP)


class Purged(Shape):
    """What was erased, and what a search of all files of the collection found afterwards.

    documents: number of erased documents, whether they were stored or only versions of them.
    versions:  number of erased versions, with the current ones.
    not_found: ids in the request of which nothing was stored.
    before:    generation of the collection before the purge.
    after:     generation of the collection after the purge.
    rewritten: names of the segments that were written again without the documents.
    files:     number of files that were searched.
    bytes:     total size of these files.
    pieces:    number of pieces of the erased titles, texts and metadata that were searched for.
    shared:    number of pieces that are not counted, because stored documents contain them too.
    found:     file -> number of the pieces that it contains. Empty: nothing was found.
    snapshots: names of snapshots of this server that still hold an erased document.
    """

    documents: int
    versions: int
    not_found: list[str]
    before: int
    after: int
    rewritten: list[str]
    files: int
    bytes: int
    pieces: int
    shared: int
    found: dict[str, int]
    snapshots: list[str]
