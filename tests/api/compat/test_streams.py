"""Streams of answers, read by each official client: slow, left, cancelled, too long and cut off."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .conftest import BIRDS, COLLECTIONS, GENERATORS, KEY, Process, cohere_client, end, launch

QUESTION = "Which bird cannot fly?"
TALK = [{"role": "user", "content": QUESTION}]
SLOW, FAST = "rag:birds:slow", "rag:birds:fake"


class Failed(Exception):  # noqa: N818 - what the tests expect
    """A stream whose last event says that the answer failed."""


def chat(openai: Any, cohere: Any, model: str) -> Iterator[str]:
    """Yield the texts of a stream of OpenAI's chat completions."""
    with openai.chat.completions.create(model=model, messages=TALK, stream=True) as stream:
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content


def responses(openai: Any, cohere: Any, model: str) -> Iterator[str]:
    """Yield the texts of a stream of OpenAI's responses."""
    with openai.responses.create(model=model, input=QUESTION, stream=True) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                yield event.delta
            elif event.type == "error":
                raise Failed(event.message)


def cohere_chat(openai: Any, cohere: Any, model: str) -> Iterator[str]:
    """Yield the texts of a stream of Cohere's chat."""
    with closing(cohere.chat_stream(model=model, messages=TALK)) as events:
        for event in events:
            if event.type == "content-delta":
                yield event.delta.message.content.text
            elif event.type == "message-end" and event.delta.finish_reason == "ERROR":
                assert event.delta.usage is None  # The model may still be working.
                raise Failed(event.delta.error)


STREAMS = {"OpenAI chat": chat, "OpenAI responses": responses, "Cohere chat": cohere_chat}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_slow_stream_arrives_word_by_word_and_can_be_left(openai, cohere, stream):
    texts = stream(openai, cohere, SLOW)
    times = [time.monotonic() for _, _ in zip(range(30), texts, strict=False)]
    texts.close()
    assert times[-1] - times[0] > 0.2
    # The server has one thread. Without the closed stream, this one waits for its 20 seconds.
    assert "kiwi" in "".join(stream(openai, cohere, FAST)).lower()
    assert time.monotonic() - times[-1] < 15


async def cancelled_openai(url: str, api: str) -> None:
    import openai

    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:

        async def read(model: str) -> int:
            if api == "chat":
                stream = await client.chat.completions.create(
                    model=model, messages=TALK, stream=True
                )
            else:
                stream = await client.responses.create(model=model, input=QUESTION, stream=True)
            return len([event async for event in stream])

        await cancel(read)


async def cancelled_cohere(url: str, api: str) -> None:
    import cohere
    import httpx

    async with httpx.AsyncClient(timeout=120) as connections:
        client = cohere.AsyncClientV2(api_key=KEY, base_url=url, httpx_client=connections)

        async def read(model: str) -> int:
            return len([event async for event in client.chat_stream(model=model, messages=TALK)])

        await cancel(read)


async def cancel(read: Callable[[str], Any]) -> None:
    """Cancel a task that reads a slow stream. Then a fast one must get the only thread."""
    task = asyncio.ensure_future(read(SLOW))
    await asyncio.sleep(0.7)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.wait_for(read(FAST), 60) > 3


@pytest.mark.parametrize(
    ("client", "api"),
    [(cancelled_openai, "chat"), (cancelled_openai, "responses"), (cancelled_cohere, "chat")],
    ids=STREAMS,
)
def test_a_cancelled_stream_frees_the_only_thread(server, client, api):
    for package in ("openai", "cohere"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    asyncio.run(client(server.url, api))


class Fragile:
    """A server of its own on one port, whose answers end after two seconds."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.root = root
        (root / "data").mkdir()
        (root / "generators.toml").write_text(GENERATORS)
        self.process = self.start()
        self.process.http.put("/v1/collections/birds", json=COLLECTIONS["birds"])
        for name, bird in BIRDS.items():
            self.process.http.put(f"/v1/collections/birds/documents/{name}", json=bird)

    def start(self) -> Process:
        return launch(
            self.root / "data",
            port=self.port,
            TWINDEX_GENERATORS=str(self.root / "generators.toml"),
            TWINDEX_ANSWER_SECONDS="2",
        )

    def kill(self) -> None:
        self.process.process.kill()
        end(self.process)

    def restart(self) -> None:
        self.process = self.start()


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragile]:
    made = Fragile(tmp_path_factory.mktemp("fragile"))
    yield made
    end(made.process)


@pytest.mark.slow
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_stream_that_takes_too_long_or_is_cut_off_raises_an_error(fragile, stream):
    package = pytest.importorskip("openai", reason="openai is not installed")
    httpx = pytest.importorskip("httpx", reason="httpx is not installed")
    url = fragile.process.url
    with (
        package.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as openai,
        cohere_client(url) as cohere,
    ):
        with pytest.raises((Failed, package.APIError)) as raised:
            list(stream(openai, cohere, SLOW))
        assert "answer_seconds" in str(raised.value)
        reading = stream(openai, cohere, SLOW)
        began = [next(reading) for _ in range(5)]
        fragile.kill()
        with pytest.raises((httpx.TransportError, package.APIError)):
            began.extend(reading)
        fragile.restart()
        assert "kiwi" in "".join(stream(openai, cohere, FAST)).lower()
