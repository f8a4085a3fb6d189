"""Fixtures: services with collections, and the official client of the tools."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult

import twindex
from twindex.api.http.app import create_app
from twindex.api.mcp.backend import RemoteBackend
from twindex.api.mcp.places import Place
from twindex.api.mcp.server import build_server
from twindex.client import AsyncClient

ODD = ["a/b c", "100%25 %2F", "ünï/côdé 🐦", "/", "..?x=1&y#z", " "]
"""Ids that need care in addresses."""

CONFIG = {
    "legs": {
        "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
        "lexical": {"kind": "lexical"},
    }
}

BIRDS: list[dict[str, Any]] = [
    {
        "id": "kiwi",
        "title": "Kiwi",
        "text": "The kiwi cannot fly. It lives in New Zealand. 🐦 It has 2 legs.",
        "metadata": {"year": 1813, "tags": ["a", "b"]},
    },
    {
        "id": "emu",
        "title": "Emu",
        "text": "The emu runs and cannot fly.",
        "metadata": {"year": 1790, "url": "https://birds.example/emu"},
    },
    {"id": "swift", "text": "Swifts fly while they sleep."},
]

MODES = ("auto", pytest.param("legacy", marks=pytest.mark.slow))
"""Ways in which the official client connects: the latest protocol, or with a handshake."""


def fill(root: Path) -> Path:
    """Make the collections `birds` and `lakes` in a folder."""
    with twindex.open_or_create(root / "birds", CONFIG) as birds:
        birds.add(BIRDS)
    with twindex.open_or_create(root / "lakes", CONFIG) as lakes:
        lakes.add({"id": id_, "text": f"Lake number {n} is deep."} for n, id_ in enumerate(ODD))
        lakes.add([{"id": "long", "text": " ".join(f"word{n}" for n in range(2_000))}])
    return root


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two collections."""
    return fill(tmp_path_factory.mktemp("collections"))


@pytest.fixture(scope="session")
def address(root: Path, serving: Any) -> Iterator[str]:
    """The address of a service with two collections."""
    with serving(create_app(root)) as found:
        yield found


@pytest.fixture(scope="session")
def single(root: Path, serving: Any) -> Iterator[str]:
    """The address of a service with one collection."""
    with serving(create_app(root / "birds")) as found:
        yield found


@asynccontextmanager
async def remote(
    address: str, only: str | None = None, mode: str = "auto", **options: Any
) -> AsyncIterator[Client]:
    """Connect the official client to the tools of a running service, in this process."""
    async with AsyncClient(address, **options) as client:
        server = build_server(lambda _: RemoteBackend(client), lambda _: Place(only, f"{address}/"))
        async with Client(server, mode=mode) as connected:
            yield connected


def command(*arguments: str, **variables: str) -> StdioServerParameters:
    """Return how the official client starts `twindex mcp`."""
    environment = {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "OMP_NUM_THREADS": "1"}
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "twindex.api.cli.main", "mcp", *arguments],
        env={**environment, **variables},
    )


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine for at most a minute."""
    return asyncio.run(asyncio.wait_for(work, 60))


def value_of(result: CallToolResult) -> Any:
    """Return the structured result of a tool, which equals its text."""
    (content,) = result.content
    assert not result.is_error, content
    assert json.loads(content.text) == result.structured_content  # type: ignore[union-attr]
    return result.structured_content


def error_of(result: CallToolResult) -> str:
    """Return the message of a tool that failed."""
    (content,) = result.content
    assert result.is_error
    assert result.structured_content is None
    return str(content.text)  # type: ignore[union-attr]


def once(address: str, tool: str, arguments: dict[str, Any], **options: Any) -> CallToolResult:
    """Call one tool of a running service and return the result."""

    async def call() -> CallToolResult:
        async with remote(address, **options) as client:
            return await client.call_tool(tool, arguments)

    found: CallToolResult = run(call())
    return found


def detail(address: str, path: str, body: Any = None) -> str:
    """Return the message of an error of the REST interface."""
    method = "GET" if body is None else "POST"
    reply = httpx.request(method, f"{address}/v1/collections/{path}", json=body)
    assert reply.status_code >= 400
    return str(reply.json()["detail"])


Call = Callable[..., CallToolResult]
