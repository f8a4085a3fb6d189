"""Versions of documents, in the blocking and in the asynchronous client."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from ..core.answers import PurgeProof
from ..core.errors import InvalidInputError
from ..core.results import WriteReport
from ..core.types import Version
from . import arguments, replies
from .calls import Call, Steps


def history(name: str, id: str) -> Steps[list[Version]]:  # noqa: A002
    path = f"{arguments.collection(name)}/documents/{arguments.identifier(id)}/history"
    reply = yield Call("GET", path)
    return [
        Version(**{**one, "document": replies.document(one["document"])})
        for one in reply.value["versions"]
    ]


def revert(name: str, id: str, version: int) -> Steps[WriteReport]:  # noqa: A002
    arguments.positive_integer(version, "version")
    path = f"{arguments.collection(name)}/documents/{arguments.identifier(id)}/revert"
    reply = yield Call("POST", path, body={"version": version})
    found = reply.value
    written = {
        "written": int(not found["unchanged"]),
        "replaced": int(not found["unchanged"] and not found["created"]),
        "unchanged": int(found["unchanged"]),
        "passages": found["passages"],
        "truncated": found["truncated"],
    }
    return replies.write_report({**written, "usage": found.get("usage")})


def purge(
    name: str,
    ids: Sequence[str] | None,
    filter: Mapping[str, Any] | None,  # noqa: A002
) -> Steps[PurgeProof]:
    if (ids is None) == (filter is None):
        raise InvalidInputError("give exactly one of `ids` and `filter`", field="ids")
    body: dict[str, Any]
    if ids is not None:
        body = {"ids": list(arguments.ids(ids))}
    else:
        body = {"filter": arguments.mapping(filter, "filter")}
    reply = yield Call("POST", f"{arguments.collection(name)}/documents/purge", body=body)
    return PurgeProof(**reply.value)


def set_history(name: str, days: int | None) -> Steps[None]:
    if days is not None:
        arguments.positive_integer(days, "days")
    yield Call("PUT", f"{arguments.collection(name)}/history", body={"days": days})


class Versions:
    """The methods of a `RemoteCollection` for versions of documents."""

    name: str
    _run: Callable[[Steps[Any]], Any]

    def history(self, id: str) -> list[Version]:  # noqa: A002
        """Return the versions of a document within the retention, the newest first."""
        found: list[Version] = self._run(history(self.name, id))
        return found

    def revert(self, id: str, version: int) -> WriteReport:  # noqa: A002
        """Store an earlier version of a document again, as its newest version.

        Raises GoneError if the version is not kept, or was erased.
        """
        found: WriteReport = self._run(revert(self.name, id, version))
        return found

    def purge(
        self,
        ids: Sequence[str] | None = None,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> PurgeProof:
        """Erase documents with all their versions from the files, and return a proof.

        Give exactly one of `ids` and `filter`. The proof names the snapshots of the service that
        still hold a document.
        """
        found: PurgeProof = self._run(purge(self.name, ids, filter))
        return found

    def set_history(self, days: int | None) -> None:
        """Begin or end the history of the collection, or change its retention in days."""
        self._run(set_history(self.name, days))


class AsyncVersions:
    """The methods of an `AsyncRemoteCollection` for versions of documents."""

    name: str
    _run: Callable[[Steps[Any]], Coroutine[Any, Any, Any]]

    async def history(self, id: str) -> list[Version]:  # noqa: A002
        """Return the versions of a document within the retention, the newest first."""
        found: list[Version] = await self._run(history(self.name, id))
        return found

    async def revert(self, id: str, version: int) -> WriteReport:  # noqa: A002
        """Store an earlier version of a document again, as its newest version.

        Raises GoneError if the version is not kept, or was erased.
        """
        found: WriteReport = await self._run(revert(self.name, id, version))
        return found

    async def purge(
        self,
        ids: Sequence[str] | None = None,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> PurgeProof:
        """Erase documents with all their versions from the files, and return a proof.

        Give exactly one of `ids` and `filter`. The proof names the snapshots of the service that
        still hold a document.
        """
        found: PurgeProof = await self._run(purge(self.name, ids, filter))
        return found

    async def set_history(self, days: int | None) -> None:
        """Begin or end the history of the collection, or change its retention in days."""
        await self._run(set_history(self.name, days))
