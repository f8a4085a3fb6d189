"""Engines that rerank."""

from __future__ import annotations

import pytest

from twindex.core.rerank_config import FakeRerankerConfig
from twindex.rerank import Needs
from twindex.search import RerankerRegistry

from .rerank_engines import FAKES, Spy, opened


@pytest.fixture(scope="module")
def reranking(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("data") / "c", RerankerRegistry(FAKES)) as engine:
        yield engine


@pytest.fixture
def spied(tmp_path):
    """Make an engine whose only reranker is a Spy with some needs."""
    engines = []

    def make(**needs):
        spy = Spy(Needs(**needs))
        registry = RerankerRegistry({"spy": FakeRerankerConfig()}, load=lambda config: spy)
        engines.append(opened(tmp_path / "c", registry))
        return engines[-1], spy

    yield make
    for engine in engines:
        engine.close()
