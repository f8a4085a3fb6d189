"""Reads the filters in the query text of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...core.filters import And, parse_filter, read_filters, show_filter
from ...index import Store
from ..request import SearchRequest

FIELDS = 1_000
"""Maximum number of fields of a collection that are read in a query."""


@dataclass(frozen=True, slots=True)
class ReadQuery:
    """A query text without its filters.

    request: the request with this text as its query, and with all filters.
    query:   the text without the filters.
    filter:  the filter that was read from the text, as JSON; None if there was none.
    """

    request: SearchRequest
    query: str
    filter: Mapping[str, Any] | None


def read_query(store: Store, request: SearchRequest) -> ReadQuery | None:
    """Read the filters in the query of a request; return None without `parse_filters`.

    Raises InvalidInputError for a wrong `filter` of the request.
    """
    if not request.parse_filters or request.query is None:
        return None
    kinds: dict[str, set[int]] = {}
    with store.view() as view:
        for name, kind in view.fields(FIELDS):
            kinds.setdefault(name, set()).add(kind)
    query, found = read_filters(request.query, kinds)
    if found is None:
        return ReadQuery(request, query, None)
    own = parse_filter(request.filter)
    joined = found if own is None else show_filter(And((own, parse_filter(found))))
    changed = request.model_copy(update={"query": query, "filter": joined})
    return ReadQuery(changed, query, found)
