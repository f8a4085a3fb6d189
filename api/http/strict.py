"""Routes that match the whole path and reject unknown query parameters."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, get_origin
from urllib.parse import unquote_to_bytes

from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from ..serving.problems import invalid_field


class _TextConvertor(Convertor[str]):
    """Path convertor that matches any text, including slashes and line breaks.

    The convertors of Starlette do not match line breaks.
    """

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _TextConvertor())


class ExactRoute(APIRoute):
    """A route that matches the whole path.

    Starlette's patterns end with `$`, which also matches before a final line break. A path with a
    line break at its end would then match, without the line break.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        if match is not Match.NONE and scope["path"].endswith("\n"):
            values = child.get("path_params", {}).values()
            if not any(value.endswith("\n") for value in values):
                return Match.NONE, {}
        return match, child


class StrictRoute(ExactRoute):
    """A route that replies 422 if a query parameter is unknown, repeated or not UTF-8."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = {parameter.alias for parameter in self.dependant.query_params}
        several = {
            parameter.alias
            for parameter in self.dependant.query_params
            if get_origin(parameter.field_info.annotation) is list
        }

        async def answer(request: Request) -> Response:
            if request.scope["query_string"]:
                names = [name for name, _ in request.query_params.multi_items()]
                for name in names:
                    if name not in known:
                        message = f"unknown parameter; known: {', '.join(sorted(known)) or 'none'}"
                        raise invalid_field(name, message)
                    if names.count(name) > 1 and name not in several:
                        raise invalid_field(name, "is given more than once; give it once")
                _check_text(request)
            return await handle(request)

        return answer


def _check_text(request: Request) -> None:
    """Raise Problem 422 for a query string that is not UTF-8.

    Starlette would silently replace the invalid bytes.
    """
    for part in request.scope["query_string"].split(b"&"):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            name = part.partition(b"=")[0].decode("ascii", "replace")
            raise invalid_field(name, "must be percent-encoded UTF-8") from None
