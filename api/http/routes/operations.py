"""Liveness, readiness and health of the server, its metrics, version and limits.

The probes ignore query parameters: some monitors append their own, and a refusal would take a
healthy server out of rotation.
"""

from __future__ import annotations

from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ...serving.access.seen import Seen
from ...serving.measuring.info import describe
from ...serving.problems import Problem
from ..compat.tei import TeiError
from ..openapi import problems
from ..render import json_response
from ..shapes.operations import Alive, Health, Info
from ..strict import ExactRoute, StrictRoute

router = APIRouter(tags=["operations"], route_class=ExactRoute)
_strict = APIRouter(route_class=StrictRoute)

_ALIVE = b'{"status":"ok"}'


@router.get("/livez", responses={200: {"model": Alive}})
async def live() -> Response:
    """Reply 200 while the process runs."""
    return Response(_ALIVE, media_type="application/json")


@router.get("/readyz", responses={200: {"model": Health}, 503: {"model": Health}})
async def ready(request: Request) -> Response:
    """Reply 200 if the server answers searches: collections and models are loaded. Else 503.

    While writes fail, e.g. because the disk is full, the reply is 200 too, with the status
    "unwritable", `"writable": false` and the reason in `problem`. Searches go on, so the server
    must get them; the metric `twindex_writable` is 0.

    If the model of a reranker or generator does not answer, readiness waits 10 seconds for it.
    Then the reply is 200, and the status of this part stays "loading" until its model answers.

    If the folder of the server is read-only, `writable` is false, but the status can be "ok".

    With several workers, the reply is 200 once all of them have been ready. While a worker is
    replaced, the others reply 200 and the status "degraded".
    """
    health = await to_thread.run_sync(health_of, request.state.service)
    return json_response(health, 503 if health["status"] == "loading" else 200)


@router.get("/healthz", responses={200: {"model": Health}, 503: {"model": Health}})
async def healthy(request: Request) -> Response:
    """Return the same reply as `/readyz`, but require the API key.

    The status "degraded" means that a collection or a part, such as a reranker, cannot be used.
    """
    return await ready(request)


@router.get(
    "/health",
    response_class=Response,
    responses={
        200: {"description": "The server is ready"},
        503: {"model": TeiError},
    },
)
async def health(request: Request) -> Response:
    """Reply 200 without a body if `/readyz` replies 200, else 503.

    This is the health check of text-embeddings-inference, which needs no API key.
    """
    found = await to_thread.run_sync(health_of, request.state.service)
    if found["status"] == "loading":
        raise Problem(503, "the server is loading", headers={"Retry-After": "5"})
    return Response(status_code=200)


@_strict.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(422, 429),
    },
)
async def metrics(request: Request) -> Response:
    """Return the metrics of the server in the text format of Prometheus.

    A key must see all collections, because metrics name them.
    """
    if not request.state.service.access.sees_all:
        raise Problem(403, "metrics need a key that sees all collections")
    text = await request.state.service.watchers.run(request.app.state.metrics.text)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


@_strict.get("/v1/info", responses={200: {"model": Info}, **problems(429)})
async def info(request: Request) -> Response:
    """Return the version, features, models and limits of this server, as the key may see them.

    A key with the scope "admin" that sees all collections gets the settings too, without secrets.
    """
    state = request.app.state
    described = describe(
        request.state.service,
        state.settings,
        keys=state.keyring.required,
        traces=state.traces,
    )
    return json_response(described)


router.include_router(_strict)


def health_of(service: Seen) -> dict[str, Any]:
    """Return the state of the server and of its parts, as `GET /healthz` does."""
    statuses = {served.name: served.status for served in service.known()}
    rerankers, generators = service.rerankers.statuses(), service.generators.statuses()
    backgrounds = service.generators.backgrounds.statuses()
    rewriters = service.rewriters.statuses()
    writable = service.writable()
    place = service.place
    workers = {} if place is None else place.board.states()
    complete = all(state == "ready" for state in workers.values())
    if service.loading or not (complete or (place is not None and place.board.began)):
        status = "loading"
    elif writable.problem is not None and not writable.intended:
        status = "unwritable"
    else:
        parts = (statuses, rerankers, generators, backgrounds, rewriters)
        every = [status for part in parts for status in part.values()]
        ready = complete and service.healthy and all(status == "ready" for status in every)
        status = "ok" if ready else "degraded"
    return {
        "status": status,
        "writable": writable.problem is None,
        "problem": writable.problem,
        "collections": statuses,
        "rerankers": rerankers,
        "generators": generators,
        "backgrounds": backgrounds,
        "rewriters": rewriters,
        **({"workers": workers} if workers else {}),
    }
