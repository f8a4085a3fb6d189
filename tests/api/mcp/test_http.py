"""The tools at `/mcp` of a server: by the official client, and with the limits of other routes."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings

from ..answers.conftest import Scripted, answering, scripted  # noqa: F401 - fixtures
from .conftest import BIRDS, MODES, detail, error_of, run, value_of

TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
HEADERS = {"accept": "application/json, text/event-stream"}


@asynccontextmanager
async def connected(
    url: str, mode: str = "auto", headers: dict[str, str] | None = None
) -> AsyncIterator[Client]:
    """Connect the official client over HTTP."""
    async with (
        httpx.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", MODES)
def test_every_tool_equals_the_rest_interface(address: str, mode: str) -> None:
    base = f"{address}/v1/collections/birds"

    async def work() -> None:
        async with connected(f"{address}/mcp", mode) as client:
            assert (client.protocol_version > "2026") is (mode == "auto")
            tools = (await client.list_tools()).tools
            assert [one.name for one in tools] == ["search", "fetch", "answer", "list_collections"]
            listed = value_of(await client.call_tool("list_collections", {}))["collections"]
            assert listed == httpx.get(f"{address}/v1/collections").json()["collections"]

            asked = {"query": "bird that cannot fly", "filter": {"year": {"gte": 1700}}}
            found = value_of(await client.call_tool("search", {**asked, "collection": "birds"}))
            hits = httpx.post(f"{base}/search", json=asked).json()["hits"]
            assert [(one["id"], one["score"]) for one in found["results"]] == [
                (f"birds/{hit['id']}", hit["score"]) for hit in hits
            ]
            page = found["results"][0]["url"]
            assert page.startswith((f"{address}/document?collection=birds&id=", "https://birds."))

            fetched = value_of(await client.call_tool("fetch", {"id": "birds/kiwi"}))
            stored = httpx.get(f"{base}/documents/kiwi").json()
            assert {key: fetched[key] for key in ("title", "text", "metadata")} == {
                key: stored[key] for key in ("title", "text", "metadata")
            }

            question = {"question": "Which bird lives in New Zealand?"}
            said = value_of(await client.call_tool("answer", {**question, "collection": "birds"}))
            rest = httpx.post(f"{base}/answer", json=question).json()
            assert (said["text"], said["outcome"]) == (rest["text"], rest["outcome"])
            assert [(one["start"], one["end"]) for one in said["citations"]] == [
                (one["start"], one["end"]) for one in rest["citations"]
            ]

            wrong = {"query": "x", "filter": {"year": {"over": 1}}}
            refused = error_of(await client.call_tool("search", {**wrong, "collection": "birds"}))
            assert refused == detail(address, "birds/search", wrong)
            missing = error_of(await client.call_tool("fetch", {"id": "birds/dodo"}))
            assert missing == detail(address, "birds/documents/dodo")

    run(work())


@pytest.mark.parametrize("mode", MODES)
def test_a_path_may_name_the_only_collection(address: str, mode: str) -> None:
    async def work() -> None:
        async with connected(f"{address}/mcp/birds", mode) as client:
            listed = value_of(await client.call_tool("list_collections", {}))["collections"]
            assert [one["name"] for one in listed] == ["birds"]
            assert (
                value_of(await client.call_tool("search", {"query": "x"}))["collection"] == "birds"
            )
            other = error_of(await client.call_tool("fetch", {"id": "lakes/long"}))
            assert other == "no collection 'lakes'; the only collection is 'birds'"
        async with connected(f"{address}/mcp/none", mode) as client:
            message = error_of(await client.call_tool("search", {"query": "x"}))
            assert message == detail(address, "none/search", {"query": "x"})

    run(work())


@pytest.mark.parametrize("mode", MODES)
def test_many_calls_at_once(address: str, mode: str) -> None:
    async def work() -> list[Any]:
        async with connected(f"{address}/mcp", mode) as client:
            calls = [
                client.call_tool("fetch", {"id": f"birds/{BIRDS[n % 3]['id']}"}) for n in range(20)
            ]
            return await asyncio.gather(*calls)

    assert [value_of(one)["text"] for one in run(work())] == [
        BIRDS[n % 3]["text"] for n in range(20)
    ]


# -- limits of the server ----------------------------------------------------------------


@pytest.fixture
def guarded(serve: Any) -> Any:
    """A server with a key and small limits."""
    return serve(api_key="s3cret", max_body_bytes=1_024)


KEY = {"authorization": "Bearer s3cret", **HEADERS}


def test_a_key_is_required(guarded: Any, problem: Any) -> None:
    reply = guarded.post("/mcp", json=TOOLS, headers=HEADERS)
    assert "API key missing or wrong" in problem(reply, 401, "unauthorized").detail
    assert reply.headers["www-authenticate"].startswith("Bearer")
    for headers in (KEY, {"api-key": "s3cret", **HEADERS}):
        listed = guarded.post("/mcp", json=TOOLS, headers=headers)
        assert listed.status_code == 200, listed.text


def test_pages_of_other_sites_are_refused(guarded: Any, client: Any, problem: Any) -> None:
    foreign = {"origin": "https://evil.example"}
    for server, headers in ((guarded, KEY), (client, HEADERS)):
        problem(server.post("/mcp", json=TOOLS, headers={**headers, **foreign}), 403, "forbidden")
    renamed = client.post("/mcp", json=TOOLS, headers={**HEADERS, "host": "evil.example"})
    problem(renamed, 403, "forbidden")


def test_requests_that_are_not_calls_are_refused(guarded: Any, problem: Any) -> None:
    large = {**TOOLS, "params": {"cursor": "x" * 2_000}}
    problem(guarded.post("/mcp", json=large, headers=KEY), 413, "too_large")
    text = {**KEY, "content-type": "text/plain"}
    problem(guarded.post("/mcp", content="x", headers=text), 415, "unsupported_media_type")
    for method in ("GET", "DELETE"):
        reply = guarded.request(method, "/mcp", headers=KEY)
        assert problem(reply, 405, "method_not_allowed").detail.endswith(f"POST, not {method}")
    asked = guarded.post("/mcp?collection=birds", json=TOOLS, headers=KEY)
    assert "/mcp/NAME" in problem(asked, 422, "invalid").detail
    problem(guarded.post("/mcp/a/b", json=TOOLS, headers=KEY), 404, "not_found")
    malformed = {**KEY, "content-type": "application/json"}
    assert guarded.post("/mcp", content="{", headers=malformed).status_code == 400


def test_calls_are_counted_by_route(client: Any) -> None:
    call = {"name": "search", "arguments": {"query": "kiwi"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    for path in ("/mcp", "/mcp/birds"):
        reply = client.post(path, json=body, headers=HEADERS)
        assert reply.status_code == 200
        (data,) = [line[6:] for line in reply.text.splitlines() if line.startswith("data: {")]
        result = json.loads(data)["result"]
        assert result["structuredContent"]["results"][0]["id"] == "birds/kiwi"
    metrics = client.get("/metrics").text
    for path in ("/mcp", "/mcp/{collection}"):
        assert f'twindex_requests_total{{method="POST",route="{path}",status="200"}} 1.0' in metrics


def test_a_search_that_takes_too_long_is_an_error(serve: Any, client: Any, root: Any) -> None:
    slow = serve(root, search_seconds=0.0001)
    call = {"name": "search", "arguments": {"query": "kiwi", "collection": "birds"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    reply = slow.post("/mcp", json=body, headers=HEADERS).text
    assert "the request took longer than 0.0001 s (setting `search_seconds`)" in reply


# -- cancelled calls ---------------------------------------------------------------------


@pytest.fixture
def answers(answering: Any, serving: Any) -> Iterator[tuple[str, Any]]:  # noqa: F811
    """The address and the service of a server whose generator writes slowly."""
    inner = answering()
    app = create_app(
        inner.app.state.service.root, Settings(**inner.app.state.settings.model_dump())
    )
    with serving(app) as address:
        yield address, app.state.service


def wait_until(condition: Any, seconds: float = 20) -> None:
    ends = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < ends, "the work goes on"
        time.sleep(0.02)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_cancelled_call_frees_its_thread(
    answers: tuple[str, Any],
    scripted: Scripted,  # noqa: F811
    mode: str,
) -> None:
    address, service = answers

    async def work() -> None:
        async with connected(f"{address}/mcp", mode) as client:
            call = asyncio.ensure_future(client.call_tool("answer", {"question": "slow"}))
            await asyncio.to_thread(scripted.began.wait, 20)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.to_thread(wait_until, lambda: service.answering.active == 0)
            assert value_of(await client.call_tool("list_collections", {}))["collections"]

    run(work())
    assert scripted.ended.is_set()
    assert scripted.written < 100


@pytest.mark.parametrize(
    "version", [pytest.param("2025-11-25", marks=pytest.mark.slow), "2026-07-28"]
)
def test_a_client_that_leaves_frees_its_thread(
    answers: tuple[str, Any],
    scripted: Scripted,  # noqa: F811
    version: str,
) -> None:
    address, service = answers
    call: dict[str, Any] = {"name": "answer", "arguments": {"question": "slow"}}
    headers = {**HEADERS, "mcp-protocol-version": version}
    if version > "2026":
        prefix = "io.modelcontextprotocol"
        call["_meta"] = {
            f"{prefix}/protocolVersion": version,
            f"{prefix}/clientCapabilities": {},
        }
        headers |= {"mcp-method": "tools/call", "mcp-name": "answer"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    threading.Thread(target=_leave, args=(address, body, headers, scripted)).start()
    assert scripted.began.wait(20)
    wait_until(lambda: service.answering.active == 0)
    assert scripted.written < 100


def _leave(address: str, body: Any, headers: dict[str, str], scripted: Scripted) -> None:  # noqa: F811
    """Send a call, and close the connection while the answer is written."""

    async def work() -> None:
        async with httpx.AsyncClient(timeout=30) as http:
            sent = asyncio.ensure_future(http.post(f"{address}/mcp", json=body, headers=headers))
            while not scripted.began.is_set():
                await asyncio.sleep(0.02)
            sent.cancel()

    asyncio.run(work())


def test_a_failing_model_is_an_error_of_the_tool(answers: tuple[str, Any]) -> None:
    address, _ = answers

    async def work() -> str:
        async with connected(f"{address}/mcp") as client:
            return error_of(await client.call_tool("answer", {"question": "fail"}))

    assert run(work()) == "the model is out of order"


def test_a_missing_package_is_named(
    serve: Any, problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server.lowlevel", None)
    details = problem(serve().post("/mcp", json=TOOLS, headers=HEADERS), 503, "missing_extra")
    assert details.detail == "mcp is not installed: pip install 'twindex[mcp]'"


@pytest.mark.parametrize("name", [None, 1.5, [1], {"a": 1}, True])
def test_a_request_with_an_invalid_id_is_refused(address: str, name: Any) -> None:
    reply = httpx.post(f"{address}/mcp", json={**TOOLS, "id": name}, headers=HEADERS)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == -32600


@pytest.mark.parametrize("name", [0, -1, 10**18, "a", "", "x" * 100_000])
def test_every_string_and_integer_is_an_id(address: str, name: Any) -> None:
    ping = {"jsonrpc": "2.0", "id": name, "method": "ping"}
    reply = httpx.post(f"{address}/mcp", json=ping, headers=HEADERS)
    assert reply.status_code == 200
    assert json.loads(reply.text.split("data: ", 1)[1])["id"] == name
