"""Aliases of collections: list, change, delete."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ...serving.access.seen import Seen
from ...serving.operations.requests import AliasRequest
from ...serving.problems import validate
from .. import body
from ..openapi import json_body, problems
from ..render import json_response
from ..shapes.upkeep import AliasList
from ..strict import StrictRoute

router = APIRouter(tags=["collections"], route_class=StrictRoute)

_EXAMPLE = {
    "actions": [
        {"action": "set", "alias": "birds", "collection": "birds-2"},
        {"action": "delete", "alias": "old-birds"},
    ]
}


@router.get("/v1/aliases", responses={200: {"model": AliasList}, **problems(429, 503)})
async def list_aliases(request: Request) -> Response:
    """List all aliases. An alias can be used wherever the name of a collection can."""
    service: Seen = request.state.service
    return _reply(await service.readers.run(service.aliases))


@router.post(
    "/v1/aliases",
    responses={200: {"model": AliasList}, **problems(400, 404, 409, 413, 415, 422, 429, 503)},
    openapi_extra=json_body(AliasRequest, _EXAMPLE),
)
async def change_aliases(request: Request) -> Response:
    """Set, move and delete aliases, all at once or none. Reply with all aliases.

    A request that is in progress keeps the collection with which it began.
    """
    service: Seen = request.state.service
    wanted = validate(AliasRequest, body.parse_object(await body.read(request)))
    actions = [(one.alias, one.collection) for one in wanted.actions]
    request.state.audit["aliases"] = [list(pair) for pair in actions[:100]]
    return _reply(await service.writers.run(service.change_aliases, actions))


@router.delete("/v1/aliases/{alias}", status_code=204, responses=problems(404, 409, 429, 503))
async def delete_alias(request: Request, alias: str) -> Response:
    """Delete an alias. Its collection stays."""
    service: Seen = request.state.service
    await service.writers.run(service.change_aliases, [(alias, None)])
    return Response(status_code=204)


def _reply(aliases: Mapping[str, str]) -> Response:
    found = [{"alias": alias, "collection": name} for alias, name in aliases.items()]
    return json_response({"aliases": found})
