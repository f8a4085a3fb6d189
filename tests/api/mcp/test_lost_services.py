"""Services that are killed or stopped, and calls that are cancelled, with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from mcp import Client

from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings

from ..answers.conftest import Scripted, answering, scripted  # noqa: F401 - fixtures
from .conftest import MODES, command, error_of, fill, value_of
from .conftest import run as wait_for
from .test_http import wait_until

SLOW = """
[generators.slow]
kind = "fake"
milliseconds = 100
text = "{words}"
"""
"""A file of generators. Each word takes 100 ms."""


class Serving:
    """A `twindex serve` process on one port, which can be killed and restarted."""

    def __init__(self, root: Path, *arguments: str) -> None:
        self.arguments = arguments
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.root = root
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "twindex.api.cli.main", "serve", str(self.root)),
                *("--port", str(self.port), *self.arguments),
            ],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for _ in range(1_500):
            try:
                if httpx.get(f"{self.address}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError("the server does not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[Serving]:
    server = Serving(fill(tmp_path))
    yield server
    server.kill()


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_killed_server_is_an_error_and_a_restarted_one_answers(
    killable: Serving, mode: str
) -> None:
    fetch = {"id": "birds/kiwi"}

    async def work() -> None:
        async with (
            Client(command("--url", killable.address), mode=mode) as stdio,
            Client(f"{killable.address}/mcp", mode=mode) as direct,
        ):
            for client in (stdio, direct):
                assert value_of(await client.call_tool("fetch", fetch))["title"] == "Kiwi"
            killable.kill()
            began = time.monotonic()
            message = error_of(await stdio.call_tool("fetch", fetch))
            assert message.startswith(f"no reply from {killable.address}")
            assert time.monotonic() - began < 30
            await asyncio.to_thread(killable.start)
            for client in (stdio, direct):
                assert value_of(await client.call_tool("fetch", fetch))["title"] == "Kiwi"

    async def fails() -> None:
        async with Client(f"{killable.address}/mcp", mode=mode) as client:
            await asyncio.to_thread(killable.kill)
            await client.call_tool("fetch", fetch)

    asyncio.run(asyncio.wait_for(work(), 250))
    # Without a server, the official client ends by itself.
    with pytest.raises(ExceptionGroup):
        wait_for(fails())


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_cancelled_call_frees_the_thread_of_the_service(
    answering: Any,  # noqa: F811
    scripted: Scripted,  # noqa: F811
    serving: Any,
    mode: str,
) -> None:
    inner = answering()
    settings = Settings(**inner.app.state.settings.model_dump())
    app = create_app(inner.app.state.service.root, settings)

    async def work(address: str) -> None:
        async with Client(command("--url", address), mode=mode) as client:
            call = asyncio.ensure_future(client.call_tool("answer", {"question": "slow"}))
            await asyncio.to_thread(scripted.began.wait, 20)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            service = app.state.service
            await asyncio.to_thread(wait_until, lambda: service.answering.active == 0)
            assert value_of(await client.call_tool("list_collections", {}))["collections"]

    with serving(app) as address:
        wait_for(work(address))
    assert scripted.written < 100


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_cancelled_call_frees_the_only_thread_of_the_process(root: Path, mode: str) -> None:
    file = root.parent / "long.toml"
    file.write_text(SLOW.format(words="word " * 600))
    limits = {"TWINDEX_ANSWER_THREADS": "1", "TWINDEX_ANSWER_QUEUE": "0"}
    question = {"question": "Which bird cannot fly?"}
    nothing = {**question, "filter": {"id": "none"}}

    async def work() -> None:
        parameters = command(str(root / "birds"), "--generators", str(file), **limits)
        async with Client(parameters, mode=mode) as client:
            assert value_of(await client.call_tool("answer", nothing))["reason"] == "no sources"
            call = asyncio.ensure_future(client.call_tool("answer", question))
            await asyncio.sleep(1)
            busy = error_of(await client.call_tool("answer", nothing))
            assert busy == "1 requests are running or waiting; try again in a second"
            call.cancel()
            await asyncio.sleep(1)
            free = value_of(await client.call_tool("answer", nothing))
            assert free["reason"] == "no sources"

    wait_for(work())


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_server_that_stops_finishes_its_calls(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "short.toml"
    file.write_text(SLOW.format(words=" ".join(f"word{n}" for n in range(40))))
    (tmp_path / "data").mkdir()
    server = Serving(fill(tmp_path / "data"), "--generators", str(file))
    question = {"question": "Which bird cannot fly?", "collection": "birds"}

    async def work() -> Any:
        async with Client(f"{server.address}/mcp", mode=mode) as client:
            await client.list_tools()  # The client compares results with the schemas of tools.
            call = asyncio.ensure_future(client.call_tool("answer", question))
            await asyncio.sleep(1.5)
            server.process.terminate()
            return value_of(await call)

    try:
        assert "word39" in wait_for(work())["text"]
        assert server.process.wait(60) == -signal.SIGTERM
    finally:
        server.kill()
