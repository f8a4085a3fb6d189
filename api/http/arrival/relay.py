"""Pass requests that write on to the worker that writes, and its replies back.

The request travels as HTTP/1.1 over a Unix socket, one connection for each request. The body is
read only when the writer wants it, and both directions are as fast as their reader.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import h11
from starlette.types import Message, Receive, Scope, Send

from ....core.trace.spans import trace_headers
from ...serving.operations.workers import WRITER, Place, socket_of
from ...serving.problems import Problem
from ..keys import changes

PATIENCE_SECONDS = 15.0
"""Maximum time to wait for a writer that starts, or that does not react."""
REPLY_SECONDS = 3_600.0
"""Maximum time to wait for the reply of a writer that reacts."""
_WATCH_SECONDS = 1.0
"""Time between two looks whether the writer reacts."""
_POLL_SECONDS = 0.02
_PIECE = 1 << 18
_ITS_OWN = re.compile(r"/v1/jobs(/.*)?|/jobs|/metrics", re.DOTALL)
"""Paths of GET requests about which the writer knows more."""
_DROPPED = {
    *(b"connection", b"keep-alive", b"upgrade", b"expect", b"transfer-encoding", b"te"),
    # This worker has checked them, and adds what pages of other sites need.
    *(b"origin", b"sec-fetch-site", b"x-request-id"),
}
"""Headers of a request that concern only its first connection."""
_TRACE = {b"traceparent", b"tracestate"}
_LISTING = re.compile(
    r"/v1/(models|embeddings|sparse_embeddings|info)(/.*)?|/v2/embed|/embed.*|/info"
)
"""Paths of requests that list collections or encoders without naming a collection."""


class Relay:
    """Passes requests on to the writer, if this worker is not the writer itself.

    place: place of this worker.
    """

    def __init__(self, place: Place) -> None:
        self._board = place.board
        self._socket = str(socket_of(place.folder))

    def takes(self, method: str, path: str) -> bool:
        """Return True for a request that the writer answers. path: path without `root_path`."""
        if method == "GET":
            return bool(_ITS_OWN.fullmatch(path)) and self._reacts()
        return changes(method, path)

    async def send(self, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
        """Let the writer reply to a request.

        Raises Problem 503 if the writer does not start in time, or if it ends or does not react
        before its reply begins.
        """
        await self._wait()
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            raise _starting() from None
        try:
            head = _head(scope, request_id)
            await _Exchange(reader, writer, receive, send, self._silence).run(head)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _wait(self) -> None:
        until = monotonic() + PATIENCE_SECONDS
        while not self._reacts():
            if monotonic() > until or self._board.state(WRITER) == "stopping":
                raise _starting()
            await asyncio.sleep(_POLL_SECONDS)

    def _reacts(self) -> bool:
        return self._board.answers(WRITER) and self._silence() < PATIENCE_SECONDS

    def _silence(self) -> float:
        return self._board.silence(WRITER)


def lists(path: str) -> bool:
    """Return True if a reply to a request lists collections or encoders that it does not name."""
    return bool(_LISTING.fullmatch(path))


def _unavailable(detail: str) -> Problem:
    return Problem(
        503,
        detail,
        code="writer_unavailable",
        headers={"Retry-After": "2", "Connection": "close"},
    )


def _starting() -> Problem:
    return _unavailable(
        "the worker that writes is starting or does not react; nothing was written, so send the "
        "request again"
    )


def _unknown(method: bytes, what: str) -> Problem:
    """Return the Problem for a request of which the writer has got at least a part."""
    if method == b"GET":
        return _unavailable(f"{what}; send the request again")
    return _unavailable(
        f"{what}, and it is not known whether the request took effect; send it again with the same "
        "Idempotency-Key, and it takes effect once. PUT and DELETE can be repeated without a key"
    )


def _head(scope: Scope, request_id: bytes) -> h11.Request:
    target = scope.get("raw_path") or scope["path"].encode()
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    trace = trace_headers()  # The work of the writer belongs to the span of this worker.
    dropped = _DROPPED | _TRACE if trace else _DROPPED
    given = [(name, value) for name, value in scope["headers"] if name.lower() not in dropped]
    headers = [*given, (b"x-request-id", request_id)]
    headers += [(name.encode(), value.encode()) for name, value in trace.items()]
    names = {name.lower() for name, _ in headers}
    if b"host" not in names:  # A request of HTTP/1.0.
        headers.append((b"host", b"localhost"))
    if any(name.lower() == b"transfer-encoding" for name, _ in scope["headers"]):
        headers.append((b"transfer-encoding", b"chunked"))
        has_body = True
    else:
        has_body = dict(given).get(b"content-length", b"0") != b"0"
    if has_body:
        headers.append((b"expect", b"100-continue"))
    try:
        return h11.Request(method=scope["method"], target=target, headers=headers)
    except h11.LocalProtocolError as error:
        raise Problem(400, f"the head of the request is not HTTP ({error})") from None


class _Exchange:
    """One request and its reply.

    silence: returns the seconds since the writer reacted last.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        receive: Receive,
        send: Send,
        silence: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._receive = receive
        self._send = send
        self._silence = silence
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        self._wanted = asyncio.Event()
        self._begun = False
        self._complete: float | None = None
        """When the writer had got the whole request, on the monotonic clock."""

    async def run(self, head: h11.Request) -> None:
        """Send the request and pass the reply on.

        Raises Problem 503 if the writer ends, does not react or takes too long before its reply
        begins, and Problem 400 for a body that is shorter or longer than the head says. A reply
        that has begun ends with ConnectionError.
        """
        has_body = any(name == b"expect" for name, _ in head.headers)
        if not has_body:
            self._wanted.set()
        self._write(self._http.send(head))
        if not has_body:
            self._write(self._http.send(h11.EndOfMessage()))
            self._complete = monotonic()
        upload = asyncio.create_task(self._upload(has_body))
        download = asyncio.create_task(self._download())
        try:
            done: set[asyncio.Task[None]] = set()
            late: Exception | None = None
            while not done:
                done, _ = await asyncio.wait(
                    (upload, download),
                    timeout=_WATCH_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                before, late = late, None if done else self._late(head.method)
                if before is not None and late is not None:
                    raise late  # At one look, both processes may have been stopped before it.
            # The reply is complete, or its client is gone.
            (download if download in done else upload).result()
        except (OSError, h11.RemoteProtocolError, EOFError):
            if self._begun:
                raise
            what = "the worker that writes ended during this request"
            raise _unknown(head.method, what) from None
        except h11.LocalProtocolError:  # The server drops the body of a request with `Upgrade`.
            if self._begun:
                raise
            raise Problem(
                400,
                "the body does not have the length that the head of the request names",
                headers={"Connection": "close"},
            ) from None
        finally:
            for task in (upload, download):
                task.cancel()
            await asyncio.gather(upload, download, return_exceptions=True)

    def _late(self, method: bytes) -> Exception | None:
        """Return the error of a writer that does not react, or that takes too long; else None."""
        if (silence := self._silence()) >= PATIENCE_SECONDS:
            what = f"the worker that writes has not reacted for {silence:.0f} seconds"
        elif (
            not self._begun
            and self._complete is not None
            and monotonic() - self._complete >= REPLY_SECONDS
        ):
            what = f"the worker that writes has not replied for {REPLY_SECONDS:g} seconds"
        else:
            return None
        return ConnectionError(what) if self._begun else _unknown(method, what)

    async def _upload(self, has_body: bool) -> None:
        """Send the body. Then wait until the client is gone."""
        await self._wanted.wait()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return
            if not has_body:
                continue
            if piece := message.get("body", b""):
                self._write(self._http.send(h11.Data(data=piece)))
            if not message.get("more_body", False):
                self._write(self._http.send(h11.EndOfMessage()))
                self._complete = monotonic()
                has_body = False
            with suppress(ConnectionError):  # The reply may have come before the end of the body.
                await self._writer.drain()

    async def _download(self) -> None:
        """Pass the reply on."""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                data = await self._reader.read(_PIECE)
                if not data and not self._begun:
                    raise EOFError
                self._http.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                self._wanted.set()
            elif isinstance(event, h11.Response):
                self._begun = True
                await self._send(_start(event))
            elif isinstance(event, h11.Data):
                await self._send(
                    {"type": "http.response.body", "body": bytes(event.data), "more_body": True}
                )
            elif isinstance(event, h11.EndOfMessage):
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            else:
                raise EOFError

    def _write(self, data: bytes | None) -> None:
        if data:
            self._writer.write(data)


def _start(event: h11.Response) -> Message:
    headers = [
        (name, value)
        for name, value in event.headers
        if name not in (b"transfer-encoding", b"date")
    ]
    return {"type": "http.response.start", "status": event.status_code, "headers": headers}
