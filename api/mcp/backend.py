"""The protocol of what the tools need, and its implementation by the client of a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ...client import Answer, AsyncClient, AsyncRemoteCollection, CollectionState
from ...core.results import SearchResult
from ...core.types import Document


class Backend(Protocol):
    """The collections that the tools read.

    Every method raises TwindexError for a failure that the caller of a tool should read. A
    cancelled call ends its work.
    """

    async def collections(self) -> Sequence[CollectionState]:
        """Return the state of every collection."""

    async def aliases(self) -> Mapping[str, str]:
        """Return alias -> name of its collection."""

    async def search(self, collection: str, request: Mapping[str, Any]) -> SearchResult:
        """Search a collection. request: fields of a SearchRequest."""

    async def get(self, collection: str, id: str) -> Document:  # noqa: A002
        """Return a document. Raises NotFoundError if there is none."""

    async def answer(self, collection: str, request: Mapping[str, Any]) -> Answer:
        """Answer a question. request: fields of an AnswerRequest."""


class RemoteBackend:
    """The collections of a running service, by its REST interface."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def collections(self) -> Sequence[CollectionState]:
        return await self._client.collections()

    async def aliases(self) -> Mapping[str, str]:
        return await self._client.aliases()

    async def search(self, collection: str, request: Mapping[str, Any]) -> SearchResult:
        return await AsyncRemoteCollection(self._client, collection).search(request)

    async def get(self, collection: str, id: str) -> Document:  # noqa: A002
        return await AsyncRemoteCollection(self._client, collection).get(id)

    async def answer(self, collection: str, request: Mapping[str, Any]) -> Answer:
        return await AsyncRemoteCollection(self._client, collection).answer(request)
