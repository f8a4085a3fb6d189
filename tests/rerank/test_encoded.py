"""Rerankers that encode query and passage separately: late interaction, TILDEv2, stored legs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from twindex.core import Document, ModelError, Representation, Role
from twindex.encoders import (
    FakeLateEncoder,
    FakeTildeEncoder,
    LateEncoderConfig,
    PassageConfig,
    TildeEncoderConfig,
    load_encoder,
    split_passages,
)
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, SparseLeg
from twindex.rerank import (
    Budget,
    Candidate,
    LateInteractionConfig,
    LegScoreConfig,
    Needs,
    Task,
    TildeConfig,
    load_reranker,
    rerank_one,
)
from twindex.rerank.encoded.base import EncodedJudge
from twindex.rerank.encoded.late import LateInteractionReranker, TokenReader
from twindex.rerank.encoded.stored import StoredLegReranker
from twindex.rerank.encoded.tilde import TildeReranker
from twindex.rerank.scoring import Question
from twindex.search import Collection, LegRequest, RerankerRegistry, RerankRequest

QUERY = "ants build large nests"
TEXTS = [
    "Bees make honey.",
    "Ants build nests, and the nests of ants are large.",
    "A nest of wasps.",
    "",
    "Large cities: people build them.",
]
CANDIDATES = [Candidate(str(i), text, title="On nests") for i, text in enumerate(TEXTS)]


def max_sim(query: np.ndarray, passage: np.ndarray) -> float:
    return sum(max(float(q @ p) for p in passage) for q in query)


@pytest.mark.parametrize("model", ["fake", "all-MiniLM-L6-v2"])
def test_late_interaction_equals_maxsim(model: str) -> None:
    encoder = load_encoder(LateEncoderConfig(model=model, device="cpu"))
    query = encoder.encode([QUERY], role="query").dense
    expected = {
        i: max_sim(query, encoder.encode([one.read()], role="document").dense)
        for i, one in enumerate(CANDIDATES)
    }
    found = rerank_one(
        load_reranker(LateInteractionConfig(model=model, device="cpu")), QUERY, CANDIDATES
    )
    assert [place.index for place in found.order] == sorted(expected, key=lambda i: -expected[i])
    for place in found.order:
        assert place.score == pytest.approx(expected[place.index], rel=1e-3)
    assert found.order[0].index == 1
    matches = found.order[0].reasons["matches"]
    assert {(match["query"], match["passage"]) for match in matches} >= {("nests", "nests")}
    assert sum(match["score"] for match in matches) <= found.order[0].score + 1e-3
    assert found.usage.calls == len(TEXTS) + 1
    assert (found.status, found.truncated) == ("complete", 0)


@pytest.mark.parametrize("model", ["fake", "splade-tiny"])
def test_tilde_sums_the_weights_of_query_tokens(model: str) -> None:
    encoder = load_encoder(TildeEncoderConfig(model=model, device="cpu"))
    query = encoder.encode([QUERY], role="query").sparse
    found = rerank_one(load_reranker(TildeConfig(model=model, device="cpu")), QUERY, CANDIDATES)
    for place in found.order:
        passage = encoder.encode([CANDIDATES[place.index].read()], role="document").sparse
        score = float((query @ passage.T).toarray()[0, 0])
        assert place.score == pytest.approx(score, abs=1e-4)
        shares = sum(term["score"] for term in place.reasons["terms"])
        assert shares == pytest.approx(score, abs=1e-3)
    scores = [place.score for place in found.order]
    assert scores == sorted(scores, reverse=True)
    assert found.order[0].index == 1
    assert found.usage.calls == len(TEXTS), "no model reads a query"


class Counted(FakeLateEncoder):
    """Records the texts that it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[tuple[str, str]] = []

    def encode_tokens(
        self, texts: Sequence[str], *, role: Role
    ) -> tuple[Representation, list[list[str]]]:
        self.read += [(role, text) for text in texts]
        if any("refuse" in text for text in texts):
            raise ModelError("refused")
        return super().encode_tokens(texts, role=role)


def test_a_passage_is_encoded_once_for_all_queries() -> None:
    encoder = Counted()
    reranker = LateInteractionReranker(LateInteractionConfig(model="fake"), encoder)
    queries = [QUERY, "honey of bees", QUERY]
    results = reranker.rerank([Task(query, CANDIDATES) for query in queries])
    passages = [text for role, text in encoder.read if role == "document"]
    assert sorted(passages) == sorted({one.read() for one in CANDIDATES})
    assert sorted(text for role, text in encoder.read if role == "query") == sorted(set(queries))
    assert sum(result.usage.calls for result in results) == len(TEXTS) + 2
    assert sum(result.usage.prompt_tokens for result in results) == sum(
        max(1, len(text.replace(",", " ").replace(":", " ").replace(".", " ").split()))
        for _, text in encoder.read
    )
    assert results[2].order == results[0].order
    assert results[2].usage.cache_hits == len(TEXTS)
    before = list(encoder.read)
    later = rerank_one(reranker, "wasps", CANDIDATES)
    assert encoder.read == [*before, ("query", "wasps")]
    assert (later.usage.calls, later.usage.prompt_tokens) == (1, 1)


def test_the_cache_is_bounded() -> None:
    """Vectors that do not fit into the cache are encoded again, with the same result."""
    encoder = Counted()
    judge = EncodedJudge(TokenReader(encoder), remembered=3_000)
    questions = [Question(QUERY, f"number {i} of the passages") for i in range(20)]
    first = [found.answer.score for found in judge.ask(questions)]
    read = len(encoder.read)
    again = [found.answer.score for found in judge.ask(questions)]
    assert again == first
    assert len(encoder.read) > read
    judge.ask(questions[:1])
    assert judge.ask(questions[:1])[0].usage.calls == 0


def test_budgets_and_failures() -> None:
    reranker = LateInteractionReranker(LateInteractionConfig(model="fake"), Counted())
    found = rerank_one(reranker, QUERY, CANDIDATES, Budget(calls=3))
    assert found.status == "partial"
    assert found.usage.calls == 3  # The query and two passages.
    assert [place.index for place in found.order if not place.judged] == [2, 3, 4]
    # Cached texts cost nothing.
    found = rerank_one(reranker, QUERY, CANDIDATES[:2], Budget(calls=0))
    assert found.status == "complete"
    failed = rerank_one(reranker, "refuse", CANDIDATES)
    assert failed.status == "failed"
    assert [place.index for place in failed.order] == [0, 1, 2, 3, 4]


def test_cut_texts_are_counted() -> None:
    config = LateInteractionConfig(model="fake", document_length=8)
    assert rerank_one(load_reranker(config), QUERY, CANDIDATES).truncated == 1
    tilde = TildeReranker(
        TildeConfig(model="fake"), FakeTildeEncoder(TildeEncoderConfig(model="fake", max_length=8))
    )
    assert rerank_one(tilde, QUERY, CANDIDATES).truncated == 1


def test_stored_leg_sorts_by_stored_scores() -> None:
    reranker = StoredLegReranker(LegScoreConfig(leg="late"))
    assert reranker.needs == Needs(legs=frozenset({"late"}))
    scores = {"a": {"late": 2.0, "x": 9.0}, "b": {}, "c": {"late": 5.0}, "d": {"late": 2.0}}
    candidates = [Candidate(name, "", legs=legs) for name, legs in scores.items()]
    found = rerank_one(reranker, QUERY, candidates)
    assert [(place.index, place.score) for place in found.order] == [
        (2, 5.0), (0, 2.0), (3, 2.0), (1, 0.0),
    ]  # fmt: skip
    assert found.order[0].reasons == {"leg": "late", "leg_score": 5.0}
    assert (found.status, found.usage.calls) == ("complete", 0)
    part = rerank_one(reranker, QUERY, candidates, Budget(candidates=2, calls=0))
    assert [place.index for place in part.order] == [0, 1, 2, 3]
    assert [place.judged for place in part.order] == [True, True, False, False]
    assert part.status == "partial"
    assert rerank_one(reranker, QUERY, []).order == []


def test_a_stored_leg_equals_late_interaction_at_query_time(tmp_path: Path) -> None:
    """In a collection with updates and deletions, documents rank by their best passage."""
    late, tilde = LateEncoderConfig(model="fake"), TildeEncoderConfig(model="fake")
    config = CollectionConfig(
        legs={
            "lexical": LexicalLeg(),
            "late": DenseLeg(role="rerank", encoder=late),
            "tilde": SparseLeg(role="rerank", encoder=tilde),
        },
        passages=PassageConfig(unit="words", size=6, overlap=2, threshold=8),
    )
    rng = np.random.default_rng(0)
    words = np.array(
        [
            "ant",
            "bee",
            "cat",
            "dog",
            "elk",
            "fox",
            "gnu",
            "hen",
            "ibis",
            "jay",
            "nest",
            "nests",
            "build",
        ]
    )
    documents = {
        f"d{i}": Document(f"d{i}", " ".join(rng.choice(words, rng.integers(3, 20))))
        for i in range(60)
    }
    rerankers = RerankerRegistry({name: LegScoreConfig(leg=name) for name in ("late", "tilde")})
    with Collection.create(tmp_path / "c", config, rerankers=rerankers) as collection:
        collection.add([Document(f"d{i}", "jay jay jay") for i in range(0, 60, 2)])
        collection.seal()
        collection.add(list(documents.values()))
        collection.delete(["d1", "d2"])
        collection.seal()
        collection.add([documents["d3"]])
        query = "ant build nests nests"
        plain = collection.search(query, limit=30)
        assert set(plain.hits[0].legs) == {"lexical"}, "legs for reranking do not run"
        for name, encoder in (("late", FakeLateEncoder(late)), ("tilde", FakeTildeEncoder(tilde))):
            asked = encoder.encode([query], role="query")
            alone = collection.search(query, legs=[LegRequest(name=name)], limit=60)
            scores = {hit.id: hit.score for hit in alone.hits}
            found = collection.search(query, limit=30, rerank=RerankRequest(model=name, top_n=30))
            assert {hit.id for hit in found.hits} == {hit.id for hit in plain.hits}
            order = [hit.rerank.score for hit in found.hits]
            assert order == sorted(order, reverse=True)
            for hit in found.hits:
                assert hit.rerank.score == pytest.approx(scores[hit.id])
                text = documents[hit.id].text
                spans = split_passages(text, config.passages)
                pieces = encoder.encode(
                    [text[span.start : span.end] for span in spans] or [text], role="document"
                )
                best = max(score(asked, pieces.at(i)) for i in range(len(pieces)))
                assert hit.rerank.score == pytest.approx(best, rel=2e-3)


def score(query: Representation, passage: Representation) -> float:
    if query.dense is not None:
        return max_sim(query.dense, passage.dense)
    return float((query.sparse @ passage.sparse.T).toarray()[0, 0])
