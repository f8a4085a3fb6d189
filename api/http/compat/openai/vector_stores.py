"""The search of OpenAI's vector stores: a collection is a vector store, a document is a file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BeforeValidator
from starlette.requests import Request
from starlette.responses import Response

from .....core import Config, Hit, InvalidInputError
from .....core.bounds import Bounds
from .....core.errors import shown
from .....core.filters import parse_filter
from .....search import SearchRequest, SearchResult
from ....serving.calls import Calls
from ....serving.problems import Problem, invalid_field, problem_of, validate
from ....serving.served import Served
from ... import body
from ...admission import search_deadline
from ...openapi import json_body
from ...render import json_response, search_result
from ...shapes.failures import OpenAIErrorReply
from ...shapes.shape import Shape
from ...strict import StrictRoute
from ..fields import Fields, Refused
from ..replies import failures

router = APIRouter(tags=["compatible"], route_class=StrictRoute)

FIELDS = Fields(
    refused={
        "rewrite_query": Refused("the query is searched as it is; use `twindex.rewrite`", (False,)),
    },
    ignored={},
)
"""Fields of `POST /v1/vector_stores/{id}/search`."""

RANKING = Fields(
    refused={
        "ranker": Refused("use `twindex.rerank`, which names a reranker", ("none", "auto")),
        "score_threshold": Refused("scores of fused legs have no fixed scale", (0,)),
    },
    ignored={},
)
"""Fields of `ranking_options`."""

_COMPARISONS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin")
_GROUPS = ("and", "or", "not")
"""Names that native filters read as groups of conditions, and not as fields."""

_DEEPEST = 20
"""Maximum depth of a filter."""

_EXAMPLE = {"query": "birds that cannot fly", "max_num_results": 5}


def _one_query(value: object) -> object:
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    if isinstance(value, list):
        raise ValueError("must be one query; send a request for each query")
    return value


class VectorStoreSearchBody(Config):
    """A search of a collection.

    query:           the query, or a list with one query.
    max_num_results: maximum number of documents.
    filters:         a comparison `{"type": "eq", "key": ..., "value": ...}`, or `{"type": "and",
                     "filters": [...]}`. The types are eq, ne, gt, gte, lt, lte, in, nin, and, or.
    ranking_options: accepted with the ranker "none" or "auto", and a threshold of 0.
    twindex:         further fields of a search, such as `legs`, `fusion`, `rerank` or `rewrite`.
    """

    query: Annotated[str, BeforeValidator(_one_query, json_schema_input_type=str | list[str])]
    max_num_results: Annotated[int, Bounds(1, 50)] = 10
    filters: dict[str, Any] | None = None
    ranking_options: dict[str, Any] | None = None
    twindex: dict[str, Any] | None = None


class VectorStoreText(Shape):
    """A text.

    type: always "text".
    text: the passage that was found; the text of the document, if it was indexed whole.
    """

    type: Literal["text"]
    text: str


class VectorStoreHit(Shape):
    """A document that was found.

    file_id:    id of the document.
    filename:   title of the document; its id if it has no title.
    score:      score of the document in the search.
    attributes: metadata of the document.
    content:    the passage.
    twindex:    the other fields of the native hit, such as `legs`, `passage` and `rerank`.
    """

    file_id: str
    filename: str
    score: float
    attributes: dict[str, Any]
    content: list[VectorStoreText]
    twindex: dict[str, Any]


class VectorStorePage(Shape):
    """The documents that were found, best first.

    object:       always "vector_store.search_results.page".
    search_query: the query that was searched.
    data:         the documents.
    has_more:     always false.
    next_page:    always null.
    twindex:      the other fields of the native reply, such as `total`, `warnings` and `stages`.
    """

    object: Literal["vector_store.search_results.page"]
    search_query: list[str]
    data: list[VectorStoreHit]
    has_more: Literal[False]
    next_page: None
    twindex: dict[str, Any]


@router.post(
    "/v1/vector_stores/{collection}/search",
    responses={200: {"model": VectorStorePage}, **failures(OpenAIErrorReply)},
    openapi_extra=json_body(VectorStoreSearchBody, _EXAMPLE),
)
async def search_vector_store(request: Request, collection: str) -> Response:
    """Search a collection, in the form of OpenAI's vector stores."""
    raw = await body.read(request)
    calls: Calls = request.state.calls
    searching = calls.search(
        collection, lambda _: _parse(body.parse_object(raw)), search_deadline(request), _reply
    )
    try:
        return await searching
    except InvalidInputError as error:
        raise _renamed(problem_of(error, calls.service.root)) from None


def _parse(given: dict[str, Any]) -> SearchRequest:
    parsed = validate(VectorStoreSearchBody, FIELDS.supported(given))
    RANKING.supported(parsed.ranking_options or {}, "ranking_options.")
    for name in {*(parsed.ranking_options or {})} - {*RANKING.refused}:
        raise invalid_field(f"ranking_options.{name}", "unknown field; use `ranker`")
    own = parsed.twindex or {}
    for name in sorted({"query", "limit", "filter", "include"} & set(own)):
        raise invalid_field(
            f"twindex.{name}", "is set by the other fields of this request; remove it"
        )
    fields = {**own, "query": parsed.query, "limit": parsed.max_num_results}
    if parsed.filters is not None:
        fields["filter"] = condition(parsed.filters)
        try:
            parse_filter(fields["filter"])
        except InvalidInputError as error:  # The whole filter is too large.
            raise invalid_field("filters", error.message) from None
    try:
        return validate(SearchRequest, fields)
    except Problem as problem:
        raise _renamed(problem) from None


def _renamed(problem: Problem) -> Problem:
    """Return a problem of a native search, with the paths of the fields in this request."""
    known = {"limit": "max_num_results", "filter": "filters", "query": "query"}
    errors = []
    for one in problem.errors:
        head = one["field"].partition(".")[0].partition("[")[0]
        path = known.get(head, f"twindex.{one['field']}")
        errors.append({"field": path, "message": one["message"]})
    detail = "; ".join(f"{one['field']}: {one['message']}" for one in errors)
    return Problem(422, detail or problem.detail, code=problem.code, errors=errors)


def condition(given: Any, path: str = "filters", depth: int = 0) -> dict[str, Any]:
    """Return a filter of OpenAI's interface in the form of this server's filters.

    Raises Problem 422 for a filter that is invalid, or deeper than `_DEEPEST`.
    """
    if not isinstance(given, dict) or depth > _DEEPEST:
        raise invalid_field(path, f"must be an object with `type`, at most {_DEEPEST} deep")
    kind = given.get("type")
    if kind in ("and", "or"):
        inner = given.get("filters")
        if not isinstance(inner, list) or set(given) != {"type", "filters"}:
            raise invalid_field(path, f"must have the fields `type` and `filters` for {kind!r}")
        return {
            kind: [condition(one, f"{path}.filters[{i}]", depth + 1) for i, one in enumerate(inner)]
        }
    if kind not in _COMPARISONS:
        known = ", ".join((*_COMPARISONS, "and", "or"))
        raise invalid_field(f"{path}.type", f"must be one of {known}, got {shown(kind)}")
    if set(given) != {"type", "key", "value"} or not isinstance(given["key"], str):
        raise invalid_field(path, "must have the fields `type`, `key` (a string) and `value`")
    if given["key"] in _GROUPS:
        raise invalid_field(
            f"{path}.key",
            f"{given['key']!r} is a word of filters, so this field of the metadata cannot be "
            "filtered by; rename the field",
        )
    operator = "in" if kind == "nin" else kind
    found = {given["key"]: {operator: given["value"]}}
    try:
        parse_filter(found)
    except InvalidInputError as error:
        part = "key" if error.field == "filter" else "value"
        raise invalid_field(f"{path}.{part}", error.message) from None
    return {"not": found} if kind == "nin" else found


def _reply(served: Served, request: SearchRequest, result: SearchResult) -> Response:
    native = search_result(request, result, served.encoders)
    hits = native.pop("hits")
    return json_response(
        {
            "object": "vector_store.search_results.page",
            "search_query": [request.query or ""],
            "data": [_hit(hit, own) for hit, own in zip(result.hits, hits, strict=True)],
            "has_more": False,
            "next_page": None,
            "twindex": native,
        }
    )


def _hit(hit: Hit, native: dict[str, Any]) -> dict[str, Any]:
    document, span = hit.document, hit.passage
    assert document is not None, "the request includes all parts"
    text = document.text if span is None else document.text[span.start : span.end]
    shown_already = ("id", "score", "title", "text", "metadata")
    return {
        "file_id": hit.id,
        "filename": document.title or hit.id,
        "score": hit.score,
        "attributes": document.metadata,
        "content": [{"type": "text", "text": text}],
        "twindex": {name: native[name] for name in native if name not in shown_already},
    }
