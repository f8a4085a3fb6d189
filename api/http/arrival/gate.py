"""Refuse requests that would find a full queue, before their bodies are read.

A refusal has to cost much less than a search, or refusals alone would use the processor under
overload. So there are two places:

- `Gate.check`, in the middleware, before the application reads the body.
- `Gate.answer`, on the bytes of a connection, before they are parsed. It answers only requests that
  are complete and plain, and leaves all others to the parser. It never accepts a request.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from hashlib import blake2b
from time import perf_counter

from starlette.types import Scope

from ...serving.limits.arrivals import ARRIVING
from ...serving.limits.pool import TENANT, Pool
from ...serving.measuring.metrics import Metrics
from ...serving.problems import Problem
from ...serving.service import Service
from ...serving.settings import Settings
from ..compat.errors import error_shape
from .request_id import NEW_ID

_PATHS = {
    "/v1/search": "readers",
    "/v1/rerank": "reranking",
    "/v2/rerank": "reranking",
    "/rerank": "reranking",
    "/v1/chat/completions": "answering",
    "/v1/responses": "answering",
    "/v2/chat": "answering",
    "/v1/embeddings": "embedding",
    "/v1/sparse_embeddings": "embedding",
    "/v2/embed": "embedding",
    "/embed": "embedding",
    "/embed_sparse": "embedding",
}
"""Path of a POST request -> name of the pool that it needs."""

_COLLECTION = re.compile(r"/v1/(collections|vector_stores)/[^/]+/([a-z/]+)")
_BELOW = {
    "collections/search": "readers",
    "collections/search/batch": "readers",
    "vector_stores/search": "readers",
    "collections/answer": "answering",
    "collections/documents/bulk": "writers",
    "collections/documents/delete": "writers",
}
"""Kind of collection and end of the path of a POST request -> name of the pool that it needs."""

_LINE = re.compile(rb"(GET|POST|PUT|DELETE) (/[!-~]{0,2000}) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]{0,9}([0-9]{1,9})[ \t]{0,9}\r\n", re.IGNORECASE)
_ID = re.compile(rb"\r\nx-request-id:[ \t]{0,9}([A-Za-z0-9._:-]{1,128})\r\n", re.IGNORECASE)
_KEY = re.compile(rb"\r\n(?:authorization|api-key):[ \t]{0,9}([^\r\n]{1,4096})", re.IGNORECASE)
_UNUSUAL = (b"\r\ntransfer-encoding:", b"\r\nexpect:", b"\r\nconnection:", b"\r\norigin:")
"""Headers of requests that the parser always gets."""
_KEEP_ALIVE = re.compile(rb"\r\nconnection:[ \t]{0,9}keep-alive\r\n")
_DRAINED = 16 << 20
"""Bytes of a refused request's body that the server reads and drops, to keep the connection."""
_KNOWN = 4_096


class Gate:
    """Decides, before the body of a request is read, whether the queue of its pool is full.

    A request that passes may still be refused by its pool, if others came meanwhile.
    """

    def __init__(self, service: Service, settings: Settings, metrics: Metrics) -> None:
        self._metrics = metrics
        self._root = settings.root_path
        self._early = not settings.access_log  # The log needs what the parser finds.
        self._passed = 0
        self._tenants: dict[bytes, str] = {}
        self._pools: dict[str, Pool] = {
            "readers": service.readers,
            "reranking": service.reranking,
            "answering": service.answering,
            "embedding": service.embedding,
            "writers": service.writers,
        }

    # -- after the head is parsed ----------------------------------------------------------

    def check(self, scope: Scope, path: str, headers: dict[bytes, bytes]) -> None:
        """Keep a place for the request in the pool that it needs; `leave` frees the place.

        Also tells pools the tenant of this request, which is `tenant` of `scope["state"]`.

        path: path without `root_path`.

        Raises Problem 429 if the pool would refuse the request's call.
        """
        tenant = scope["state"].get("tenant", "")
        TENANT.set(tenant)
        if tenant:
            self._know(headers, tenant)
        found = self._pool(scope["method"], path)
        if found is None:
            return
        pool, route = found
        try:
            arriving = pool.arrive(tenant)
        except Problem as problem:
            scope["state"]["refused_route"] = route
            length = headers.get(b"content-length", b"0")
            if b"transfer-encoding" in headers or not length.isdigit() or int(length) > _DRAINED:
                problem.headers["Connection"] = "close"
            raise
        ARRIVING.set(arriving)
        scope["state"]["leave"] = partial(pool.left, arriving)

    def leave(self, scope: Scope) -> None:
        """Free the place that `check` kept for a request, if its call did not take the place."""
        if (leave := scope["state"].get("leave")) is not None:
            leave()

    def passed(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count a request that goes to the parser, until `check` has seen it.

        Call it after the parser has received the request: the task that answers the request is
        then ahead in the event loop.
        """
        self._passed += 1
        loop.call_soon(self._checked)

    def _checked(self) -> None:
        self._passed -= 1

    def _know(self, headers: dict[bytes, bytes], tenant: str) -> None:
        """Remember the tenant of a key that was right, for refusals by `answer`."""
        if len(self._tenants) >= _KNOWN:
            self._tenants.clear()
        for name in (b"authorization", b"api-key"):
            if name in headers:
                self._tenants[_digest(headers[name])] = tenant

    def _pool(self, method: str, path: str) -> tuple[Pool, str] | None:
        """Return the pool that a request needs first, and the label of its route for metrics."""
        if method == "POST" and (name := _PATHS.get(path)) is not None:
            return self._pools[name], path
        found = _COLLECTION.fullmatch(path) if method == "POST" else None
        if found is None:
            return None
        name = _BELOW.get(f"{found[1]}/{found[2]}")
        if name is None:
            return None
        return self._pools[name], f"/v1/{found[1]}/{{collection}}/{found[2]}"

    # -- before the head is parsed ---------------------------------------------------------

    @property
    def crowded(self) -> bool:
        """True if a pool may refuse calls."""
        return self._early and any(pool.is_full(self._passed) for pool in self._pools.values())

    def answer(self, data: bytes) -> bytes | None:
        """Return the refusal of the request in `data`; None: the request is to be parsed.

        data: bytes received on a connection on which nothing else is under way. They must be one
            complete request, or the result is None.
        """
        began = perf_counter()
        line = _LINE.match(data)
        end = data.find(b"\r\n\r\n")
        if line is None or end < 0:
            return None
        head = data[: end + 2].lower()
        if head.count(b"\r\ncontent-length") > 1 or (
            any(name in head for name in _UNUSUAL) and not self._is_usual(head)
        ):
            return None
        length = _LENGTH.search(head)
        if len(data) != end + 4 + (int(length[1]) if length is not None else 0):
            return None
        path = line[2].partition(b"?")[0].decode("ascii")
        if self._root and (path == self._root or path.startswith(self._root + "/")):
            path = path.removeprefix(self._root)
        method = line[1].decode()
        found = self._pool(method, path)
        if found is None:
            return None
        tenant = self._tenant(data[: end + 2])
        if tenant is None or not found[0].refuses(tenant, self._passed):
            return None
        given = _ID.search(data, 0, end + 2)
        request_id = given[1].decode() if given is not None else next(NEW_ID)
        reply = _reply(found[0].refusal(), path, request_id)
        self._metrics.request(method, found[1], 429, perf_counter() - began)
        return reply

    def _is_usual(self, head: bytes) -> bool:
        """Return True if the only unusual header of a request is `Connection: keep-alive`."""
        rest = _KEEP_ALIVE.sub(b"\r\n", head, count=1)
        return not any(name in rest for name in _UNUSUAL)

    def _tenant(self, head: bytes) -> str | None:
        """Return the tenant of a request. None: the key of the request is not known yet."""
        if not self._tenants:
            return ""
        key = _KEY.search(head)
        return None if key is None else self._tenants.get(_digest(key[1].strip()))


def _reply(problem: Problem, path: str, request_id: str) -> bytes:
    """Return the bytes of the response to a request that is refused."""
    _, body, media_type = problem.rendered(request_id, error_shape(path))
    headers = {
        "content-type": media_type,
        "content-length": str(len(body)),
        **{name.lower(): value for name, value in problem.headers.items()},
        "x-request-id": request_id,
        "x-content-type-options": "nosniff",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 429 Too Many Requests\r\n{lines}\r\n".encode() + body


def _digest(key: bytes) -> bytes:
    return blake2b(key, digest_size=16).digest()
