"""The list of documents of a collection, and the forms that write and delete one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .....core import InvalidInputError, NotFoundError, TwindexError
from .....core.errors import shown
from .....core.filters import parse_filter
from .....sources import CheckedDocuments
from ....pages import conditions
from ....pages.upkeep.collections import page_of
from ....pages.upkeep.documents import Edit, row
from ....serving.access.seen import Seen
from ....serving.problems import Problem
from ....serving.served import Served
from ... import cursor
from .frame import fields_of, go, refused, show

router = APIRouter()

LISTED = 50
"""Maximum number of documents on a page."""


@router.get("/documents", response_class=HTMLResponse)
async def documents_page(request: Request) -> Response:
    """List documents by ascending id.

    Query parameters: `collection`, `filter` (JSON), and `cursor`, the end of the page before.
    """
    service: Seen = request.state.service
    given = request.query_params
    name, text, at = (given.get(one, "") for one in ("collection", "filter", "cursor"))
    deleted, most = given.get("deleted", ""), request.app.state.settings.page_bytes
    values = {
        "at": "collections",
        "name": name,
        "filter": text,
        "cursor": at,
        "link": page_of(name),
        "add": "edit-document?" + urlencode({"collection": name}),
        "first": "documents?" + urlencode({"collection": name, "filter": text}),
        "rows": None,
        "total": 0,
        "next": None,
        "deleted": "",
    }

    def read(served: Served) -> dict[str, Any]:
        opened, _ = served.ready()
        condition = conditions.parse(text)
        where = parse_filter(condition)
        after = cursor.decode(at, condition) if at else None
        found = opened.documents(after=after, limit=LISTED, filter=where, most_bytes=most)
        last = found[-1].id if found else None
        more = last is not None and bool(opened.documents(after=last, limit=1, filter=where))
        following = {"collection": name, "filter": text}
        if last is not None:
            following["cursor"] = cursor.encode(last, condition)
        return {
            "rows": [row(name, document) for document in found],
            "total": opened.count(where),
            "next": f"documents?{urlencode(following)}" if more else None,
            "deleted": deleted if deleted and not _exists(served, deleted) else "",
        }

    async def fill() -> Mapping[str, Any]:
        return await service.read(name, read)

    return await show(request, "upkeep/documents.html", values, fill)


def _exists(served: Served, name: str) -> bool:
    try:
        served.ready()[0].get(name)
    except TwindexError:
        return False
    return True


@router.get("/edit-document", response_class=HTMLResponse)
async def edit_page(request: Request) -> Response:
    """Show the form of a document; without the parameter `id`, that of a new document."""
    service: Seen = request.state.service
    name = request.query_params.get("collection", "")
    document = request.query_params.get("id", "")
    blank = Edit(collection=name)

    async def fill() -> Mapping[str, Any]:
        if not document:
            await service.served(name)
            return {}
        found = await service.read(name, lambda served: served.ready()[0].get(document))
        return {"edit": Edit.of(name, found)}

    return await show(request, "upkeep/edit.html", {"at": "collections", "edit": blank}, fill)


@router.post("/put-document")
async def put_from_page(request: Request) -> Response:
    """Write the document of a form, if nobody changed it since the form was opened."""
    service: Seen = request.state.service
    edit = Edit()
    try:
        edit = Edit.read(await fields_of(request))
        request.state.audit.update(collection=edit.collection, id=edit.id[:512])
        if not edit.id:
            raise InvalidInputError("is missing; enter an id for the document", field="id")

        def write(served: Served) -> None:
            opened, _ = served.ready()
            try:
                stored = opened.get(edit.id)
            except NotFoundError:
                stored = None
            report = opened.add(CheckedDocuments([edit.document(stored)]))
            request.state.calls.count(report.usage)

        await service.write(edit.collection, write)
    except (TwindexError, Problem) as error:
        values = {"at": "collections", "edit": edit}
        return await refused(request, "upkeep/edit.html", values, error)
    return go("document", {"collection": edit.collection, "id": edit.id})


@router.post("/delete-document")
async def delete_document_from_page(request: Request) -> Response:
    """Delete a document."""
    service: Seen = request.state.service
    name = document = ""
    try:
        given = await fields_of(request)
        name, document = given.get("collection", ""), given.get("id", "")
        request.state.audit.update(collection=name, id=document[:512])
        if not await service.write(name, lambda served: served.ready()[0].delete([document])):
            raise NotFoundError(f"no document {shown(document)} in collection {shown(name)}")
    except (TwindexError, Problem) as error:
        values = {"at": "collections", "edit": Edit(collection=name, id=document)}
        return await refused(request, "upkeep/edit.html", values, error)
    return go("documents", {"collection": name, "deleted": document})
