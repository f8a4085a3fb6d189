"""Collections in this process, and collections of a server that runs in a process of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import twindex
from twindex.rerank import parse_spec

from ...house import served
from .filtered import METADATA

TEXTS: dict[str, Any] = {
    "legs": {
        "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
        "lexical": {"kind": "lexical"},
    }
}
"""The collection encodes texts."""
VECTORS: dict[str, Any] = {
    "legs": {
        "dense": {"kind": "dense", "encoder": {"kind": "external", "dimensions": 6}},
        "lexical": {"kind": "lexical"},
    }
}
"""The application supplies dense vectors."""

BIRDS = [
    {"id": "kiwi", "text": "The kiwi cannot fly.", "title": "Kiwi", "metadata": {"year": 1813}},
    {"id": "emu", "text": "The emu runs and cannot fly.", "metadata": {"year": 1790}},
    {"id": "swift", "text": "Swifts fly while they sleep.", "metadata": {"tags": ["air", "fast"]}},
]
PLACES = ["local", pytest.param("service", marks=pytest.mark.slow)]
RERANKERS = '[rerankers.fast]\nkind = "fake"\n\n[rerankers.broken]\nkind = "fake"\nfails_at = 0\n'


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem(name: str, obj: object) -> Generator[None, Any, Any]:
    """Mark the asynchronous tests, because the standard tests of LangChain have no mark.

    Tests with a service are slow, because a server starts.
    """
    found = yield
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.add_marker("asyncio")
        if isinstance(item, pytest.Function) and "service" in item.fixturenames:
            item.add_marker("slow")
    return found


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `twindex serve` in another process, with the rerankers fast and broken."""
    root = tmp_path_factory.mktemp("served")
    (root / "rerankers.toml").write_text(RERANKERS)
    with served(root, "--rerankers", str(root / "rerankers.toml")) as address:
        yield address


Make = Callable[..., Any]


@pytest.fixture(params=PLACES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """A function that creates an empty collection, in this process or in the service."""
    if request.param == "local":
        rerankers = twindex.RerankerRegistry({"fast": parse_spec("fake")})
        opened: list[Any] = []

        def local(config: Any = TEXTS) -> Any:
            opened.append(twindex.create(tmp_path / uuid4().hex, config, rerankers=rerankers))
            return opened[-1]

        yield local
        for made in opened:
            made.close()
        return
    with twindex.Client(request.getfixturevalue("service"), patience=120) as client:
        names: list[str] = []

        def remote(config: Any = TEXTS) -> Any:
            names.append(uuid4().hex)
            return client.create(names[-1], config)

        yield remote
        for name in names:
            client.drop(name)


@pytest.fixture
def birds(make: Make) -> Any:
    """A collection with three birds."""
    collection = make()
    collection.add(BIRDS)
    return collection


@pytest.fixture(params=PLACES)
def reranker(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The arguments of an adapter for the reranker `fast`, in this process or in the service."""
    if request.param == "local":
        yield {"reranker": parse_spec("fake").load()}
    else:
        with twindex.Client(request.getfixturevalue("service")) as client:
            yield {"reranker": client, "model": "fast"}


Counted = Callable[[Any], set[str]]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    """A function from a filter to the ids of the documents of `METADATA` that meet it."""
    config = twindex.CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    with twindex.create(tmp_path_factory.mktemp("filtered") / "c", config) as collection:
        collection.add(
            {"id": id_, "text": "", "metadata": metadata} for id_, metadata in METADATA.items()
        )
        yield lambda filter_: {one.id for one in collection.documents(filter=filter_, limit=100)}
