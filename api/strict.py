"""A route that refuses query parameters it does not know, so that a slip is not ignored."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from .problems import Problem


class StrictRoute(APIRoute):
    """Answers 422 to a query parameter that is not declared."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = {parameter.alias for parameter in self.dependant.query_params}

        async def answer(request: Request) -> Response:
            if request.scope["query_string"]:
                for name in request.query_params:
                    if name not in known:
                        message = f"unknown; known here: {', '.join(sorted(known)) or 'none'}"
                        errors = [{"field": name, "message": message}]
                        raise Problem(422, f"{name}: {message}", errors=errors)
            return await handle(request)

        return answer
