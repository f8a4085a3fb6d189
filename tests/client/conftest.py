"""Fixtures for a collection in this process, by the blocking and by the asyncio client."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import twindex
from twindex.api.http.app import create_app
from twindex.api.http.arrival.listener import listen
from twindex.api.serving.settings import Settings
from twindex.client import blocking

CONFIG = {
    "legs": {
        "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
        "lexical": {"kind": "lexical"},
    }
}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the client waited; nothing waits."""
    found: list[float] = []
    monkeypatch.setattr(blocking.time, "sleep", found.append)
    return found


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running service with the reranker `fast`."""
    root = tmp_path_factory.mktemp("served")
    rerankers = root / "rerankers.toml"
    rerankers.write_text('[rerankers.fast]\nkind = "fake"\n')
    (root / "data").mkdir()
    app = create_app(root / "data", Settings(rerankers=rerankers))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    listener = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)
    listener.close()


class Awaiting:
    """Wraps an asynchronous object, so that its methods block."""

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner, self._loop = inner, loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            result = found(*arguments, **options)
            if inspect.isasyncgen(result):
                return self._loop.run_until_complete(_all(result))
            result = self._loop.run_until_complete(result)
            ours = type(result).__module__.startswith("twindex.client.asynchronous")
            return Awaiting(result, self._loop) if ours else result

        return call


async def _all(found: Any) -> list[Any]:
    return [one async for one in found]


class Local:
    """Creates and opens collections in a folder by name, with the interface of the clients."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, name: str, config: Any = None) -> Any:
        return twindex.create(self.root / name, _config(config))

    def open(self, name: str) -> Any:
        return twindex.open(self.root / name)

    def open_or_create(self, name: str, config: Any = None) -> Any:
        return twindex.open_or_create(self.root / name, _config(config))


def _config(value: Any) -> twindex.CollectionConfig | None:
    return None if value is None else twindex.CollectionConfig.parse(value)


@pytest.fixture(params=["local", "blocking", "asyncio"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A local folder or a client, which creates and opens collections."""
    if request.param == "local":
        yield Local(tmp_path)
    elif request.param == "blocking":
        with twindex.Client(request.getfixturevalue("service"), patience=0) as client:
            yield client
    else:
        loop = asyncio.new_event_loop()
        inner = twindex.AsyncClient(request.getfixturevalue("service"), patience=0)
        yield Awaiting(inner, loop)
        loop.run_until_complete(inner.close())
        loop.close()


@pytest.fixture
def named(request: pytest.FixtureRequest) -> str:
    """A collection name that only this test uses."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[:60]


@pytest.fixture
def birds(door: Any, named: str) -> Iterator[Any]:
    """A collection with three documents about birds."""
    collection = door.create(named, CONFIG)
    collection.add(
        [
            {"id": "kiwi", "text": "The kiwi cannot fly.", "metadata": {"year": 1813}},
            twindex.Document("emu", "The emu runs and cannot fly.", "Emu", {"year": 1790}),
            {"_id": "swift", "text": "Swifts fly while they sleep."},
        ]
    )
    yield collection
    collection.close()


Open = Callable[..., Any]
