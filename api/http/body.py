"""Read request bodies, after checks of their content type and size."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from starlette.requests import Request

from ...sources.records.exact_json import parse_json
from ..serving.access.keyring import CHECK_SECONDS
from ..serving.problems import Problem
from .admission import Hold

JSON = ("application/json",)
NDJSON = (
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/octet-stream",
)


async def stream(
    request: Request, types: Sequence[str], limit: int, *, held: int | None = None
) -> AsyncIterator[bytes]:
    """Yield the body of a request in pieces.

    types: accepted content types.
    limit: maximum size of the body in bytes.
    held:  maximum number of bytes that the caller keeps in memory; None: the whole body.

    Raises Problem 415 for another content type, 413 for a body above `limit`, 503 if the bodies of
    all requests together exceed the setting `body_memory`, and 401 if the key of the request was
    revoked or expired while the body arrived.
    """
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind not in types:
        raise Problem(415, f"Content-Type must be {types[0]}, got {given or 'none'!r}")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "Content-Encoding is not supported; send the body uncompressed")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    hold: Hold = request.state.hold
    most = limit if held is None else held
    if announced.isdecimal():
        hold.announce(min(int(announced), most))
    size = 0
    began = time.monotonic()
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "the connection closed before the end of the body; send it again")
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        hold.grow(min(size, most))
        if not more and time.monotonic() - began >= CHECK_SECONDS:
            request.state.check_key()
        if piece:
            yield piece


async def read(request: Request, types: Sequence[str] = JSON) -> bytes:
    """Return the body, of at most `max_body_bytes` (a setting). Raises Problem as `stream` does."""
    limit = request.app.state.settings.max_body_bytes
    pieces = [piece async for piece in stream(request, types, limit)]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def parse(body: bytes) -> Any:
    """Parse JSON strictly (RFC 8259): no NaN, no trailing commas. Raises Problem 400."""
    try:
        return parse_json(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"the body is not JSON ({error})") from None


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises Problem 400 for invalid JSON, 422 for another value."""
    value = parse(body)
    if not isinstance(value, dict):
        raise Problem(422, "the body must be a JSON object")
    return value


def _too_large(limit: int) -> Problem:
    detail = f"the body is larger than {limit} bytes; send less in one request"
    return Problem(413, detail, headers={"Connection": "close"})
