"""The page of API keys: list, create, revoke."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .....core import TwindexError
from ....pages.upkeep import keys as view
from ....serving.access.granting import Granting, described
from ....serving.access.seen import Seen
from ....serving.problems import Problem
from .frame import Tokens, fields_of, go, refused, show

router = APIRouter()
_tokens = Tokens()


@router.get("/keys", response_class=HTMLResponse)
async def keys_page(request: Request) -> Response:
    """List the keys that may do no more than the key of the request."""
    return await show(request, "upkeep/keys.html", _blank(request), _listed(request))


@router.post("/create-key")
async def create_key_from_page(request: Request) -> Response:
    """Create a key and show its secret, once.

    The reply is the page itself, because the secret must not be part of an address. Its token keeps
    a reload from creating a second key.
    """
    values = _blank(request)
    try:
        given = await fields_of(request)
        values["form"] = view.entered(given)
        wanted = view.request_of(values["form"])
        granting = _granting(request)
        _tokens.use(
            given.get("token", ""),
            "the list shows its key. If its secret was lost, revoke it and create another",
        )
        created = await _seen(request).writers.run(granting.create, wanted)
    except (TwindexError, Problem) as error:
        return await refused(request, "upkeep/keys.html", values, error, _listed(request))
    request.state.audit["id"] = created.key.id
    values |= {
        "form": view.BLANK,
        "created": {
            "name": created.key.name,
            "secret": created.secret,
            "signing": created.signing,
        },
    }
    return await show(request, "upkeep/keys.html", values, _listed(request), 201)


@router.post("/revoke-key")
async def revoke_key_from_page(request: Request) -> Response:
    """Revoke a key."""
    try:
        name = (await fields_of(request)).get("id", "")
        request.state.audit["id"] = name[:64]
        granting = _granting(request)
        await _seen(request).writers.run(granting.revoke, name)
    except (TwindexError, Problem) as error:
        values = _blank(request)
        return await refused(request, "upkeep/keys.html", values, error, _listed(request))
    return go("keys", {})


def _blank(request: Request) -> dict[str, Any]:
    return {
        "at": "keys",
        "rows": [],
        "form": view.BLANK,
        "created": None,
        "token": Tokens.new(),
        "required": request.app.state.keyring.required,
        "own": _seen(request).access.key,
    }


def _listed(request: Request) -> Any:
    async def fill() -> Mapping[str, Any]:
        found = await _seen(request).writers.run(_granting(request).list)
        now = time.time()
        return {"rows": view.listed([described(key, now) for key in found])}

    return fill


def _seen(request: Request) -> Seen:
    service: Seen = request.state.service
    return service


def _granting(request: Request) -> Granting:
    return Granting(request.app.state.keyring, _seen(request).access)
