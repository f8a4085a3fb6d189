"""API keys: list, create, revoke."""

from __future__ import annotations

import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ...serving.access.granting import Granting, KeyRequest, described
from ...serving.access.seen import Seen
from ...serving.problems import validate
from .. import body
from ..openapi import json_body, problems
from ..render import json_response
from ..shapes.upkeep import KeyList, NewKey, StoredKey
from ..strict import StrictRoute

router = APIRouter(tags=["keys"], route_class=StrictRoute)

_EXAMPLE = {"name": "shop", "scopes": ["read"], "collections": ["shop*"]}


@router.get("/v1/keys", responses={200: {"model": KeyList}, **problems(429, 503)})
async def list_keys(request: Request) -> Response:
    """List the keys that may do no more than the key of the request, also revoked ones.

    No secret is listed.
    """
    found = await _seen(request).writers.run(_granting(request).list)
    now = time.time()
    return json_response({"keys": [described(key, now) for key in found]})


@router.post(
    "/v1/keys",
    status_code=201,
    responses={201: {"model": NewKey}, **problems(400, 409, 413, 415, 422, 429, 503)},
    openapi_extra=json_body(KeyRequest, _EXAMPLE),
)
async def create_key(request: Request) -> Response:
    """Create a key, and reply with its secret, once.

    A key cannot create a key that may do more than itself: its scopes, collections, limits and end
    are also those of the new key, unless the request narrows them. Requests of the new key count in
    the limits of both keys. If the reply is lost, revoke the key and create another.
    """
    granting = _granting(request)
    wanted = validate(KeyRequest, body.parse_object(await body.read(request)))
    created = await _seen(request).writers.run(granting.create, wanted)
    request.state.audit["id"] = created.key.id
    secrets = {"key": created.secret, "signing_secret": created.signing}
    reply = json_response({**described(created.key, time.time()), **secrets}, 201)
    reply.headers["Cache-Control"] = "no-store"
    return reply


@router.delete(
    "/v1/keys/{id}", responses={200: {"model": StoredKey}, **problems(404, 409, 422, 429, 503)}
)
async def revoke_key(request: Request, id: str) -> Response:  # noqa: A002 - the path's name
    """Revoke a key. It stays in the list, so that its id in logs can be explained."""
    request.state.audit["id"] = id[:64]
    key = await _seen(request).writers.run(_granting(request).revoke, id)
    return json_response(described(key, time.time()))


def _seen(request: Request) -> Seen:
    service: Seen = request.state.service
    return service


def _granting(request: Request) -> Granting:
    return Granting(request.app.state.keyring, _seen(request).access)
