"""Search several collections of this process at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core import UNGUARDED, Guard, NotFoundError, TimeLimitError, TwindexError
from ...core.near import did_you_mean
from ...core.results import FederatedResult
from .. import parameters
from ..collection import Collection
from .merging import Part, merge
from .request import FederatedRequest


def federated_search(
    collections: Mapping[str, Collection],
    request: FederatedRequest | Mapping[str, Any] | str | None = None,
    /,
    *,
    guard: Guard = UNGUARDED,
    **fields: Any,
) -> FederatedResult:
    """Search several collections, and merge their hits into one list.

    collections: name -> collection. All are searched, unless the request has `collections` too.
    request: a FederatedRequest, a mapping with its fields, or the query text. None: the search has
        no text.
    fields: other fields of the request, not allowed with a FederatedRequest or a mapping.
    guard: limits of the caller; see `Collection.search`.

    Raises NotFoundError if the request names a collection that is not given.
    """
    parameters.guard(guard, "guard")
    if isinstance(request, Mapping):
        request = {"collections": tuple(collections), **request}
    elif not isinstance(request, FederatedRequest):
        fields = {"collections": tuple(collections), **fields}
    wanted = parameters.parsed(request, fields, FederatedRequest, "query")
    guard, own = guard.within(wanted.timeout_ms), wanted.own()
    parts: list[Part] = []
    for name in (one.name for one in wanted.collections):
        if name not in collections:
            known = did_you_mean(name, collections)
            raise NotFoundError(f"no collection {name!r} was given{known}")
        try:
            parts.append(Part(name, collections[name].search(own, guard=guard)))
        except TimeLimitError:
            raise
        except TwindexError as error:
            parts.append(Part(name, None, error))
    return merge(wanted, parts)
