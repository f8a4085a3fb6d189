"""Collections with rerankers."""

from __future__ import annotations

import pytest

from twindex.rerank import FakeRerankerConfig, Needs
from twindex.search import RerankerRegistry

from .rerank_collections import FAKES, Spy, opened


@pytest.fixture(scope="module")
def reranking(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("data") / "c", RerankerRegistry(FAKES)) as collection:
        yield collection


@pytest.fixture
def spied(tmp_path):
    """Return a function that makes a collection with a Spy as its only reranker."""
    collections = []

    def make(**needs):
        spy = Spy(Needs(**needs))
        registry = RerankerRegistry({"spy": FakeRerankerConfig()}, load=lambda config: spy)
        collections.append(opened(tmp_path / "c", registry))
        return collections[-1], spy

    yield make
    for collection in collections:
        collection.close()
