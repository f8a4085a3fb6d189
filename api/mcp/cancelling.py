"""Cancels calls of clients that connect with a handshake, although the server keeps no session.

Up to the protocol of 2025-11-25, a client cancels a call by another request, which names the id of
the call. Ids are not unique among clients. So the reply to the handshake has a random session id,
which clients repeat with every request. A session id that the server does not know is accepted,
because it is used for nothing else.

Since the protocol of 2026-07-28, a client cancels a call by closing its connection.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import orjson
from starlette.types import Message, Scope, Send

SESSION = b"mcp-session-id"

Serve = Callable[[Send], Awaitable[None]]
"""Function that replies to a request with the given `send`."""


class RunningCalls:
    """The calls that run, by session and id. Only the event loop uses it, so it has no lock."""

    def __init__(self) -> None:
        self._running: dict[tuple[bytes, str], anyio.CancelScope] = {}

    async def serve(self, scope: Scope, raw: bytes, send: Send, serve: Serve) -> None:
        """Reply to a request by `serve`, so that a later request can cancel it.

        raw: body of the request.
        """
        message = _parsed(raw)
        if "id" in message and not _is_id(message["id"]):
            # The package `mcp` would take the message for a notification and reply nothing.
            await _refuse_id(send)
            return
        method = message.get("method")
        if method == "initialize":
            await serve(_with_session(send))
            return
        session = _session(scope)
        if session is None:
            await serve(send)
            return
        if method == "notifications/cancelled":
            self._cancel(session, message)
        if "id" not in message:
            await serve(send)
            return
        await self._run((session, repr(message["id"])), send, serve)

    def _cancel(self, session: bytes, message: dict[str, Any]) -> None:
        params = message.get("params")
        if isinstance(params, dict):
            found = self._running.get((session, repr(params.get("requestId"))))
            if found is not None:
                found.cancel()

    async def _run(self, key: tuple[bytes, str], send: Send, serve: Serve) -> None:
        begun = ended = False

        async def noted(sent: Message) -> None:
            nonlocal begun, ended
            begun = True
            ended = sent["type"] == "http.response.body" and not sent.get("more_body", False)
            await send(sent)

        with anyio.CancelScope() as cancelling:
            self._running[key] = cancelling
            try:
                await serve(noted)
            finally:
                if self._running.get(key) is cancelling:
                    del self._running[key]
        if cancelling.cancelled_caught and not ended:
            if not begun:
                await send({"type": "http.response.start", "status": 202, "headers": []})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _session(scope: Scope) -> bytes | None:
    """Return the session id of a request with its owner, who alone may cancel its calls."""
    session = dict(scope["headers"]).get(SESSION)
    seen = scope.get("state", {}).get("service")
    return (
        session if session is None or seen is None else f"{seen.access.owner} ".encode() + session
    )


def _parsed(raw: bytes) -> dict[str, Any]:
    """Return a JSON object; an empty one for another body, which the server refuses later."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


async def _refuse_id(send: Send) -> None:
    """Send the error of JSON-RPC for a request whose id is invalid."""
    error = {"code": -32600, "message": "`id` must be a string or an integer"}
    raw = orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(raw)).encode()),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": raw, "more_body": False})


def _with_session(send: Send) -> Send:
    """Return a `send` that adds a new session id to the reply."""
    header = (SESSION, secrets.token_hex(16).encode())

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], header]}
        await send(message)

    return sent
