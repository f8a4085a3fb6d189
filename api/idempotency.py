"""`Idempotency-Key`: a request that is sent again gets the reply that it got the first time."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ..index.jobs import Reply
from .problems import Problem
from .served import Served
from .service import Service

_KEY = re.compile(r"[\x21-\x7e]{1,255}")

Work = Callable[[Served], tuple[int, Any]]
"""Does the work; the status and the JSON value of the reply."""


async def once(request: Request, collection: str, digest: str, work: Work) -> Response:
    """The reply of `work`, or the one kept for this key. Only successes are kept, for 24 hours.

    digest: of what is asked; the same key with another one is Problem 422, and while the first
    request is under way Problem 409.
    """
    service: Service = request.app.state.service
    key = request.headers.get("idempotency-key")
    if key is None:
        status, value = await service.write(collection, work)
        return _response(status, orjson.dumps(value))
    if not _KEY.fullmatch(key):
        raise Problem(422, "Idempotency-Key must be 1 to 255 visible ASCII characters")
    asked = sha256(f"{request.method} {request.url.path} {digest}".encode()).hexdigest()
    served = await service.served(collection)
    if key in served.busy_keys:
        raise Problem(409, "a request with this Idempotency-Key is under way", code="in_progress")
    served.busy_keys.add(key)
    try:
        return await service.write(collection, lambda s: _keyed(s, key, asked, work))
    finally:
        served.busy_keys.discard(key)


def _keyed(served: Served, key: str, asked: str, work: Work) -> Response:
    _, jobs = served.ready()
    kept = jobs.recall(key)
    if kept is not None:
        if kept.digest != asked:
            raise Problem(
                422,
                "this Idempotency-Key was used for another request; take a new one",
                code="idempotency_key_reused",
            )
        response = _response(kept.status, kept.body)
        response.headers["Idempotent-Replayed"] = "true"
        return response
    status, value = work(served)
    body = orjson.dumps(value)
    jobs.remember(key, Reply(asked, status, body))
    return _response(status, body)


def _response(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json")
