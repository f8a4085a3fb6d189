"""The answer page. It needs no JavaScript: the server then writes the whole answer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ....core import InvalidInputError, TwindexError
from ....core.answers import Answer
from ...answered import TOO_LONG
from ...pages.ask import WORDS, AskForm, asked_before, view
from ...pages.home import first_ready
from ...pages.templates import render
from ...serving.access.seen import Seen
from ...serving.calls import Calls
from ...serving.limits.deadline import Deadline
from ...serving.problems import Problem, problem_of
from ..admission import answer_deadline

router = APIRouter(include_in_schema=False)


@router.get("/ask", response_class=HTMLResponse)
async def ask_page(request: Request) -> Response:
    """Show the form for questions and, below the form, the answer to its question."""
    service: Seen = request.state.service
    deadline = answer_deadline(request)
    collections = await service.readers.run(service.collections)
    form = AskForm.read(request.query_params)
    form.collection = form.collection or first_ready(collections)
    page: dict[str, Any] = {
        "may": service.access.allowed,
        "form": form,
        "words": WORDS,
        "collections": collections,
        "generators": service.generators.statuses(),
        "rerankers": service.rerankers.names,
        "rewriters": service.rewriters.names,
        "backgrounds": service.generators.backgrounds.names,
        "turns": form.turns,
        "earlier": asked_before(form),
        "answer": None,
        "problem": None,
    }
    status = 200
    try:
        # A link on another site must not start a language model. It only fills the form.
        if form.question.strip() and request.headers.get("sec-fetch-site") != "cross-site":
            answer, unsent = await _answered(request.state.calls, form, deadline)
            page["answer"] = view(form, answer, unsent)
            page["turns"] = form.following(answer.text)
    except (TwindexError, Problem) as error:
        problem = problem_of(error, service.root)
        page["problem"], status = problem, problem.status
    return await service.readers.run(render, "ask.html", page, status)


async def _answered(calls: Calls, form: AskForm, deadline: Deadline) -> tuple[Answer, int]:
    """Return the answer to the question of a form, and the number of turns that were not sent.

    While the turns leave no tokens for sources, the oldest turns are removed from the form.
    """
    given = len(form.turns)
    while True:
        try:
            answer = await calls.answer(
                form.collection, form.request(), deadline, lambda whole: whole
            )
        except InvalidInputError as error:
            if error.field not in TOO_LONG or not form.turns:
                raise
            del form.turns[:2]
        else:
            return answer, given - len(form.turns)
