"""Collections: create, list, describe, delete, merge, reconfigure."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....index import CollectionConfig
from ....search import ReconfigureRequest
from ...serving.access.seen import Seen
from ...serving.problems import validate
from ...serving.served import Served, summary
from .. import body
from ..idempotency import NewJob, enqueue
from ..openapi import json_body, problems
from ..render import json_response
from ..shapes.schemas import CollectionInfo, CollectionList, JobReply
from ..strict import StrictRoute

router = APIRouter(tags=["collections"], route_class=StrictRoute)

_EXAMPLE = {
    "legs": {
        "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "all-MiniLM-L6-v2"}},
        "lexical": {"kind": "lexical", "encoder": {"kind": "analyzer", "language": "en"}},
    }
}

_STORED = {
    "legs": {"dense": {"index": {"kind": "hnsw", "recall": 0.95}, "codec": {"kind": "int8"}}}
}


@router.get("/v1/collections", responses={200: {"model": CollectionList}, **problems(429)})
async def list_collections(request: Request) -> Response:
    """List all collections, including those that cannot be used."""
    service: Seen = request.state.service
    summaries = await service.readers.run(lambda: [summary(s) for s in service.collections()])
    return json_response({"collections": summaries})


@router.put(
    "/v1/collections/{collection}",
    responses={
        200: {
            "model": CollectionInfo,
            "description": "The collection already exists with this configuration",
        },
        201: {"model": CollectionInfo},
        **problems(400, 409, 413, 415, 422, 429, 503),
    },
    openapi_extra=json_body(CollectionConfig, _EXAMPLE, required=False),
)
async def create_collection(request: Request, collection: str) -> Response:
    """Create a collection. Without a body, it gets a dense, a sparse and a lexical leg.

    The reply is sent after the models are loaded.
    """
    service: Seen = request.state.service
    config = CollectionConfig()
    announced = request.headers.get("content-length", "0") != "0"
    if (announced or "content-type" in request.headers) and (raw := await body.read(request)):
        config = validate(CollectionConfig, body.parse_object(raw))

    def create() -> tuple[dict[str, Any], bool]:
        served, created = service.create(collection, config)
        return _description(served), created

    description, created = await service.writers.run(create)
    location = {"Location": f"/v1/collections/{collection}"}
    return json_response(description, 201 if created else 200, location if created else {})


@router.get(
    "/v1/collections/{collection}",
    responses={200: {"model": CollectionInfo}, **problems(404, 409, 429, 503)},
)
async def describe_collection(request: Request, collection: str) -> Response:
    """Return the counts, sizes and segments of a collection, its legs, and its configuration."""
    service: Seen = request.state.service
    return json_response(await service.read(collection, _description))


@router.delete("/v1/collections/{collection}", status_code=204, responses=problems(404, 409, 429))
async def delete_collection(request: Request, collection: str) -> Response:
    """Delete a collection and its files."""
    service: Seen = request.state.service
    await service.writers.run(service.delete, collection)
    return Response(status_code=204)


@router.post(
    "/v1/collections/{collection}/merge",
    status_code=202,
    responses={202: {"model": JobReply}, **problems(404, 409, 422, 429, 503)},
)
async def merge_collection(request: Request, collection: str) -> Response:
    """Start a job that merges all segments into one and releases the space of deleted documents."""
    new = NewJob("merge", "passages")
    return await enqueue(request, collection, "merge", lambda served: new)


@router.post(
    "/v1/collections/{collection}/reconfigure",
    status_code=202,
    responses={202: {"model": JobReply}, **problems(400, 404, 409, 413, 415, 422, 429, 503)},
    openapi_extra=json_body(ReconfigureRequest, _STORED),
)
async def reconfigure_collection(request: Request, collection: str) -> Response:
    """Start a job that changes how the vectors of dense legs are stored.

    Nothing is encoded again, and searches and writes continue meanwhile. For each leg in the body,
    the whole configuration of vector storage is replaced: absent fields get their defaults.
    """
    raw = await body.read(request)
    parsed = validate(ReconfigureRequest, body.parse_object(raw))
    wanted = parsed.model_dump(mode="json")

    def check(served: Served) -> NewJob:
        opened, _ = served.ready()
        opened.check_reconfigure(parsed.legs)  # Invalid requests fail before a job starts.
        return NewJob("reconfigure", "passages", result=wanted)

    return await enqueue(request, collection, sha256(raw).hexdigest(), check)


def _description(served: Served) -> dict[str, Any]:
    opened, _ = served.ready()
    info = opened.info()
    del info["path"]  # Replies do not show where the server stores its data.
    return {"name": served.name, "status": served.status, **info}
