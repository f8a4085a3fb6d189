"""The page that compares two pipelines on one query."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .....core import TwindexError
from .....core.near import nearest
from ....pages import comparing, home
from ....pages.comparing import SIDES, Comparison
from ....pages.form import Form
from ....pages.templates import render
from ....serving.access.seen import Seen
from ....serving.calls import Calls
from ....serving.limits.deadline import Deadline
from ....serving.problems import Problem, problem_of
from ....serving.served import Served
from ...admission import search_deadline
from ..page import FEEDBACK, METHODS

router = APIRouter()


@router.get("/compare", response_class=HTMLResponse)
async def compare_page(request: Request) -> Response:
    """Show the forms of two pipelines and, below them, their hits beside each other."""
    service: Seen = request.state.service
    deadline = search_deadline(request)
    collections = await service.readers.run(service.collections)
    compared = Comparison.read(request.query_params)
    if not compared.a.collection:
        compared = compared.with_collection(home.first_ready(collections))
    forms = {"a": compared.a, "b": compared.b}
    page: dict[str, Any] = {
        "at": "compare",
        "may": service.access.allowed,
        "form": compared.a,
        "forms": forms,
        "compared": compared,
        "collections": collections,
        "methods": METHODS,
        "feedback_methods": FEEDBACK,
        "rerankers": service.rerankers.names,
        "rewriters": service.rewriters.names,
        "legs": {},
        "languages": [],
        "results": {},
        "problems": {},
        "agreement": None,
        "problem": None,
        "near": None,
    }
    status = 200
    calls: Calls = request.state.calls
    try:
        if compared.a.collection:
            found = await calls.read(
                compared.a.collection, lambda served: _options(served, forms), deadline
            )
            page |= found
    except (TwindexError, Problem) as error:
        problem = problem_of(error, service.root)
        page["problem"], status = problem, problem.status
        page["near"] = nearest(compared.a.collection, (one.name for one in collections))
    else:
        if compared.a.query.strip():
            for side in SIDES:  # One after the other, so that the times do not affect each other.
                try:
                    page["results"][side] = await _searched(calls, forms[side], deadline)
                except (TwindexError, Problem) as error:
                    problem = problem_of(error, service.root)
                    page["problems"][side], status = problem, problem.status
            if not page["problems"]:
                page["agreement"] = comparing.agreement(*page["results"].values())
    return await service.readers.run(render, "compare.html", page, status)


async def _searched(calls: Calls, form: Form, deadline: Deadline) -> dict[str, Any]:
    shown = 0

    def read(served: Served) -> Any:
        nonlocal shown
        request = form.request(served.ready()[0].config.legs)
        shown = request.limit
        return comparing.deepened(request.model_copy(update={"suggest": False}))

    return await calls.search(
        form.collection,
        read,
        deadline,
        lambda served, wanted, found: comparing.side(
            served.ready()[0], form, shown, found, deadline.guard
        ),
    )


def _options(served: Served, forms: dict[str, Form]) -> dict[str, Any]:
    """Return the legs of the collection for both forms, and its languages."""
    opened, _ = served.ready()
    config = opened.config.legs
    legs = {side: form.shown_legs(config, served.encoders) for side, form in forms.items()}
    return {"legs": legs, "languages": forms["a"].languages(opened.languages.values())}
