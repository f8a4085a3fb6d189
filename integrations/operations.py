"""Operations on a collection that the adapters share. See the module `steps`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from ..core.errors import InvalidInputError
from ..core.results import SearchResult
from ..core.types import Document
from .steps import Call, Steps

PAGE = 1_000
"""Number of documents that one call reads."""
_IDS_IN_URL = 4_000
"""Maximum number of characters of the ids in one filter. The client sends a filter of a list in the
URL, and servers limit its length."""
_MOST_IDS = 500
"""Maximum number of ids in one filter."""

OWN_FIELDS: Mapping[str, str] = {
    "query": "pass the text of the query as the adapter's own argument",
    "vectors": "pass the vector of the query as the adapter's own argument",
    "include": "the adapter reads title, text and metadata; remove this field",
    "explain": "the adapter returns no explanations; call `search` of the collection",
    "predictors": "the adapter returns no predictors; call `search` of the collection",
    "suggest": "the adapter returns no suggestion; call `search` of the collection",
}
"""Field of a search request that an adapter refuses -> what to do instead."""


def search(
    query: str | None,
    fields: Mapping[str, Any],
    *,
    limit: int,
    limited_by: str,
    vectors: Mapping[str, Any] | None = None,
) -> Steps[SearchResult]:
    """Search a collection.

    query:      text of the query. None: only `vectors` are searched.
    fields:     fields of the search request that the application sets. A field that is None or an
                empty filter is left out.
    limit:      number of hits.
    limited_by: name that the framework has for `limit`, for errors.
    vectors:    name of a leg -> vector of the query.

    Raises InvalidInputError for a field that the adapter sets itself or whose result the adapter
    cannot return.
    """
    own = {**OWN_FIELDS, "limit": f"use `{limited_by}`"}
    for name in fields:
        if name in own:
            raise InvalidInputError(own[name], field=name)
    given = {name: value for name, value in fields.items() if value is not None}
    if vectors:
        given["vectors"] = dict(vectors)
    try:
        result: SearchResult = yield Call("search", (query,), {**given, "limit": limit})
    except InvalidInputError as error:
        if error.field != "limit":
            raise
        raise InvalidInputError(error.message, field=limited_by) from None
    return result


def write(documents: Sequence[Mapping[str, Any]]) -> Steps[None]:
    """Insert documents, or replace documents with the same ids."""
    if documents:
        yield Call("add", (list(documents),))


def read(ids: Sequence[str]) -> Steps[list[Document]]:
    """Return the documents with these ids, in the order of the ids. Unknown ids are skipped."""
    found: dict[str, Document] = {}
    for part in _parts(list(dict.fromkeys(ids))):
        options = {"filter": {"id": {"in": part}}, "limit": len(part)}
        found.update((one.id, one) for one in (yield Call("documents", (), options)))
    return [found[id_] for id_ in dict.fromkeys(ids) if id_ in found]


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    """Yield the ids in parts that are short enough for one filter in a URL."""
    part: list[str] = []
    length = 0
    for id_ in ids:
        own = len(quote(json.dumps(id_))) + 6
        if part and (length + own > _IDS_IN_URL or len(part) == _MOST_IDS):
            yield part
            part, length = [], 0
        part.append(id_)
        length += own
    if part:
        yield part


def list_all(filter: Mapping[str, Any] | None = None) -> Steps[list[Document]]:  # noqa: A002
    """Return all documents that meet a filter, in ascending order of id."""
    found: list[Document] = []
    options: dict[str, Any] = {"limit": PAGE, "filter": filter}
    while True:
        page = yield Call("documents", (), dict(options))
        if not page:
            return found
        found += page
        options["after"] = page[-1].id


def count(filter: Mapping[str, Any] | None = None) -> Steps[int]:  # noqa: A002
    """Return the number of documents that meet a filter."""
    found: int = yield Call("count", (filter,))
    return found


def delete(ids: Sequence[str]) -> Steps[list[str]]:
    """Delete documents by id. Return the ids of the deleted documents."""
    found: list[str] = yield Call("delete", (list(ids),))
    return found


def delete_where(filter: Mapping[str, Any]) -> Steps[int]:  # noqa: A002
    """Delete the documents that meet a filter. Return their number."""
    return int((yield Call("delete_where", (filter,))))


def delete_all() -> Steps[int]:
    """Delete all documents. Return their number.

    A collection refuses a filter that every document meets, so the filter excludes a new id.
    """
    return (yield from delete_where({"id": {"ne": uuid4().hex}}))
