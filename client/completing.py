"""Completions of a text by the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from ..core.results import Completions, TitleCompletion, WordCompletion
from . import arguments
from .calls import Call, Steps, given

T = TypeVar("T")


def complete(name: str, request: Any, fields: Mapping[str, Any]) -> Steps[Completions]:
    body = given(request, fields, "text")
    reply = yield Call("POST", f"{arguments.collection(name)}/complete", body=body)
    return Completions(
        [WordCompletion(**one) for one in reply.value["words"]],
        [TitleCompletion(**one) for one in reply.value["titles"]],
    )


class _Runs(Protocol):
    def run(self, steps: Steps[T]) -> T: ...


class _Awaits(Protocol):
    async def run(self, steps: Steps[T]) -> T: ...


class _Blocking(Protocol):
    name: str

    @property
    def _client(self) -> _Runs: ...


class _Waiting(Protocol):
    name: str

    @property
    def _client(self) -> _Awaits: ...


class CompletionMethods:
    """The method of a blocking remote collection that completes a text."""

    def complete(self: _Blocking, request: Any, **fields: Any) -> Completions:
        """Complete the last word of a text, and titles, while a user types.

        request: the text, or a mapping with the fields of a CompleteRequest.
        fields:  further fields, such as `limit`, `titles`, `typos` or `filter`; only allowed if
                 `request` is a text.
        """
        return self._client.run(complete(self.name, request, fields))


class AsyncCompletionMethods:
    """The method of an asyncio remote collection that completes a text."""

    async def complete(self: _Waiting, request: Any, **fields: Any) -> Completions:
        """Complete the last word of a text, and titles, while a user types.

        request: the text, or a mapping with the fields of a CompleteRequest.
        fields:  further fields, such as `limit`, `titles`, `typos` or `filter`; only allowed if
                 `request` is a text.
        """
        return await self._client.run(complete(self.name, request, fields))
