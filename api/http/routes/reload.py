"""Reload the rerankers, generators and rewriters of the server."""

from __future__ import annotations

from dataclasses import asdict

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ...serving.access.seen import Seen
from ..openapi import problems
from ..render import json_response
from ..shapes.operations import Reloaded
from ..strict import StrictRoute

router = APIRouter(tags=["operations"], route_class=StrictRoute)


@router.post("/v1/reload", responses={200: {"model": Reloaded}, **problems(409)})
async def reload(request: Request) -> Response:
    """Read the operator's files of rerankers, generators and rewriters again.

    The request cannot name a file. New and changed parts are loaded before they replace others, and
    the reply is sent then. If a file is wrong or a model cannot be loaded, the reply is 409 with
    the reason, and everything stays as it is. A key must see all collections.
    """
    service: Seen = request.state.service
    found = await to_thread.run_sync(service.reloading.run)
    return json_response({table: asdict(changes) for table, changes in found.items()})
