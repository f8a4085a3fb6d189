"""Bodies of requests: content type and size are checked before anything is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from starlette.requests import Request

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
    """The pieces of the body.

    held: bytes that the caller keeps in memory at most; None = all of the body. Raises Problem 415
    for another content type, 413 beyond `limit` bytes, and 503 when the bodies of all requests
    together use up the memory set aside for them.
    """
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind not in types:
        raise Problem(415, f"send Content-Type: {types[0]}, not {given or 'none'!r}")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "compressed bodies are not read; send it as it is")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    hold: Hold = request.state.hold
    most = limit if held is None else held
    if announced.isdecimal():
        hold.announce(min(int(announced), most))
    size = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "the connection ended before the body did")
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        hold.grow(min(size, most))
        if piece:
            yield piece


async def read(request: Request, types: Sequence[str] = JSON) -> bytes:
    """The whole body, within `max_body_bytes`."""
    limit = request.app.state.settings.max_body_bytes
    pieces = [piece async for piece in stream(request, types, limit)]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def parse(body: bytes) -> Any:
    """JSON as RFC 8259 has it: no NaN, no trailing commas. Raises Problem 400."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"the body is not JSON: {error}") from None


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object. Raises Problem 400 or 422."""
    value = parse(body)
    if not isinstance(value, dict):
        raise Problem(422, "the body must be a JSON object")
    return value


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the body is larger than {limit} bytes", headers={"Connection": "close"})
