"""Deletions, changes of metadata and conditional writes: methods and calls of both clients."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from ..core.errors import InvalidInputError, NotFoundError, shown
from ..core.results import UpdateReport, WriteReport
from ..core.types import DeletedCount, Document
from . import arguments, replies
from .batches import Batcher
from .calls import Call, Steps

T = TypeVar("T")
Tags = str | Sequence[str] | None
"""Tags of documents (`Document.tag`), "*" for any document, or None for no condition."""

DELETED = 5_000
"""Maximum number of documents that one call deletes or changes."""
_TAG = re.compile(r"[\x21\x23-\x7e]+")


def _documents(name: str) -> str:
    return f"{arguments.collection(name)}/documents"


def _document(name: str, id: object) -> str:  # noqa: A002
    return f"{_documents(name)}/{arguments.identifier(id)}"


def _once() -> dict[str, str]:
    """Return a header with a new idempotency key, so that a call can be retried."""
    return {"Idempotency-Key": uuid4().hex}


def _condition(header: str, tags: Tags, field: str) -> dict[str, str]:
    """Return the header with tags of documents; empty for None."""
    if tags is None:
        return {}
    found = [tags] if isinstance(tags, str) else tags
    valid = isinstance(found, list | tuple) and found
    if not valid or not all(isinstance(one, str) and _TAG.fullmatch(one) for one in found):
        raise InvalidInputError(
            f'must be the `tag` of a document, a list of tags or "*", got {shown(tags)}',
            field=field,
        )
    return {header: "*" if "*" in found else ", ".join(f'"{one}"' for one in found)}


def put(name: str, document: Any, if_match: Tags, if_none_match: Tags) -> Steps[WriteReport]:
    headers = _condition("If-Match", if_match, "if_match")
    headers |= _condition("If-None-Match", if_none_match, "if_none_match")
    given = _fields(document)
    id_ = given.get("id", given.get("_id"))
    path = _document(name, str(id_) if isinstance(id_, int) else id_)
    reply = yield Call("PUT", path, body=given, headers=headers)
    return replies.put_report(reply.value)


def _fields(document: Any) -> dict[str, Any]:
    """Return the JSON fields of a document. Raises InvalidInputError for another value."""
    try:
        return Batcher().fields(document, 0)
    except InvalidInputError as error:
        field = (error.field or "").removeprefix("documents[0]").removeprefix(".")
        raise InvalidInputError(error.message, field=field or "document") from None


def delete(name: str, ids: Sequence[str], if_match: Tags = None) -> Steps[list[str]]:
    given = arguments.ids(ids)
    headers = _condition("If-Match", if_match, "if_match")
    if headers:
        if len(given) != 1:
            raise InvalidInputError(
                f"is for one document, and there are {len(given)} ids; delete one at a time",
                field="if_match",
            )
        try:
            yield Call("DELETE", _document(name, given[0]), headers=headers)
        except NotFoundError:
            yield Call("GET", arguments.collection(name))  # Else the collection is missing.
            return []
        return given
    missing: set[str] = set()
    for start in range(0, len(given), DELETED):
        body = {"ids": given[start : start + DELETED]}
        reply = yield Call("POST", f"{_documents(name)}/delete", body=body, headers=_once())
        missing.update(reply.value["not_found"])
    return [id_ for id_ in given if id_ not in missing]


def delete_where(name: str, filter: Mapping[str, Any]) -> Steps[DeletedCount]:  # noqa: A002
    body = {"filter": arguments.mapping(filter, "filter")}
    reply = yield Call("POST", f"{_documents(name)}/delete", body=body, headers=_once())
    return DeletedCount(reply.value["deleted"], reply.value["warnings"])


def update(name: str, id: str, metadata: Any, if_match: Tags) -> Steps[str]:  # noqa: A002
    body = {"metadata": arguments.mapping(metadata, "metadata")}
    headers = _condition("If-Match", if_match, "if_match")
    reply = yield Call("PATCH", _document(name, id), body=body, headers=headers)
    return str(reply.value["tag"])


def update_many(name: str, ids: Sequence[str], metadata: Any) -> Steps[UpdateReport]:
    patch, given = arguments.mapping(metadata, "metadata"), arguments.ids(ids)
    if len(given) > DELETED:
        raise InvalidInputError(
            f"at most {DELETED:,} ids fit into one transaction of the service, got "
            f"{len(given):,}; update fewer at a time",
            field="ids",
        )
    return (yield from _update(name, {"ids": given, "metadata": patch}))


def update_where(name: str, filter: Mapping[str, Any], metadata: Any) -> Steps[UpdateReport]:  # noqa: A002
    patch = arguments.mapping(metadata, "metadata")
    where = arguments.mapping(filter, "filter")
    return (yield from _update(name, {"filter": where, "metadata": patch}))


def _update(name: str, body: Any) -> Steps[UpdateReport]:
    reply = yield Call("POST", f"{_documents(name)}/update", body=body, headers=_once())
    lists = {key: tuple(reply.value[key]) for key in ("not_found", "warnings")}
    return UpdateReport(**{**reply.value, **lists})


class _Runs(Protocol):
    def run(self, steps: Steps[T]) -> T: ...


class _Awaits(Protocol):
    async def run(self, steps: Steps[T]) -> T: ...


class KeepingMethods:
    """Methods of `RemoteCollection` that delete, change and replace stored documents."""

    name: str
    _client: _Runs

    def put(
        self,
        document: Document | Mapping[str, Any],
        *,
        if_match: Tags = None,
        if_none_match: Tags = None,
    ) -> WriteReport:
        """Insert or replace one document, if the stored document is the expected one.

        if_match: the `tag` that the stored document must have, or several. "*": any document.
        if_none_match: the `tag` that the stored document must not have, or several. "*": there must
            be no document with this id.

        Raises PreconditionFailedError if the condition does not hold, and nothing is written. If a
        reply is lost and the call is retried, that may be because of the first attempt.
        """
        return self._client.run(put(self.name, document, if_match, if_none_match))

    def delete(self, ids: Sequence[str], *, if_match: Tags = None) -> list[str]:
        """Delete documents by id, and return the ids of the deleted documents.

        The deletion is durable when the method returns. If a reply is lost and the call is retried,
        ids that the first attempt deleted may be missing from the result.

        if_match: for a single id, the `tag` that its document must have, or several. Otherwise
            PreconditionFailedError is raised, and nothing is deleted.
        """
        return self._client.run(delete(self.name, ids, if_match))

    def delete_where(self, filter: Mapping[str, Any]) -> DeletedCount:  # noqa: A002
        """Delete every document that meets a filter, and return the number of deleted documents.

        The result is an integer with the attribute `warnings`: a message for each field of the
        filter that occurs in no document. If a reply is lost and the call is retried, the number
        may omit documents that the first attempt deleted.
        """
        return self._client.run(delete_where(self.name, filter))

    def update(
        self,
        id: str,  # noqa: A002
        metadata: Mapping[str, Any],
        *,
        if_match: Tags = None,
    ) -> str:
        """Change the metadata of one document, and return its new tag. No text is encoded.

        metadata: a merge patch (RFC 7396): None removes a field, a mapping is merged into a stored
            mapping, and any other value replaces the stored value.
        if_match: the `tag` that the stored document must have, or several. "*": any.

        Raises NotFoundError if there is no such document, and PreconditionFailedError if it has
        another tag.
        """
        return self._client.run(update(self.name, id, metadata, if_match))

    def update_many(self, ids: Sequence[str], metadata: Mapping[str, Any]) -> UpdateReport:
        """Change the metadata of up to 5,000 documents in one transaction; see `update`."""
        return self._client.run(update_many(self.name, ids, metadata))

    def update_where(
        self,
        filter: Mapping[str, Any],  # noqa: A002
        metadata: Mapping[str, Any],
    ) -> UpdateReport:
        """Change the metadata of all documents that meet a filter, in one transaction.

        See `update`. An empty filter changes all documents.
        """
        return self._client.run(update_where(self.name, filter, metadata))


class AsyncKeepingMethods:
    """Methods of `AsyncRemoteCollection` that delete, change and replace stored documents."""

    name: str
    _client: _Awaits

    async def put(
        self,
        document: Document | Mapping[str, Any],
        *,
        if_match: Tags = None,
        if_none_match: Tags = None,
    ) -> WriteReport:
        """Insert or replace one document on a condition. See `RemoteCollection.put`."""
        return await self._client.run(put(self.name, document, if_match, if_none_match))

    async def delete(self, ids: Sequence[str], *, if_match: Tags = None) -> list[str]:
        """Delete documents by id. See `RemoteCollection.delete`."""
        return await self._client.run(delete(self.name, ids, if_match))

    async def delete_where(self, filter: Mapping[str, Any]) -> DeletedCount:  # noqa: A002
        """Delete every document that meets a filter. See `RemoteCollection.delete_where`."""
        return await self._client.run(delete_where(self.name, filter))

    async def update(
        self,
        id: str,  # noqa: A002
        metadata: Mapping[str, Any],
        *,
        if_match: Tags = None,
    ) -> str:
        """Change the metadata of one document. See `RemoteCollection.update`."""
        return await self._client.run(update(self.name, id, metadata, if_match))

    async def update_many(self, ids: Sequence[str], metadata: Mapping[str, Any]) -> UpdateReport:
        """Change the metadata of up to 5,000 documents. See `RemoteCollection.update_many`."""
        return await self._client.run(update_many(self.name, ids, metadata))

    async def update_where(
        self,
        filter: Mapping[str, Any],  # noqa: A002
        metadata: Mapping[str, Any],
    ) -> UpdateReport:
        """Change the metadata of all documents of a filter. See `RemoteCollection.update_where`."""
        return await self._client.run(update_where(self.name, filter, metadata))
