"""The tools for assistants, at `/mcp` and `/mcp/{collection}`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

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
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": raw, "more_body": False}

        assistants: Assistants = request.app.state.assistants
        await assistants(scope, again, send)


ROUTES = [
    Route(path, _Endpoint(), methods=["POST"], name=path, include_in_schema=False)
    for path in ("/mcp", "/mcp/{collection}")
]
