"""Jobs: long work that continues after the reply."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ...serving.access.seen import Seen
from ..openapi import problems
from ..render import job, json_response
from ..shapes.schemas import JobList, JobReply
from ..strict import StrictRoute

router = APIRouter(tags=["jobs"], route_class=StrictRoute)


@router.get("/v1/jobs", responses={200: {"model": JobList}, **problems(429)})
async def list_jobs(request: Request) -> Response:
    """List the latest jobs of all collections, newest first."""
    service: Seen = request.state.service
    found = await service.readers.run(service.jobs)
    return json_response({"jobs": [job(*pair) for pair in found]})


@router.get("/v1/jobs/{id}", responses={200: {"model": JobReply}, **problems(404, 429, 503)})
async def get_job(request: Request, id: str) -> Response:  # noqa: A002
    """Return one job with its state, progress and result."""
    service: Seen = request.state.service
    return json_response(job(*await service.readers.run(service.job, id)))
