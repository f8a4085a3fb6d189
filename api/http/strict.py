"""Routes that match exact paths and reject unknown query parameters."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from ..serving.problems import Problem


class _TextConvertor(Convertor[str]):
    """Converts any text, slashes and line breaks included.

    The convertors of the framework stop at line breaks.
    """

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _TextConvertor())


class ExactRoute(APIRoute):
    """A route that matches the whole path.

    The framework ends its patterns with `$`, which also matches before a final line break. The line
    break would then belong to no parameter.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        if match is not Match.NONE and scope["path"].endswith("\n"):
            values = child.get("path_params", {}).values()
            if not any(value.endswith("\n") for value in values):
                return Match.NONE, {}
        return match, child


class StrictRoute(ExactRoute):
    """A route that replies 422 to an undeclared query parameter."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = {parameter.alias for parameter in self.dependant.query_params}

        async def answer(request: Request) -> Response:
            if request.scope["query_string"]:
                for name in request.query_params:
                    if name not in known:
                        message = f"unknown parameter; known: {', '.join(sorted(known)) or 'none'}"
                        errors = [{"field": name, "message": message}]
                        raise Problem(422, f"{name}: {message}", errors=errors)
            return await handle(request)

        return answer
