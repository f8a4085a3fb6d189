"""Versions of documents: list, revert, purge, and how long they are kept."""

from __future__ import annotations

from dataclasses import asdict
from hashlib import sha256
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from .....core import ConflictError, Version
from ....serving.access.seen import Seen
from ....serving.problems import check_chosen, validate
from ....serving.served import Served
from ... import body
from ...idempotency import once
from ...openapi import json_body, problems
from ...render import document, json_response, usage
from ...shapes.documents import Written
from ...shapes.history import (
    DocumentHistory,
    HistorySetting,
    Purged,
    PurgeRequest,
    RevertRequest,
)
from ...strict import StrictRoute

router = APIRouter(tags=["documents"], route_class=StrictRoute)

_DOCUMENTS = "/v1/collections/{collection}/documents"
_DOCUMENT = _DOCUMENTS + "/{id:text}"


@router.get(
    _DOCUMENT + "/history",
    responses={200: {"model": DocumentHistory}, **problems(404, 422, 429, 503)},
)
async def get_history(request: Request, collection: str, id: str) -> Response:  # noqa: A002
    """Return the versions of a document within the retention, the newest first.

    The collection must keep a history. A key with a filter sees the versions that meet the filter.
    """
    service: Seen = request.state.service
    found = await service.read(collection, lambda served: served.ready()[0].history(id))
    return json_response({"versions": [_version(one) for one in found]})


def _version(version: Version) -> dict[str, Any]:
    fields = {name: getattr(version, name) for name in Version.__dataclass_fields__}
    return {**fields, "document": document(version.document)}


@router.post(
    _DOCUMENT + "/revert",
    responses={200: {"model": Written}, **problems(400, 404, 409, 410, 413, 415, 422, 429, 503)},
    openapi_extra=json_body(RevertRequest, {"version": 3}),
)
async def revert_document(request: Request, collection: str, id: str) -> Response:  # noqa: A002
    """Store an earlier version of a document again, as its newest version.

    Reply 410: the version is not kept, or was erased.
    """
    parsed = validate(RevertRequest, body.parse_object(await body.read(request)))

    def revert(served: Served) -> Response:
        report = served.ready()[0].revert(id, parsed.version)
        request.state.calls.count(report.usage)
        request.state.audit["id"] = id
        written = {
            "id": id,
            "created": report.replaced + report.unchanged == 0,
            "unchanged": report.unchanged > 0,
            "passages": report.passages,
            "truncated": report.truncated,
            **usage(report.usage),
        }
        return json_response(written)

    service: Seen = request.state.service
    return await service.write(collection, revert)


@router.post(
    _DOCUMENTS + "/purge",
    responses={200: {"model": Purged}, **problems(400, 404, 409, 413, 415, 422, 429, 503)},
    openapi_extra=json_body(PurgeRequest, {"ids": ["kiwi"]}),
)
async def purge_documents(request: Request, collection: str) -> Response:
    """Erase documents with all their versions from the files, and return a proof.

    Needs the scope `admin`. All segments with deleted documents and the database are written again,
    and every file is searched for pieces of the documents, so this takes as long as a merge.
    """
    raw = await body.read(request)
    parsed = validate(PurgeRequest, body.parse_object(raw))
    check_chosen(parsed.ids, parsed.filter)
    service: Seen = request.state.service
    try:
        targets = [service.snapshots.target(service.resolve(collection))]
    except ConflictError:  # The operator has configured no place for snapshots.
        targets = []

    def erase(served: Served) -> tuple[int, Any]:
        opened = served.ready()[0]
        proof = opened.purge(parsed.ids, filter=parsed.filter, snapshots=targets)
        request.state.audit.update(
            hashes=[sha256(name.encode()).hexdigest() for name in (parsed.ids or [])[:100]],
            documents=proof.documents,
            found=len(proof.found),
        )
        return 200, asdict(proof)

    return await once(request, collection, sha256(raw).hexdigest(), erase)


@router.put(
    "/v1/collections/{collection}/history",
    responses={200: {"model": HistorySetting}, **problems(400, 404, 409, 413, 415, 422, 429, 503)},
    openapi_extra=json_body(HistorySetting, {"days": 30}),
)
async def set_history(request: Request, collection: str) -> Response:
    """Begin or end the history of a collection, or change how long versions are kept."""
    parsed = validate(HistorySetting, body.parse_object(await body.read(request)))
    service: Seen = request.state.service
    await service.write(collection, lambda served: served.ready()[0].set_history(parsed.days))
    return json_response({"days": parsed.days})
