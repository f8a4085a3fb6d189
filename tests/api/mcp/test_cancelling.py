"""Calls of clients with a handshake are cancelled by another request of the same client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anyio
import pytest

from twindex.api.mcp.cancelling import RunningCalls

Sent = list[dict[str, Any]]


def scope(session: bytes | None = b"one") -> dict[str, Any]:
    return {"type": "http", "headers": [] if session is None else [(b"mcp-session-id", session)]}


def body(**message: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode()


def cancels(call: Any) -> bytes:
    return body(method="notifications/cancelled", params={"requestId": call})


async def reply(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"x"})


async def serve(calls: RunningCalls, raw: bytes, session: bytes | None = b"one") -> Sent:
    """Serve a request that replies at once; return what was sent."""
    sent: Sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    await calls.serve(scope(session), raw, send, reply)
    return sent


@pytest.mark.parametrize(
    ("other", "ends"),
    [
        ((cancels(7), b"one"), True),
        ((cancels("7"), b"one"), False),  # Another id.
        ((cancels(7), b"two"), False),  # Another client.
        ((cancels(7), None), False),
        ((body(method="notifications/cancelled"), b"one"), False),
        ((body(method="notifications/cancelled", params=[7]), b"one"), False),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_only_the_client_itself_cancels_its_call(
    other: tuple[bytes, bytes | None], ends: bool, begun: bool
) -> None:
    async def work() -> None:
        calls, sent, ended = RunningCalls(), [], anyio.Event()

        async def send(message: Any) -> None:
            sent.append(message)

        async def slow(send: Any) -> None:
            if begun:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            await ended.wait()
            if not begun:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"done"})

        call = body(method="tools/call", id=7)
        task = asyncio.ensure_future(calls.serve(scope(), call, send, slow))
        await asyncio.sleep(0)
        assert len(await serve(calls, *other)) == 2
        if not ends:
            ended.set()
        await task
        assert sent[0]["status"] == (202 if ends and not begun else 200)
        assert sent[-1]["body"] == (b"" if ends else b"done")
        assert not sent[-1].get("more_body", False)
        assert len(sent) == 2
        assert calls._running == {}

    asyncio.run(work())


def test_a_handshake_gets_a_session() -> None:
    calls = RunningCalls()
    hello = body(method="initialize", id=1)
    first, second = (asyncio.run(serve(calls, hello, None))[0] for _ in range(2))
    assert first["headers"][0] == (b"a", b"b")
    names = {name for name, _ in first["headers"][1:]}
    assert names == {b"mcp-session-id"}
    assert first["headers"] != second["headers"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"null", body(id=[1], method="x")])
def test_other_bodies_are_passed_on(raw: bytes) -> None:
    assert len(asyncio.run(serve(RunningCalls(), raw))) == 2


def test_a_reused_id_belongs_to_the_latest_call() -> None:
    async def work() -> None:
        calls, gates, sent = RunningCalls(), [anyio.Event(), anyio.Event()], []

        async def send(message: Any) -> None:
            sent.append(message)

        def slow(gate: anyio.Event) -> Any:
            async def run(send: Any) -> None:
                await gate.wait()
                await reply(send)

            return run

        call = body(method="tools/call", id=7)
        tasks = []
        for gate in gates:
            tasks.append(asyncio.ensure_future(calls.serve(scope(), call, send, slow(gate))))
            await asyncio.sleep(0)
        gates[0].set()
        await tasks[0]
        await serve(calls, cancels(7))
        await tasks[1]
        assert [one["status"] for one in sent if "status" in one] == [200, 202]

    asyncio.run(work())
