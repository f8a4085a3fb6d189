"""The tools for assistants, at `/mcp` and `/mcp/{collection}`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from ...mcp.http import Assistants
from ...serving.problems import Problem
from .. import body


class _Endpoint:
    """Reads the body of a request within the limits of the server, and passes the request on."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if scope["query_string"]:
            raise Problem(
                422, "this path has no query parameters; use /mcp/NAME for one collection"
            )
        raw = await body.read(request)
        assistants: Assistants = request.app.state.assistants
        await assistants.reply(scope, raw, receive, send)


class _ExactRoute(Route):
    """A route that matches the whole path, and that metrics name."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        if match is Match.NONE or scope["path"].endswith("\n"):
            return Match.NONE, {}
        return match, {**child, "route": self}


ROUTES = [
    _ExactRoute(path, _Endpoint(), methods=["POST"], name=path, include_in_schema=False)
    for path in ("/mcp", "/mcp/{collection}")
]
