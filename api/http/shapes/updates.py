"""Pydantic models of requests and replies about changes of metadata."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ....core import Config
from ....core.filters.help import FILTER_HELP
from .shape import Shape

_PATCH = {"year": 2025, "draft": None}


class MetadataPatch(Config):
    """A change of one document's metadata.

    metadata: merge patch (RFC 7396): null removes a field, an object is merged into the stored
              object, and any other value replaces the stored value.
    """

    metadata: dict[str, Any] = Field(examples=[_PATCH])


class UpdateRequest(Config):
    """A change of the metadata of several documents: exactly one of `ids` and `filter`.

    metadata: merge patch (RFC 7396): null removes a field, an object is merged into the stored
              object, and any other value replaces the stored value.
    ids:      ids of the documents, at most 10,000.
    """

    metadata: dict[str, Any] = Field(examples=[_PATCH])
    ids: list[str] | None = Field(default=None, max_length=10_000, examples=[["kiwi"]])
    filter: dict[str, Any] | None = Field(default=None, description=FILTER_HELP)


class Patched(Shape):
    """A document whose metadata was changed.

    id:  id of the document.
    tag: entity tag of the document now, as in the header `ETag`.
    """

    id: str
    tag: str


class Updated(Shape):
    """The result of a change of metadata.

    updated:   number of documents whose metadata has changed.
    unchanged: number of documents that had this metadata already.
    not_found: ids in the request for which no document exists.
    warnings:  warnings about the filter.
    """

    updated: int
    unchanged: int
    not_found: list[str]
    warnings: list[str]
