"""Completions of a text by the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from ..core.completions import Completions, TitleCompletion, WordCompletion
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


class CompletionMethods:
    """The method of a blocking remote collection that completes a text."""

    name: str
    _client: Any

    def complete(self, request: Any, **fields: Any) -> Completions:
        """Complete the last word of a text, and titles, while a user types.

        request: the text, or a mapping with the fields of a CompleteRequest.
        fields:  further fields, such as `limit`, `titles`, `typos` or `filter`; only allowed if
                 `request` is a text.
        """
        client: _Runs = self._client
        return client.run(complete(self.name, request, fields))


class AsyncCompletionMethods:
    """The method of an asyncio remote collection that completes a text."""

    name: str
    _client: Any

    async def complete(self, request: Any, **fields: Any) -> Completions:
        """Complete the last word of a text, and titles, while a user types.

        request: the text, or a mapping with the fields of a CompleteRequest.
        fields:  further fields, such as `limit`, `titles`, `typos` or `filter`; only allowed if
                 `request` is a text.
        """
        client: _Awaits = self._client
        return await client.run(complete(self.name, request, fields))
