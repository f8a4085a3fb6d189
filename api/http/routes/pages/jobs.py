"""The page of jobs. Its list is loaded again while a job runs."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ....pages.upkeep.jobs import rows
from ....serving.access.seen import Seen
from .frame import show

router = APIRouter()


@router.get("/jobs", response_class=HTMLResponse)
async def jobs_page(request: Request) -> Response:
    """List the latest jobs. With `part=list`, return only the list, for the script of the page."""
    service: Seen = request.state.service

    async def fill() -> Mapping[str, object]:
        found = rows(await service.readers.run(service.jobs))
        return {"rows": found, "running": sum(not one["finished"] for one in found)}

    part = request.query_params.get("part") == "list"
    template = "upkeep/jobs_list.html" if part else "upkeep/jobs.html"
    return await show(request, template, {"at": "jobs", "rows": [], "running": 0}, fill)
