"""Searches over several collections: the method and its call, for both clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ..core.results import FederatedHit, FederatedResult, SearchedCollection
from . import replies
from .calls import Call, Steps, given, plain_request

T = TypeVar("T")


def federated_search(
    collections: Sequence[Any], request: Any, fields: Mapping[str, Any]
) -> Steps[FederatedResult]:
    body = plain_request({"collections": list(collections), **given(request, fields, "query")})
    reply = yield Call("POST", "/v1/search", body=body)
    return federated_result(reply.value)


def federated_result(value: Mapping[str, Any]) -> FederatedResult:
    """Return the result that the reply to a search over several collections contains."""
    return FederatedResult(
        hits=[
            FederatedHit(one["collection"], one["rank"], one["merged_score"], replies.hit(one))
            for one in value["hits"]
        ],
        total=value["total"]["value"],
        relation=value["total"]["relation"],
        collections=[_searched(one) for one in value["collections"]],
        facets=tuple(replies.facet(one) for one in value.get("facets", ())),
        warnings=tuple(value["warnings"]),
    )


def _searched(value: Mapping[str, Any]) -> SearchedCollection:
    if "error" in value:
        return SearchedCollection(value["name"], error=value["error"])
    total = value["total"]
    return SearchedCollection(
        value["name"],
        total["value"],
        total["relation"],
        value["index"]["version"],
        value["took_ms"],
    )


class _Runs(Protocol):
    def run(self, steps: Steps[T]) -> T: ...


class _Awaits(Protocol):
    async def run(self, steps: Steps[T]) -> T: ...


class FederationMethods:
    """The method of `Client` that searches several collections."""

    def federated_search(
        self: _Runs, collections: Sequence[Any], request: Any = None, **fields: Any
    ) -> FederatedResult:
        """Search several collections, and merge their hits into one list.

        collections: names of collections or aliases, or mappings with `name` and `weight`.
        request: a query string, or a mapping with the fields of a `FederatedRequest`. None: the
                 search has no text.
        fields:  further fields of the request, such as `merge`; not allowed with a mapping.
        """
        return self.run(federated_search(collections, request, fields))


class AsyncFederationMethods:
    """The method of `AsyncClient` that searches several collections."""

    async def federated_search(
        self: _Awaits, collections: Sequence[Any], request: Any = None, **fields: Any
    ) -> FederatedResult:
        """Search several collections. See `Client.federated_search`."""
        return await self.run(federated_search(collections, request, fields))
