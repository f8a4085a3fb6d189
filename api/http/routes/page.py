"""The HTML pages for searches, documents and unknown paths. They need no JavaScript."""

from __future__ import annotations

from typing import Any, get_args

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ....core import NotFoundError, TwindexError
from ....core.near import nearest
from ....search import Fusion
from ....search.stages import METHODS as FEEDBACK_METHODS
from ...pages import arranging, comparing, conditions, document, home, links
from ...pages.ask import AskForm
from ...pages.form import Form
from ...pages.results import QueryWords, result
from ...pages.templates import render
from ...serving.access.seen import Seen
from ...serving.calls import Calls
from ...serving.limits.deadline import Deadline
from ...serving.limits.work import check_query
from ...serving.problems import Problem, answer, problem_of
from ...serving.served import Served
from ..admission import search_deadline

router = APIRouter(include_in_schema=False)

FEEDBACK = tuple(FEEDBACK_METHODS)
METHODS = get_args(Fusion.model_fields["method"].annotation)


@router.get("/", response_class=HTMLResponse)
async def search_page(request: Request) -> Response:
    """Show the search form and, below the form, the hits of the query or the collections."""
    service: Seen = request.state.service
    deadline = search_deadline(request)
    collections = await service.readers.run(service.collections)
    form = Form.read(request.query_params)
    form.collection = form.collection or home.first_ready(collections)
    page: dict[str, Any] = {
        "may": service.access.allowed,
        "form": form,
        "compare": comparing.fields_of(form),
        "methods": METHODS,
        "feedback_methods": FEEDBACK,
        "operators": conditions.OPERATORS,
        "collections": collections,
        "cards": None,
        "legs": {},
        "changed": [],
        "active": [],
        "fields": {},
        "languages": [],
        "orders": [],
        "counted": [],
        "rerankers": service.rerankers.names,
        "rewriters": service.rewriters.names,
        "result": None,
        "problem": None,
        "near": None,
    }
    status = 200
    try:
        if form.collection:
            await _fill(request, form, page, deadline)
    except (TwindexError, Problem) as error:
        problem = problem_of(error, service.root)
        page["problem"], status = problem, problem.status
        page["near"] = nearest(form.collection, (one.name for one in collections))
    if page["result"] is None and (status == 404 or not form.query.strip()):
        page["cards"] = await service.readers.run(home.cards, collections)
    return await service.readers.run(render, "search.html", page, status)


async def _fill(request: Request, form: Form, page: dict[str, Any], deadline: Deadline) -> None:
    """Add the collection's legs and metadata fields, and the result of the search, to `page`."""
    calls: Calls = request.state.calls
    page |= await calls.read(form.collection, lambda served: _options(served, form), deadline)
    form.add_condition(page["fields"])
    form.read_filters(page["fields"])
    page["active"] = [
        {"text": one["text"], "link": form.filtered(one["without"])}
        for one in conditions.active(conditions.parse(form.filter))
    ]
    page["counted"] = counts = arranging.counted(form.facets, page["fields"])
    page["orders"] = arranging.orders(page["fields"], form.sort)
    if form.query.strip() or form.browses:
        page["result"] = await calls.search(
            form.collection,
            lambda served: form.request(served.ready()[0].config.legs, counts),
            deadline,
            lambda served, wanted, found: result(
                served.ready()[0], form, wanted, found, deadline.guard
            ),
        )


def _options(served: Served, form: Form) -> dict[str, Any]:
    """Return the values of the form that depend on the collection: legs, fields and languages."""
    opened, _ = served.ready()
    legs = form.shown_legs(opened.config.legs, served.encoders)
    return {
        "legs": legs,
        "changed": form.changed(legs),
        "fields": opened.fields(),
        "languages": form.languages(opened.languages.values()),
    }


@router.get("/document", response_class=HTMLResponse)
async def document_page(request: Request) -> Response:
    """Show a document.

    Query parameters:

    - `collection`, `id`: collection and id of the document.
    - `start`, `end`: character offsets of a passage to mark.
    - `q`: query whose words the page marks.
    - `language`: language of the query.
    - `from`: "ask" if a link of the answer page leads here.
    """
    service: Seen = request.state.service
    given, deadline = request.query_params, search_deadline(request)
    collection, name = given.get("collection", ""), given.get("id", "")
    page: dict[str, Any] = {
        "may": service.access.allowed,
        "collection": collection,
        "id": name,
        "query": given.get("q", ""),
        "document": None,
        "problem": None,
        "raw": links.raw_address(collection, name),
        "back": Form(collection, given.get("q", ""), given.get("language", "")).link(0),
        "asked": AskForm(collection).new() if given.get("from") == "ask" else "",
    }
    status = 200
    try:
        span = _span(given)
        check_query(request.app.state.settings, page["query"], "q")
        work = service.read(collection, lambda served: _document(served, name, page["query"], span))
        page["document"] = await deadline.wait(work)
    except (TwindexError, Problem) as error:
        problem = problem_of(error, service.root)
        page["problem"], status = problem, problem.status
    return await service.readers.run(render, "document.html", page, status)


def _document(
    served: Served, name: str, query: str, span: tuple[int, int] | None
) -> dict[str, Any]:
    opened, _ = served.ready()
    if not name:
        raise NotFoundError("the parameter `id` is missing; add the id of a document")
    found = opened.get(name)
    words = QueryWords(opened, query)
    in_text, in_title = words.of(found)
    shown = document.shown(found, span, in_text, in_title)
    return {**shown, "languages": words.languages(found)}


def _span(given: QueryParams) -> tuple[int, int] | None:
    """Return (start, end) of the passage to mark; None if both parameters are missing.

    Raises Problem 422 for an invalid parameter.
    """
    if "start" not in given and "end" not in given:
        return None
    values = []
    for name in ("start", "end"):
        text = given.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            message = f"must be a whole number of at least 0, got {text[:40]!r}"
            errors = [{"field": name, "message": message}]
            raise Problem(422, f"{name} {message}", errors=errors)
        values.append(int(text))
    return values[0], values[1]


async def unknown_page(request: Request, error: HTTPException) -> Response:
    """Return a page for an unknown path if a browser requests it, else problem details."""
    if error.status_code != 404 or "text/html" not in request.headers.get("accept", ""):
        return await answer(request, error)
    service: Seen = request.state.service
    root: str = request.app.state.settings.root_path
    path: str = request.scope["path"]
    depth = request.scope.get("raw_path", path.encode()).count(b"/") - root.count("/")
    page: dict[str, Any] = {
        "path": path.removeprefix(root)[:200],
        "up": "../" * (depth - 1) or "./",
    }
    page["may"] = service.access.allowed
    return await service.readers.run(render, "missing.html", page, 404)
