"""A refused request as a page, for people in a browser."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from ...pages.templates import render
from ...serving.access.access import Access
from ...serving.problems import Problem
from ..keys import is_for_programs

_HEADINGS = {
    401: "This server requires a key",
    403: "Not allowed",
    429: "Too many requests",
    503: "Not available now",
}


def refusal_page(
    problem: Problem, path: str, headers: Mapping[bytes, bytes], access: Access
) -> Response | None:
    """Return the page for a refused request; None if no browser requested a page.

    path:   path without `root_path`.
    access: what the request may do, for the menu.
    """
    if is_for_programs(path) or b"text/html" not in headers.get(b"accept", b""):
        return None
    values = {
        "heading": _HEADINGS.get(problem.status, "That does not work"),
        "detail": problem.detail,
        "up": "../" * (path.count("/") - 1) or "./",
        "may": access.allowed,
        "key": problem.status == 401,
    }
    response = render("refused.html", values, problem.status)
    response.headers.update(problem.headers)
    return response
