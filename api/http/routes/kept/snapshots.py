"""Snapshots of collections: take, list, restore."""

from __future__ import annotations

from hashlib import sha256

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....serving.access.seen import Seen
from ....serving.operations.requests import RestoreRequest
from ....serving.problems import validate
from ... import body
from ...idempotency import NewJob, enqueue
from ...openapi import json_body, problems
from ...render import json_response, moment
from ...shapes.schemas import JobReply
from ...shapes.upkeep import SnapshotList
from ...strict import StrictRoute

router = APIRouter(tags=["collections"], route_class=StrictRoute)


@router.post(
    "/v1/collections/{collection}/snapshots",
    status_code=202,
    responses={202: {"model": JobReply}, **problems(404, 409, 422, 429, 503)},
)
async def take_snapshot(request: Request, collection: str) -> Response:
    """Start a job that copies the state of one commit. Searches and writes continue meanwhile.

    The operator configures where snapshots are stored, and how many are kept.
    """
    service: Seen = request.state.service
    service.snapshots.target(service.resolve(collection))
    new = NewJob("snapshot", "bytes")
    return await enqueue(request, collection, "snapshot", lambda served: new)


@router.get(
    "/v1/collections/{collection}/snapshots",
    responses={200: {"model": SnapshotList}, **problems(404, 409, 429, 503)},
)
async def list_snapshots(request: Request, collection: str) -> Response:
    """List the complete snapshots of a collection, oldest first.

    The collection need not exist any more.
    """
    service: Seen = request.state.service
    name = service.resolve(collection)
    found = await service.writers.run(service.snapshots.list, name)
    shown = [{**one.summary(), "created": moment(one.created)} for one in found]
    return json_response({"snapshots": shown})


@router.delete(
    "/v1/collections/{collection}/snapshots/{snapshot}",
    status_code=204,
    responses=problems(404, 409, 429, 503),
)
async def delete_snapshot(request: Request, collection: str, snapshot: str) -> Response:
    """Delete a snapshot of a collection. The collection need not exist any more."""
    service: Seen = request.state.service
    name = service.resolve(collection)
    request.state.audit["id"] = snapshot[:200]
    await service.writers.run(service.snapshots.delete, name, snapshot)
    return Response(status_code=204)


@router.post(
    "/v1/collections/{collection}/restore",
    status_code=202,
    responses={202: {"model": JobReply}, **problems(400, 404, 409, 413, 415, 422, 429, 503)},
    openapi_extra=json_body(RestoreRequest, {"collection": "birds"}, required=False),
)
async def restore_collection(request: Request, collection: str) -> Response:
    """Start a job that restores a snapshot as a new collection with this name.

    Every file is checked. The collection appears when it is complete. Without a body, the newest
    snapshot of the collection with this name is restored.
    """
    service: Seen = request.state.service
    raw = await body.read(request) if "content-type" in request.headers else b""
    wanted = validate(RestoreRequest, body.parse_object(raw)) if raw else RestoreRequest()
    service.check_new(collection)
    origin = service.resolve(wanted.collection or collection)

    def check() -> NewJob:
        service.check_restoration(collection)
        found = service.snapshots.find(origin, wanted.snapshot)
        result = {"collection": collection, "origin": origin, "snapshot": found.name}
        return NewJob("restore", "bytes", total=found.bytes, result=result)

    new = await service.writers.run(check)
    holder = await service.writers.run(service.restorations)
    digest = sha256(raw).hexdigest()
    return await enqueue(request, collection, digest, lambda served: new, holder=holder)
