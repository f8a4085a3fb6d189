"""A collection for reranking tests, and a reranker that records its tasks."""

from __future__ import annotations

import random
import threading

from twindex.core import Document
from twindex.encoders import DenseEncoderConfig, PassageConfig, SparseEncoderConfig
from twindex.index import CollectionConfig, DenseLeg, FlatConfig, Int8Codec, LexicalLeg, SparseLeg
from twindex.rerank import (
    ChainConfig,
    FakeRerankerConfig,
    Needs,
    Placed,
    Reranked,
    StageConfig,
)
from twindex.search import Collection, SearchRequest

QUERY = "ant bee cat"
WORDS = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen"]
MANY = " ".join(WORDS)
DENSE = DenseEncoderConfig(model="fake")
LEGS = {
    "dense": DenseLeg(encoder=DENSE),
    "coded": DenseLeg(
        role="rerank", encoder=DENSE, index=FlatConfig(), codec=Int8Codec(), originals="none"
    ),
    "sparse": SparseLeg(role="rerank", encoder=SparseEncoderConfig(model="fake")),
    "lexical": LexicalLeg(),
}
SEARCHED = ("dense", "lexical")
FAKES = {
    "fake": FakeRerankerConfig(),
    "slow": FakeRerankerConfig(milliseconds=25),
    "bad": FakeRerankerConfig(fails_at=3),
    "half": ChainConfig(
        stages=(
            StageConfig(reranker=FakeRerankerConfig(), candidates=20),
            StageConfig(reranker=FakeRerankerConfig(fails_at=0), candidates=5),
        )
    ),
    "whole": FakeRerankerConfig(text="document", candidates=7),
    "chain": ChainConfig(
        stages=(
            StageConfig(reranker=FakeRerankerConfig(), candidates=20),
            StageConfig(reranker=FakeRerankerConfig(text="document"), candidates=5),
        )
    ),
}


def documents():
    chosen = random.Random(7)
    return [
        Document(
            f"d{i:02}",
            " ".join(chosen.choices(WORDS, k=chosen.randint(3, 20))),
            chosen.choice(["", "elk", "ant"]),
            {"odd": i % 2 == 1},
        )
        for i in range(60)
    ]


class Spy:
    """Reverses the order and records its tasks; waits for `gate` if there is one."""

    kind = "fake"

    def __init__(self, needs=None):
        self.needs = needs or Needs()
        self.calls = []
        self.began, self.gate = threading.Event(), None

    def rerank(self, tasks, budget=None):
        self.calls.append((list(tasks), budget))
        self.began.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        return [
            Reranked([Placed(i) for i in reversed(range(len(task.candidates)))]) for task in tasks
        ]

    @property
    def candidates(self):
        return self.calls[-1][0][0].candidates


def opened(path, rerankers):
    config = CollectionConfig(
        legs=LEGS, passages=PassageConfig(unit="words", size=5, overlap=1, threshold=6)
    )
    collection = Collection.create(path, config, rerankers=rerankers)
    given_documents = documents()
    collection.add(given_documents[:30])
    collection.seal()
    collection.add(given_documents[20:])  # Ten of the segment are dead; the rest is in the delta.
    return collection


def asked(query=QUERY, **fields):
    rerank = fields.pop("rerank")
    rerank = {"model": rerank} if isinstance(rerank, str) else rerank
    return SearchRequest.parse({"query": query, "limit": 60, **fields, "rerank": rerank})


def plain(request):
    return request.model_copy(update={"rerank": None})


def share(text, query=QUERY):
    words = query.split()
    return sum(word in text.split() for word in words) / len(words)


def best_passage(hit):
    text = hit.document.text
    return text if hit.passage is None else text[hit.passage.start : hit.passage.end]
