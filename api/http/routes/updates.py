"""Changes of the metadata of documents, which are not encoded again."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....core import InvalidInputError
from ...serving.access.seen import Seen
from ...serving.problems import check_chosen, validate
from ...serving.served import Served
from .. import body
from ..arrival.preconditions import IF_MATCH, etag, if_match
from ..idempotency import once
from ..openapi import json_body, problems
from ..render import json_response
from ..shapes.updates import MetadataPatch, Patched, Updated, UpdateRequest
from ..strict import StrictRoute

router = APIRouter(tags=["documents"], route_class=StrictRoute)

_DOCUMENTS = "/v1/collections/{collection}/documents"
_MERGE_PATCH = ("application/json", "application/merge-patch+json")
_ENCODED = ("title", "text", "vectors", "passages")
_EXAMPLE = {"metadata": {"year": 2025, "draft": None}}
IDS = 100
"""Maximum number of ids of a change in the audit log."""


@router.post(
    _DOCUMENTS + "/update",
    responses={200: {"model": Updated}, **problems(400, 404, 409, 413, 415, 422, 429, 503)},
    openapi_extra=json_body(UpdateRequest, {"ids": ["kiwi", "emu"], **_EXAMPLE}),
)
async def update_documents(request: Request, collection: str) -> Response:
    """Change the metadata of the documents with the given ids or, instead, those of a filter.

    All documents change in one transaction, or none. The header `Idempotency-Key` is supported.
    """
    raw = await body.read(request)
    parsed = validate(UpdateRequest, body.parse_object(raw))
    audit: dict[str, Any] = request.state.audit
    check_chosen(parsed.ids, parsed.filter)

    def update(served: Served) -> tuple[int, Any]:
        opened, _ = served.ready()
        if parsed.ids is None:
            report = opened.update_where(parsed.filter or {}, parsed.metadata)
        else:
            report = opened.update_many(parsed.ids, parsed.metadata)
            audit["ids"] = parsed.ids[:IDS]
        audit["updated"] = report.updated
        return 200, {
            "updated": report.updated,
            "unchanged": report.unchanged,
            "not_found": list(report.not_found),
            "warnings": list(report.warnings),
        }

    return await once(request, collection, sha256(raw).hexdigest(), update)


@router.patch(
    _DOCUMENTS + "/{id:text}",
    responses={200: {"model": Patched}, **problems(400, 404, 412, 413, 415, 422, 429, 503)},
    openapi_extra={**json_body(MetadataPatch, _EXAMPLE), "parameters": [IF_MATCH]},
)
async def patch_document(request: Request, collection: str, id: str) -> Response:  # noqa: A002
    """Change the metadata of one document, by a merge patch (RFC 7396). No text is encoded.

    The media type `application/merge-patch+json` is accepted too.
    """
    given = body.parse_object(await body.read(request, _MERGE_PATCH))
    for name in _ENCODED:
        if name in given:
            message = "cannot be changed alone, because it is encoded; PUT the whole document"
            raise InvalidInputError(message, field=name)
    patch, tags = validate(MetadataPatch, given).metadata, if_match(request)

    def change(served: Served) -> str:
        request.state.audit["id"] = id
        return served.ready()[0].update(id, patch, if_match=tags)

    service: Seen = request.state.service
    tag = await service.write(collection, change)
    return json_response({"id": id, "tag": tag}, headers=etag(tag))
