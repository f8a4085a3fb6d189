"""A caller that leaves does not wait for the model of a rewriter."""

from __future__ import annotations

from threading import Event
from time import perf_counter

import pytest

from twindex.core import Document, Guard
from twindex.encoders import AnalyzerConfig
from twindex.generate.rewriting import FakeRewriterConfig, QueriesConfig
from twindex.generate.rewriting.queries import QueriesRewriter
from twindex.index import CollectionConfig, LexicalLeg
from twindex.llm.fake import FakeModel
from twindex.search import Collection, RewriterRegistry


class Gone(Exception):  # noqa: N818 - the client has left
    """Raised by the guard."""


RELEASED = Event()


def _hangs(prompt):
    RELEASED.wait(20)
    return "wings"


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    rewriters = RewriterRegistry(
        {"hangs": QueriesConfig(), "waits": FakeRewriterConfig(milliseconds=20_000)},
        load=lambda config: (
            QueriesRewriter(config, FakeModel(_hangs))
            if isinstance(config, QueriesConfig)
            else config.load()
        ),
    )
    config = CollectionConfig(legs={"lexical": LexicalLeg(encoder=AnalyzerConfig(language="en"))})
    path = tmp_path_factory.mktemp("leaving") / "c"
    with Collection.create(path, config, rewriters=rewriters) as opened:
        opened.add([Document("moa", "The moa had no wings.")])
        yield opened
    RELEASED.set()


@pytest.mark.parametrize("limits", [{}, {"timeout_ms": 15_000}])
@pytest.mark.parametrize("name", ["hangs", "waits"])
@pytest.mark.parametrize("method", ["search", "answer"])
def test_a_caller_that_leaves_does_not_wait_for_a_rewriter(collection, name, method, limits):
    left_at = perf_counter() + 0.2

    def check():
        if perf_counter() > left_at:
            raise Gone

    rewrite = {"model": name, **limits}
    with pytest.raises(Gone):
        getattr(collection, method)("moa?", rewrite=rewrite, guard=Guard(check))
    assert perf_counter() - left_at < 1
