"""The span of a request, by OpenTelemetry's semantic conventions for HTTP servers.

The query string of a URL is not recorded, as pages have the query
in it, and neither is the address of the client.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.types import Scope

from ....core.trace.spans import REQUEST_ID, SPANS, Attributes
from ...serving.access.access import Access
from ...serving.measuring.metrics import METHODS, UNMATCHED
from ...serving.measuring.tracing import Tracing

if TYPE_CHECKING:
    from ...serving.measuring.recorded import RequestSpan

_CONVERTER = re.compile(r":[a-z]+\}")
"""End of a parameter in the path of a route: `{id:text}` becomes `{id}`."""
_LONGEST = 256
"""Maximum number of characters of a value that the client chooses."""


def begin(
    tracing: Tracing | None,
    method: str,
    scope: Scope,
    headers: Mapping[bytes, bytes],
    request_id: str,
) -> RequestSpan | None:
    """Begin to work for a request: set its id, and begin its span. None: it has no span."""
    REQUEST_ID.set(request_id)
    if tracing is None:
        SPANS.set(None)
        return None
    known = method in METHODS
    attributes: Attributes = {
        "http.request.method": method if known else "_OTHER",
        "url.path": scope["path"][:_LONGEST],
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", "1.1"),
        "twindex.request_id": request_id,
    }
    if (agent := headers.get(b"user-agent")) is not None:
        attributes["user_agent.original"] = agent.decode("latin-1")[:_LONGEST]
    if scope.get("server") is not None:
        address, port = scope["server"]
        attributes["server.address"] = address
        if port is not None:
            attributes["server.port"] = port
    span = tracing.begin(method if known else "HTTP", attributes, headers)
    SPANS.set(span)
    return span


def end(
    span: RequestSpan,
    method: str,
    scope: Scope,
    route: str,
    status: int,
    access: Access,
    error: BaseException | None,
) -> None:
    """End the span of a request.

    route:  path of the route that replied, with `{id}` in place of an id.
    status: HTTP status of the reply; 0: the connection broke before a reply.
    error:  exception that no handler turned into a reply.
    """
    attributes: Attributes = {}
    name = None
    if route not in ("", UNMATCHED):
        route = _CONVERTER.sub("}", route)
        attributes["http.route"] = route
        name = f"{method} {route}"
    if status:
        attributes["http.response.status_code"] = status
    if access.key:
        attributes["twindex.key.id"] = access.key
    if access.name:
        attributes["twindex.key.name"] = access.name
    collection = scope.get("path_params", {}).get("collection")
    if collection is not None:
        attributes["twindex.collection"] = str(collection)[:_LONGEST]
    failure: str | None = None
    if error is not None:
        failure = type(error).__qualname__
    elif status == 0:
        failure = "no_response"
    elif status >= 500:
        failure = str(status)
    span.finish(attributes, failure, name)
