"""What the routes of the pages share: the values of every page, forms, and redirections."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .....core import ConflictError, TwindexError
from ....pages.templates import HEADERS, render
from ....serving.access.seen import Seen
from ....serving.problems import Problem, problem_of
from ... import body

FORM = ("application/x-www-form-urlencoded",)
FIELDS = 200
"""Maximum number of fields of a form."""
TOKENS = 1_000
"""Number of used tokens that are remembered."""

Fill = Callable[[], Awaitable[Mapping[str, Any]]]
"""Returns the values of a page."""


async def show(
    request: Request, template: str, values: Mapping[str, Any], fill: Fill, status: int = 200
) -> Response:
    """Return a page. A refusal of `fill` is shown on the page, as `problem`.

    values: values of the page if `fill` fails.
    """
    service: Seen = request.state.service
    page: dict[str, Any] = {"may": service.access.allowed, "problem": None, **values}
    try:
        page |= await fill()
    except (TwindexError, Problem) as error:
        page["problem"] = problem = problem_of(error, service.root)
        status = problem.status
    return await service.readers.run(render, template, page, status)


async def refused(
    request: Request,
    template: str,
    values: Mapping[str, Any],
    error: TwindexError | Problem,
    fill: Fill | None = None,
) -> Response:
    """Return the page of a form that was refused, with the fields as the user entered them."""
    problem = problem_of(error, request.state.service.root)
    given = {**values, "problem": problem}

    async def filled() -> Mapping[str, Any]:
        return {} if fill is None else {**await fill(), "problem": problem}

    return await show(request, template, given, filled, problem.status)


async def fields_of(request: Request) -> QueryParams:
    """Return the fields of a form. Raises Problem for a body that is no form, or is too large."""
    raw = await body.read(request, FORM)
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS,
        )
    except ValueError:
        raise Problem(400, "the body is not a form in UTF-8") from None
    return QueryParams(pairs)


def go(path: str, fields: Mapping[str, str]) -> Response:
    """Return a redirection to a page, so that a reload does not send the form again."""
    query = f"?{urlencode(fields)}" if fields else ""
    return RedirectResponse(path + query, 303, dict(HEADERS))


class Tokens:
    """One token for each form that must take effect once, such as the creation of a key.

    It has no lock, because only the event loop uses it.
    """

    def __init__(self) -> None:
        self._used: OrderedDict[str, None] = OrderedDict()

    @staticmethod
    def new() -> str:
        """Return a token for a new form."""
        return secrets.token_urlsafe(16)

    def use(self, token: str, remedy: str) -> None:
        """Raise ConflictError, with the remedy, if the form with this token was sent before."""
        if not token or token in self._used:
            raise ConflictError(f"this form was sent before; {remedy}")
        self._used[token] = None
        while len(self._used) > TOKENS:
            self._used.popitem(last=False)
