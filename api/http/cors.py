"""Which pages of other sites may call the interface from a browser."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from ...client.signing import HEADER

TAKEN = (
    *("Authorization", "api-key", "Content-Type", "Idempotency-Key", "X-Request-Id"),
    *("If-Match", "If-None-Match"),
    *("Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id", HEADER),
)
"""Headers that pages may send."""

SHOWN = (
    *("X-Request-Id", "Server-Timing", "Location", "Retry-After", "Idempotent-Replayed"),
    *("ETag", "RateLimit", "RateLimit-Policy"),
    *("X-Should-Retry", "Mcp-Session-Id"),
)
"""Headers that pages may read."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_OF_CLIENTS = re.compile(
    r"x-stainless-[a-z0-9-]{1,64}|openai-(organization|project)|x-fern-[a-z0-9-]{1,64}|x-client-name"
)
"""Headers by which the official clients of OpenAI and Cohere describe themselves. They have no
effect here, and each version of the clients may have others."""


class Cors(CORSMiddleware):
    """Allows requests of pages, also with headers by which official clients describe themselves.

    The framework's middleware has a list of names, but no pattern for names. So the list of a
    preflight request gets those of its names that fit the pattern.
    """

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the reply to the request by which a browser asks for permission."""
        given = request_headers.get("access-control-request-headers", "").lower().split(",")
        own = [name for one in given if _OF_CLIENTS.fullmatch(name := one.strip())]
        if not own:
            return super().preflight_response(request_headers)
        wider = CORSMiddleware(self.app, self.allow_origins, METHODS, (*TAKEN, *own))
        return wider.preflight_response(request_headers)
