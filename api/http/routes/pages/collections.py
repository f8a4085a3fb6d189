"""The pages of all collections and of one collection, with the forms that maintain it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .....core import InvalidInputError, TwindexError
from ....pages.upkeep import collections as view
from ....serving.access.seen import Seen
from ....serving.problems import Problem
from ...idempotency import NewJob, enqueue
from .frame import fields_of, go, refused, show

router = APIRouter()


@router.get("/collections", response_class=HTMLResponse)
async def collections_page(request: Request) -> Response:
    """List the collections with their states and sizes."""
    service: Seen = request.state.service
    deleted = request.query_params.get("deleted", "")

    def read() -> dict[str, Any]:
        rows = view.listed(service.collections(), service.aliases())
        gone = deleted if all(row["name"] != deleted for row in rows) else ""
        return {"rows": rows, "deleted": gone}

    async def fill() -> Mapping[str, Any]:
        return await service.readers.run(read)

    return await show(
        request, "upkeep/collections.html", {"at": "collections", "rows": [], "deleted": ""}, fill
    )


def _one(request: Request, name: str) -> Any:
    service: Seen = request.state.service

    async def fill() -> Mapping[str, Any]:
        if not name:
            raise InvalidInputError("is missing; choose a collection", field="name")
        served = await service.served(name)
        if served.collection is None:  # Such as a damaged one, which can be deleted.
            return {"collection": view.shown(served)}
        return {"collection": await service.read(name, view.shown)}

    return fill


@router.get("/collection", response_class=HTMLResponse)
async def collection_page(request: Request) -> Response:
    """Show the contents, parts and health of a collection. Query parameter: `name`."""
    name = request.query_params.get("name", "")
    values = {"at": "collections", "name": name, "collection": None}
    return await show(request, "upkeep/collection.html", values, _one(request, name))


@router.post("/merge-collection")
async def merge_from_page(request: Request) -> Response:
    """Start a job that merges the segments of a collection."""
    name = ""
    try:
        name = (await fields_of(request)).get("name", "")
        request.state.audit["collection"] = name
        new = NewJob("merge", "passages")
        await enqueue(request, name, "merge", lambda served: new)
    except (TwindexError, Problem) as error:
        return await _refused(request, name, error)
    return go("jobs", {})


@router.post("/delete-collection")
async def delete_from_page(request: Request) -> Response:
    """Delete a collection whose name the user has typed."""
    service: Seen = request.state.service
    name = ""
    try:
        given = await fields_of(request)
        name = given.get("name", "")
        request.state.audit["collection"] = name
        if not name or given.get("confirm", "").strip() != name:
            raise InvalidInputError(
                f"must be the name of the collection, {name!r}; nothing was deleted",
                field="confirm",
            )
        await service.writers.run(service.delete, name)
    except (TwindexError, Problem) as error:
        return await _refused(request, name, error)
    return go("collections", {"deleted": name})


async def _refused(request: Request, name: str, error: TwindexError | Problem) -> Response:
    values = {"at": "collections", "name": name, "collection": None}
    fill = _one(request, name) if name else None
    return await refused(request, "upkeep/collection.html", values, error, fill)
