"""Documents: put, get, delete, list and bulk.

The reply to a write is sent after the data is durable on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from ....core import InvalidInputError, NotFoundError
from ....core.errors import shown
from ....core.filters import parse_filter
from ....core.filters.help import FILTER_HELP
from ....search.writing.changing.preconditions import expected
from ....sources import parse_document
from ....sources.document import parse_id
from ...serving.access.seen import Seen
from ...serving.bulk import ERRORS_KEPT, BulkResult, check_lines, parse_lines
from ...serving.calls import Calls
from ...serving.problems import Problem, check_chosen, validate
from ...serving.served import Served
from ...serving.settings import Settings
from .. import body, cursor
from ..arrival.preconditions import IF_MATCH, IF_NONE_MATCH, etag, if_match, if_none_match
from ..idempotency import NewJob, enqueue, once
from ..openapi import json_body, ndjson_body, problems
from ..render import document, json_response, usage
from ..shapes.documents import (
    BulkReply,
    Deleted,
    DeleteRequest,
    DocumentBody,
    DocumentPage,
    StoredDocument,
    Written,
)
from ..shapes.schemas import JobReply
from ..spool import Received, receive
from ..strict import StrictRoute

router = APIRouter(tags=["documents"], route_class=StrictRoute)

_DOCUMENTS = "/v1/collections/{collection}/documents"
_DOCUMENT = _DOCUMENTS + "/{id:text}"
AsOfQuery = Annotated[
    str | None,
    Query(
        max_length=40,
        description="Number of a commit, or a time such as `2026-05-04T12:00:00Z`: the state then, "
        "in a collection that keeps a history.",
    ),
]
IDS = 100
"""Maximum number of ids of a deletion in the audit log."""

_EXAMPLE = {
    "title": "Kiwi",
    "text": "The kiwi is a bird that cannot fly.",
    "metadata": {"year": 2024},
}
_LINES = '{"id": "kiwi", "text": "The kiwi is a bird."}\n{"id": "emu", "text": "So is the emu."}\n'


@router.post(
    _DOCUMENTS + "/bulk",
    responses={
        200: {"model": BulkReply},
        202: {"model": JobReply, "description": "Large body: a job writes the documents"},
        **problems(400, 404, 409, 413, 415, 422, 429, 503),
    },
    openapi_extra=ndjson_body(_LINES),
)
async def write_bulk(
    request: Request,
    collection: str,
    as_job: Annotated[
        bool, Query(alias="async", description="true: always write as a job")
    ] = False,
    on_error: Annotated[
        Literal["keep", "fail"],
        Query(description="keep: write the valid lines; fail: write nothing if a line is invalid"),
    ] = "keep",
) -> Response:
    """Insert or replace many documents, one JSON object per line.

    By default, the valid lines are written even if other lines are invalid. With `on_error=fail`,
    an invalid line fails the request (422) and nothing is written. A large body becomes a job
    (202). Jobs do not support `on_error=fail`. The header `Idempotency-Key` is supported.
    """
    service: Seen = request.state.service
    _, jobs = (await service.served(collection)).ready()
    if on_error == "fail" and as_job:
        raise InvalidInputError(
            "cannot be `fail` with `async`, because a job writes all valid lines; remove `async`",
            field="on_error",
        )
    received = await receive(request, jobs, as_job=as_job)
    if on_error == "fail" and received.upload is not None:
        received.upload.discard()
        message = "cannot be `fail` for a large body, because a job writes it; send fewer lines"
        raise InvalidInputError(message, field="on_error")

    def write(served: Served) -> tuple[int, Any]:
        calls: Calls = request.state.calls
        found = _write_now(served, received, calls, whole=on_error == "fail")
        request.state.audit.update({name: found[name] for name in ("written", "replaced")})
        return 200, found

    if received.upload is None:
        return await once(request, collection, received.digest, write)
    new = NewJob("bulk", "lines", received.lines, id=received.job)
    return await enqueue(request, collection, received.digest, lambda served: new, received.upload)


def _write_now(served: Served, received: Received, calls: Calls, *, whole: bool) -> dict[str, Any]:
    """Write the lines and return the reply. whole: write nothing if a line is invalid."""
    opened, _ = served.ready()
    lines = list(check_lines(opened, parse_lines((received.data or b"").split(b"\n"))))
    if whole and (errors := [_line_error(line.error) for line in lines if line.error is not None]):
        first = errors[0]
        raise Problem(422, f"{first['field']}: {first['message']}", errors=errors[:ERRORS_KEPT])
    result = BulkResult()
    try:
        result.write(opened, lines)
    finally:
        calls.count(result.usage)
    return {
        "errors": result.failed > 0,
        "items": [line.item() for line in lines],
        "written": result.written,
        "replaced": result.replaced,
        "unchanged": result.unchanged,
        "passages": result.passages,
        "truncated": result.truncated,
        **usage(result.usage),
    }


def _line_error(error: Mapping[str, Any]) -> dict[str, str]:
    """Return the error of a line as a field error. Line 8 has a field such as `lines[7].text`."""
    field, line = error.get("field"), f"lines[{error['line'] - 1}]"
    message = str(error["detail"]).removeprefix(f"{field}: ")
    return {"field": line if field is None else f"{line}.{field}", "message": message}


@router.post(
    _DOCUMENTS + "/delete",
    responses={200: {"model": Deleted}, **problems(400, 404, 409, 413, 415, 422, 429, 503)},
    openapi_extra=json_body(DeleteRequest, {"ids": ["kiwi", "emu"]}),
)
async def delete_many(request: Request, collection: str) -> Response:
    """Delete the documents with the given ids or, instead, those that match a filter.

    The header `Idempotency-Key` is supported.
    """
    raw = await body.read(request)
    parsed = validate(DeleteRequest, body.parse_object(raw))
    audit: dict[str, Any] = request.state.audit
    check_chosen(parsed.ids, parsed.filter)

    def delete(served: Served) -> tuple[int, Any]:
        opened, _ = served.ready()
        if parsed.ids is None:
            count = opened.delete_where(parsed.filter or {})
            audit["deleted"] = int(count)
            return 200, {"deleted": int(count), "not_found": [], "warnings": list(count.warnings)}
        found = set(opened.delete(parsed.ids))
        audit.update(ids=parsed.ids[:IDS], deleted=len(found))
        missing = [name for name in dict.fromkeys(parsed.ids) if name not in found]
        return 200, {"deleted": len(found), "not_found": missing, "warnings": []}

    return await once(request, collection, sha256(raw).hexdigest(), delete)


@router.get(
    _DOCUMENTS,
    responses={200: {"model": DocumentPage}, **problems(404, 410, 422, 429, 503)},
)
async def list_documents(
    request: Request,
    collection: str,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor_: Annotated[str | None, Query(alias="cursor")] = None,
    after: Annotated[
        str | None, Query(description="Id after which the page begins. Use it instead of `cursor`.")
    ] = None,
    filter_: Annotated[str | None, Query(alias="filter", description=FILTER_HELP)] = None,
    as_of: AsOfQuery = None,
) -> Response:
    """List documents by ascending id. `total` is the number of documents on all pages.

    A page of large documents may have fewer than `limit` documents. Continue until `next_cursor` is
    null. `after` may be an id that no document has.
    """
    if cursor_ is not None and after is not None:
        raise Problem(422, "send `cursor` or `after`, not both")
    settings: Settings = request.app.state.settings
    condition = None if filter_ is None else _filter(filter_)
    where = parse_filter(condition)
    if cursor_ is not None:
        after = cursor.decode(cursor_, condition)

    def page(served: Served) -> dict[str, Any]:
        opened, _ = served.ready()
        found = opened.documents(
            after=after,
            limit=limit,
            filter=where,
            most_bytes=settings.page_bytes,
            as_of=as_of,
        )
        last = found[-1].id if found else None
        more = last is not None and bool(
            opened.documents(after=last, limit=1, filter=where, as_of=as_of)
        )
        return {
            "documents": [document(item) for item in found],
            "total": opened.count(where, as_of=as_of),
            "next_cursor": cursor.encode(last, condition) if last and more else None,
        }

    service: Seen = request.state.service
    return json_response(await service.read(collection, page))


@router.put(
    _DOCUMENT,
    responses={
        200: {"model": Written, "description": "Replaced"},
        201: {"model": Written, "description": "New"},
        **problems(400, 404, 412, 413, 415, 422, 429, 503),
    },
    openapi_extra={
        **json_body(DocumentBody, _EXAMPLE),
        "parameters": [IF_MATCH, IF_NONE_MATCH],
    },
)
async def put_document(request: Request, collection: str, id: str) -> Response:  # noqa: A002
    """Insert a document, or replace the document with this id.

    Slashes in the id must be percent-encoded.
    """
    given = body.parse_object(await body.read(request))
    names = [name for name in ("_id", "id") if given.get(name) is not None]
    if names and parse_id(given) != id:
        message = "differs from the id in the path; remove this field"
        raise InvalidInputError(message, field=names[0])
    rest = {name: value for name, value in given.items() if name not in ("_id", "id")}
    new = parse_document({**rest, "id": id})
    tags = {"if_match": if_match(request), "if_none_match": if_none_match(request)}

    def put(served: Served) -> Response:
        opened, _ = served.ready()
        report = opened.put(new, **tags)
        calls: Calls = request.state.calls
        calls.count(report.usage)
        request.state.audit["id"] = new.id
        created = report.replaced + report.unchanged == 0
        written = {
            "id": new.id,
            "created": created,
            "unchanged": report.unchanged > 0,
            "passages": report.passages,
            "truncated": report.truncated,
            **usage(report.usage),
        }
        location = f"/v1/collections/{served.name}/documents/{quote(new.id, safe='')}"
        return json_response(
            written,
            201 if created else 200,
            {**etag(new.tag), **({"Location": location} if created else {})},
        )

    service: Seen = request.state.service
    return await service.write(collection, put)


@router.get(
    _DOCUMENT,
    responses={
        200: {"model": StoredDocument},
        304: {"description": "The document has one of the tags of `If-None-Match`"},
        **problems(400, 404, 410, 412, 422, 429, 503),
    },
    openapi_extra={"parameters": [IF_MATCH, IF_NONE_MATCH]},
)
async def get_document(
    request: Request,
    collection: str,
    id: str,  # noqa: A002
    as_of: AsOfQuery = None,
) -> Response:
    """Return one document. Its tag is in the header `ETag`."""
    wanted, known = if_match(request), if_none_match(request)
    service: Seen = request.state.service
    found = await service.read(collection, lambda served: served.ready()[0].get(id, as_of=as_of))
    expected(wanted).check(found.id, found)
    if known is not None and (found.tag in known or "*" in known):
        return Response(status_code=304, headers=etag(found.tag))
    return json_response(document(found), headers=etag(found.tag))


@router.delete(
    _DOCUMENT,
    status_code=204,
    responses=problems(400, 404, 412, 429, 503),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def delete_document(request: Request, collection: str, id: str) -> Response:  # noqa: A002
    """Delete one document."""
    tags = if_match(request)
    service: Seen = request.state.service

    def delete(served: Served) -> list[str]:
        return served.ready()[0].delete([id], if_match=tags)

    if not await service.write(collection, delete):
        raise NotFoundError(f"no document {shown(id)} in collection {shown(collection)}")
    return Response(status_code=204)


def _filter(text: str) -> dict[str, Any]:
    try:
        value = body.parse(text.encode())
    except Problem as problem:
        raise InvalidInputError(problem.detail.removeprefix("the body "), field="filter") from None
    if not isinstance(value, dict):
        raise InvalidInputError("must be a JSON object", field="filter")
    return value
