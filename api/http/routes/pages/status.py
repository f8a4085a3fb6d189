"""The page of the server's status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ....pages.upkeep.status import shown
from ....serving.access.seen import Seen
from ....serving.measuring.info import describe
from ..operations import health_of
from .frame import show

router = APIRouter()


@router.get("/status", response_class=HTMLResponse)
async def status_page(request: Request) -> Response:
    """Show the version, models, collections, thread pools and disk of the server."""
    service: Seen = request.state.service
    state = request.app.state

    def read() -> dict[str, Any]:
        info = describe(service, state.settings, keys=state.keyring.required, traces=state.traces)
        return {"found": shown(service, info, health_of(service))}

    async def fill() -> Mapping[str, Any]:
        return await service.watchers.run(read)

    part = request.query_params.get("part") == "state"
    template = "upkeep/status_state.html" if part else "upkeep/status.html"
    return await show(request, template, {"at": "status", "found": None}, fill)
