"""Re-embedding of collections: start, confirm, roll back."""

from __future__ import annotations

from hashlib import sha256

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ...serving.access.seen import Seen
from ...serving.operations.reembedding import wanted
from ...serving.operations.requests import ReembedRequest
from ...serving.problems import validate
from ...serving.served import Served
from .. import body
from ..idempotency import NewJob, enqueue
from ..openapi import json_body, problems
from ..render import json_response
from ..shapes.schemas import JobReply
from ..shapes.upkeep import Changed
from ..strict import StrictRoute

router = APIRouter(tags=["collections"], route_class=StrictRoute)

_EXAMPLE = {
    "legs": {"dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "all-MiniLM-L12-v2"}}}
}


@router.post(
    "/v1/collections/{collection}/reembed",
    status_code=202,
    responses={202: {"model": JobReply}, **problems(400, 404, 409, 413, 415, 422, 429, 503)},
    openapi_extra=json_body(ReembedRequest, _EXAMPLE),
)
async def reembed_collection(request: Request, collection: str) -> Response:
    """Start a job that encodes all documents again, while searches and writes continue.

    The new collection replaces the old one in one step. The old one is kept until it is confirmed
    or rolled back.
    """
    service: Seen = request.state.service
    _ = service.reembedding  # Refuses keys that may not change the whole collection.
    raw = await body.read(request)
    parsed = validate(ReembedRequest, body.parse_object(raw))
    legs = parsed.model_dump(mode="json")["legs"]

    def check(served: Served) -> NewJob:
        opened, _ = served.ready()
        service.check_models(wanted(opened.config, legs))
        return NewJob("reembed", "documents", result={"legs": legs})

    return await enqueue(request, collection, sha256(raw).hexdigest(), check)


@router.post(
    "/v1/collections/{collection}/reembed/confirm",
    responses={200: {"model": Changed}, **problems(404, 409, 429, 503)},
)
async def confirm_reembedding(request: Request, collection: str) -> Response:
    """Remove the collection that the last re-embedding has replaced."""
    service: Seen = request.state.service
    confirm = service.reembedding.confirm
    done = await service.write(collection, lambda served: confirm(served.whole or served))
    return json_response({"changed": done})


@router.post(
    "/v1/collections/{collection}/reembed/roll-back",
    responses={200: {"model": Changed}, **problems(404, 409, 429, 503)},
)
async def roll_back_reembedding(request: Request, collection: str) -> Response:
    """Bring back the collection that the last re-embedding has replaced.

    Documents that were written since are lost.
    """
    service: Seen = request.state.service
    roll_back = service.reembedding.roll_back
    done = await service.write(collection, lambda served: roll_back(served.whole or served))
    return json_response({"changed": done})
