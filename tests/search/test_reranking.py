"""Reranking in a search: what a reranker is given, and what becomes of its order."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import (
    CollectionConfig,
    DenseEncoderConfig,
    DenseLeg,
    Document,
    FlatConfig,
    HnswConfig,
    Int8Codec,
    InvalidInputError,
    LexicalLeg,
    ModelError,
    PassageConfig,
    SparseEncoderConfig,
    SparseLeg,
    Usage,
)
from twindex.core.rerank_config import ChainConfig, FakeRerankerConfig, StageConfig
from twindex.encoders import load_encoder
from twindex.rerank import Needs, Placed, Reranked, load_reranker
from twindex.search import Engine, LegRequest, RerankerRegistry, SearchRequest

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
    """Turns the order round and keeps what it was given; waits for `gate` where there is one."""

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
    config = CollectionConfig(legs=LEGS, passages=PassageConfig(size=5, overlap=1, threshold=6))
    engine = Engine.create(path, config, rerankers=rerankers)
    given_documents = documents()
    engine.add(given_documents[:30])
    engine.seal()
    engine.add(given_documents[20:])  # Ten of the segment are dead; the rest is in the delta.
    return engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
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


# -- order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("top_n", [1, 5, 30, 1_000])
def test_the_best_are_ordered_by_the_reranker_and_the_others_follow(engine, top_n):
    request = asked(rerank={"model": "fake", "top_n": top_n})
    first = engine.search(plain(request)).hits
    result = engine.search(request)
    scores = [share(f"{hit.document.title} {best_passage(hit)}") for hit in first[:top_n]]
    order = sorted(range(len(scores)), key=lambda i: -scores[i]) + list(
        range(len(scores), len(first))
    )
    assert [hit.id for hit in result.hits] == [first[i].id for i in order]
    for rank, (hit, i) in enumerate(zip(result.hits, order, strict=True), 1):
        assert (hit.rerank.rank, hit.rerank.previous) == (rank, i + 1)
        assert hit.rerank.judged == (i < top_n)
        assert hit.rerank.score == (scores[i] if i < top_n else None)
        # What the legs said of it stays.
        assert (hit.score, hit.legs, hit.passage) == (
            first[i].score,
            first[i].legs,
            first[i].passage,
        )
    assert (result.total, result.relation) == (len(first), "eq")
    assert result.rerank.status == "complete"
    assert result.rerank.candidates == result.rerank.judged == len(scores)
    assert list(result.timings) == ["encode", "filter", *SEARCHED, "fuse", "rerank", "fetch"]
    assert result.timings["rerank"] >= result.rerank.seconds * 1e3


@settings(max_examples=60, deadline=None)
@given(
    step=st.integers(1, 25),
    top_n=st.integers(1, 70),
    model=st.sampled_from(["fake", "chain", "bad"]),
    least=st.sampled_from([None, 0.3, 0.9]),
    odd=st.booleans(),
)
def test_pages_neither_overlap_nor_skip(engine, step, top_n, model, least, odd):
    rerank = {"model": model, "top_n": top_n, "min_score": least}
    fields = {"rerank": rerank, "filter": {"odd": True} if odd else None}
    whole = engine.search(asked(**fields))
    pages = []
    for offset in range(0, 60, step):
        page = engine.search(asked(**fields, offset=offset, limit=min(step, 60 - offset)))
        assert (page.total, page.relation) == (whole.total, whole.relation)
        pages += page.hits
    assert [(hit.id, hit.rerank) for hit in pages] == [(hit.id, hit.rerank) for hit in whole.hits]
    assert len({hit.id for hit in pages}) == len(pages) == whole.total
    assert [hit.rerank.rank for hit in pages] == list(range(1, len(pages) + 1))


def test_without_top_n_as_many_as_configured(engine):
    assert engine.search(asked(rerank="whole")).rerank.candidates == 7
    assert engine.search(asked(rerank="chain")).rerank.candidates == 20


def test_a_chain_tells_of_its_stages(engine):
    report = engine.search(asked(rerank="chain")).rerank
    assert [(s.name, s.candidates, s.judged) for s in report.stages] == [
        ("1.fake", 20, 20),
        ("2.fake", 5, 5),
    ]
    assert sum((stage.usage for stage in report.stages), Usage()) == report.usage


def test_only_what_the_filter_lets_through_is_read(spied):
    engine, spy = spied()
    engine.search(asked(rerank="spy", filter={"odd": True}))
    assert {candidate.id for candidate in spy.candidates} == {f"d{i:02}" for i in range(1, 60, 2)}


def test_nothing_found_is_nothing_to_rerank(engine):
    result = engine.search(asked(rerank="fake", filter={"odd": "neither"}))
    assert (result.hits, result.total, result.rerank.status) == ([], 0, "complete")


def test_explained_hits_are_explained_after_reranking_too(engine):
    request = asked(rerank="fake", explain=True, limit=20)
    result = engine.search(request)
    before = {h.id: h for h in engine.search(plain(request).model_copy(update={"limit": 60})).hits}
    assert [hit.id for hit in result.hits] != list(before)[:20]
    for hit in result.hits:
        assert (hit.explain, hit.terms) == (before[hit.id].explain, before[hit.id].terms)


def test_hits_without_their_documents(engine):
    request = asked(rerank="fake")
    bare = engine.search(request.model_copy(update={"include": ()})).hits
    assert all(hit.document is None for hit in bare)
    assert [hit.id for hit in bare] == [hit.id for hit in engine.search(request).hits]


# -- what a reranker is given ----------------------------------------------------------------


def test_candidates_have_title_passage_and_whole_text(spied):
    engine, spy = spied()
    request = asked(rerank={"model": "spy", "top_n": 25})
    first = engine.search(plain(request)).hits[:25]
    engine.search(request)
    assert any(hit.passage for hit in first)
    for candidate, hit in zip(spy.candidates, first, strict=True):
        assert candidate.id == hit.id
        assert (candidate.title, candidate.text) == (hit.document.title, best_passage(hit))
        assert candidate.document == (hit.document.text if hit.passage else None)
        assert candidate.score == hit.score
        assert candidate.legs == {}
        assert candidate.vector is None


@pytest.mark.parametrize("leg", ["sparse", "coded", "lexical", "dense"])
def test_stored_scores_are_those_that_the_leg_itself_gives(spied, leg):
    engine, spy = spied(legs=frozenset({leg}))
    engine.search(asked(rerank={"model": "spy", "top_n": 40}, legs=[{"name": "lexical"}]))
    alone = engine.search(SearchRequest(query=QUERY, legs=(LegRequest(name=leg),), limit=60)).hits
    scores = {hit.id: hit.legs[leg].score for hit in alone}
    assert spy.candidates
    for candidate in spy.candidates:
        expected = {leg: scores[candidate.id]} if candidate.id in scores else {}
        assert candidate.legs == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("leg", "loss"), [("dense", 1e-6), ("coded", 0.02)])
def test_vectors_are_those_of_the_best_passage(spied, leg, loss):
    engine, spy = spied(vectors=leg)
    request = asked(rerank="spy")
    first = engine.search(plain(request)).hits
    engine.search(request)
    texts = [f"{hit.document.title} {best_passage(hit)}".strip() for hit in first]
    expected = load_encoder(DENSE).encode(texts, role="document").dense
    found = np.array([candidate.vector for candidate in spy.candidates])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=loss)


def test_stored_scores_of_an_approximate_leg_are_exact(tmp_path):
    config = CollectionConfig(
        legs={
            "lexical": LexicalLeg(),
            "dense": DenseLeg(encoder=DENSE, index=HnswConfig(flat_below=1)),
        }
    )
    spy = Spy(Needs(legs=frozenset({"dense"})))
    registry = RerankerRegistry({"spy": FakeRerankerConfig()}, load=lambda config: spy)
    chosen = random.Random(3)
    with Engine.create(tmp_path / "c", config, rerankers=registry) as engine:
        texts = [" ".join(chosen.choices(WORDS, k=9)) for _ in range(3_000)]
        engine.add({"id": str(i), "text": text} for i, text in enumerate(texts))
        engine.seal()
        engine.search(asked("hen", legs=[{"name": "lexical"}], rerank={"model": "spy"}))
    encoder = load_encoder(DENSE)
    query = encoder.encode(["hen"], role="query").dense[0]
    vectors = encoder.encode([texts[int(c.id)] for c in spy.candidates], role="document").dense
    found = [candidate.legs["dense"] for candidate in spy.candidates]
    assert found == pytest.approx((vectors @ query).tolist(), abs=1e-6)


def test_legs_for_reranking_do_not_search_unless_named(engine):
    assert set(engine.search(QUERY).hits[0].legs) == set(SEARCHED)
    named = engine.search(SearchRequest(query=QUERY, legs=(LegRequest(name="sparse"),)))
    assert set(named.hits[0].legs) == {"sparse"}


# -- budgets, thresholds, failure ------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "judged"), [({"calls": 4}, 4), ({"calls": 0}, 0), ({"tokens": 30}, None)]
)
def test_a_budget_that_runs_out_leaves_the_rest_in_order(engine, budget, judged):
    model = FakeRerankerConfig()
    registry = RerankerRegistry({"fresh": model})  # It remembers nothing.
    engine.rerankers, before = registry, engine.rerankers
    try:
        request = asked(rerank={"model": "fresh", "top_n": 20, **budget})
        result = engine.search(request)
    finally:
        engine.rerankers = before
    first = [hit.id for hit in engine.search(plain(request)).hits]
    report = result.rerank
    assert report.status == "partial"
    assert 0 <= report.judged < 20
    assert judged in (None, report.judged)
    assert report.usage.calls == report.judged
    if "tokens" in budget:
        assert 0 < report.usage.prompt_tokens <= 30
    assert {hit.id for hit in result.hits[: report.judged]} == set(first[: report.judged])
    assert [hit.id for hit in result.hits[report.judged :]] == first[report.judged :]
    (warning,) = result.warnings
    assert f"{report.judged} of 20 hits" in warning


def test_a_slow_model_is_left_in_time(engine):
    engine.search(asked(rerank="slow", limit=1))  # What is compiled once is not the model's time.
    began = time.perf_counter()
    result = engine.search(asked("dog elk", rerank={"model": "slow", "timeout_ms": 200}))
    assert time.perf_counter() - began < 0.25
    assert result.rerank.status == "partial"
    assert 0 < result.rerank.judged < 60
    assert sorted(hit.rerank.previous for hit in result.hits) == list(range(1, 61))


def test_a_failing_model_keeps_the_order_and_says_so(engine):
    request = asked(rerank={"model": "bad", "min_score": 0.5})
    result = engine.search(request)
    assert [hit.id for hit in result.hits] == [hit.id for hit in engine.search(plain(request)).hits]
    assert (result.rerank.status, result.rerank.judged) == ("failed", 0)
    assert "fails at hit 3" in result.warnings[0]
    assert not any(hit.rerank.judged for hit in result.hits)


def test_a_failing_model_fails_the_search_where_asked(engine):
    used = engine.usage
    with pytest.raises(ModelError, match="fails at hit 3"):
        engine.search(asked("fox gnu", rerank={"model": "bad", "on_error": "fail"}))
    assert engine.usage.calls >= used.calls


@pytest.mark.parametrize("error", [ModelError("gone"), RuntimeError("a slip")])
def test_whatever_a_reranker_raises_harms_only_itself(spied, error):
    engine, spy = spied()

    def fail(tasks, budget=None):
        raise error

    spy.rerank = fail
    result = engine.search(asked(rerank="spy"))
    assert result.rerank.status == "failed"
    assert str(error) in result.warnings[0]
    assert len(result.hits) == 60
    with pytest.raises(ModelError, match=str(error)):
        engine.search(asked(rerank={"model": "spy", "on_error": "fail"}))


def test_a_model_that_is_not_here(tmp_path):
    def load(config):
        raise ModelError("no such weights")

    registry = RerankerRegistry({"gone": FakeRerankerConfig()}, load=load)
    with opened(tmp_path / "c", registry) as engine:
        result = engine.search(asked(rerank="gone"))
        assert result.rerank.status == "failed"
        assert "no such weights" in result.warnings[0]
        assert [h.id for h in result.hits] == [h.id for h in engine.search(QUERY, limit=60).hits]
        with pytest.raises(ModelError, match="no such weights"):
            engine.search(asked(rerank={"model": "gone", "on_error": "fail"}))


@pytest.mark.parametrize(("top_n", "relation"), [(60, "eq"), (20, "gte")])
def test_hits_below_min_score_are_left_out(engine, top_n, relation):
    rerank = {"model": "fake", "top_n": top_n}
    every = engine.search(asked(MANY, rerank=rerank)).hits[:top_n]
    result = engine.search(asked(MANY, rerank={**rerank, "min_score": 0.7}))
    expected = [hit.id for hit in every if hit.rerank.score >= 0.7]
    assert 0 < len(expected) < top_n
    assert [hit.id for hit in result.hits] == expected
    assert (result.total, result.relation) == (len(expected), relation)


def test_min_score_keeps_what_the_budget_left_unjudged(tmp_path):
    with opened(tmp_path / "c", RerankerRegistry(FAKES)) as engine:
        rerank = {"model": "fake", "top_n": 20, "calls": 8, "min_score": 0.7}
        result = engine.search(asked(MANY, rerank=rerank))
    judged = [hit for hit in result.hits if hit.rerank.judged]
    assert len(judged) < result.rerank.judged == 8
    assert all(hit.rerank.score >= 0.7 for hit in judged)
    assert len(result.hits) - len(judged) == 12


def test_min_score_of_a_reranker_without_scores_is_told(spied):
    engine, _ = spied()
    result = engine.search(asked(rerank={"model": "spy", "min_score": 0.5}))
    assert result.total == 60
    assert "gives no scores" in result.warnings[0]


def test_usage_of_rerankers_is_apart_and_counted_by_the_engine(tmp_path):
    with opened(tmp_path / "c", RerankerRegistry(FAKES)) as engine:
        assert engine.usage is None
        one = engine.search(asked(rerank={"model": "fake", "top_n": 10}))
        again = engine.search(asked(rerank={"model": "fake", "top_n": 10}))
        assert one.usage is None
        assert (one.rerank.usage.calls, one.rerank.usage.cache_hits) == (10, 0)
        assert (again.rerank.usage.calls, again.rerank.usage.cache_hits) == (0, 10)
        assert engine.usage == one.rerank.usage + again.rerank.usage


# -- batches, changes --------------------------------------------------------------------------


def test_a_batch_answers_as_single_searches_do(engine):
    requests = [
        asked(query, rerank=rerank, offset=offset, limit=15)
        for query, rerank, offset in [
            (QUERY, "fake", 0),
            ("dog", "fake", 10),
            ("elk fox", {"model": "chain", "top_n": 12}, 0),
            ("gnu", "bad", 0),
            (QUERY, {"model": "whole", "min_score": 0.7}, 0),
        ]
    ] + [SearchRequest(query="hen", limit=15)]
    for single, together in zip(
        [engine.search(request) for request in requests],
        engine.search_batch(requests),
        strict=True,
    ):
        assert together.hits == single.hits
        assert (together.total, together.relation) == (single.total, single.relation)
        assert (together.rerank is None) == (single.rerank is None)
        if single.rerank is not None:
            for field in ("model", "status", "candidates", "judged"):
                assert getattr(together.rerank, field) == getattr(single.rerank, field)


def test_searches_of_a_batch_with_one_budget_are_handed_over_together(spied):
    engine, spy = spied()
    results = engine.search_batch(
        [
            asked("ant", rerank="spy"),
            asked("bee", rerank={"model": "spy", "calls": 3}),
            SearchRequest(query="cat"),
            asked("dog", rerank={"model": "spy", "top_n": 4}),
        ]
    )
    assert [[task.query for task in tasks] for tasks, _ in spy.calls] == [["ant", "dog"], ["bee"]]
    assert [len(task.candidates) for task in spy.calls[0][0]] == [60, 4]
    assert spy.calls[1][1].calls == 3
    assert [result.rerank is None for result in results] == [False, False, True, False]


def test_an_invalid_request_of_a_batch_is_named(engine):
    with pytest.raises(InvalidInputError) as caught:
        engine.search_batch([SearchRequest(query="a"), asked(rerank="none")])
    assert caught.value.field == "requests[1].rerank.model"


def test_writes_and_merges_go_on_while_a_reranker_works(spied):
    engine, spy = spied(legs=frozenset({"sparse"}), vectors="dense")
    expected = [hit.id for hit in engine.search(asked(rerank="spy", explain=True)).hits]
    spy.began.clear()
    spy.gate = threading.Event()
    found = []
    searching = threading.Thread(
        target=lambda: found.append(engine.search(asked(rerank="spy", explain=True)))
    )
    searching.start()
    assert spy.began.wait(30)
    assert engine.delete([f"d{i:02}" for i in range(30)])
    engine.add([Document(f"d{i:02}", "something else entirely") for i in range(30, 60)])
    assert engine.merge()
    # No read transaction is open: the whole log can be written back and cut.
    with closing(sqlite3.connect(engine.collection.database.path)) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    spy.gate.set()
    searching.join(30)
    (result,) = found
    assert [hit.id for hit in result.hits] == expected
    assert all("something" not in hit.document.text for hit in result.hits)
    assert all(hit.explain["lexical"] for hit in result.hits if "lexical" in hit.legs)
    assert engine.search(QUERY).total == 30


# -- requests ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rerank", "field"),
    [
        ({}, "rerank.model"),
        ({"model": "fake", "top_n": 0}, "rerank.top_n"),
        ({"model": "fake", "top_n": 1_001}, "rerank.top_n"),
        ({"model": "fake", "timeout_ms": 0}, "rerank.timeout_ms"),
        ({"model": "fake", "calls": -1}, "rerank.calls"),
        ({"model": "fake", "on_error": "hide"}, "rerank.on_error"),
        ({"model": "fake", "min_score": float("nan")}, "rerank.min_score"),
        ({"model": "fake", "topn": 3}, "rerank.topn"),
        ({"model": "../etc"}, "rerank.model"),
    ],
)
def test_a_wrong_field_is_named(rerank, field):
    with pytest.raises(InvalidInputError) as caught:
        asked(rerank=rerank)
    assert caught.value.field == field


def test_a_query_without_a_text_is_not_reranked():
    with pytest.raises(InvalidInputError, match="give `query`") as caught:
        SearchRequest.parse({"vectors": {"dense": [1.0]}, "rerank": {"model": "fake"}})
    assert caught.value.field == "rerank"


def test_an_unknown_reranker_is_refused_with_those_there_are(engine):
    with pytest.raises(
        InvalidInputError, match="there are fake, slow, bad, whole, chain"
    ) as caught:
        engine.search(asked(rerank="quick"))
    assert caught.value.field == "rerank.model"


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ({"legs": frozenset({"late"})}, "reads leg 'late', which this collection does not have"),
        ({"vectors": "late"}, "reads leg 'late', which this collection does not have"),
        ({"vectors": "sparse"}, "not a dense leg"),
    ],
)
def test_a_leg_that_is_not_there_is_refused(spied, needs, words):
    engine, _ = spied(**needs)
    with pytest.raises(InvalidInputError, match=words) as caught:
        engine.search(asked(rerank="spy"))
    assert caught.value.field == "rerank.model"


# -- the registry ------------------------------------------------------------------------------


def test_a_reranker_is_loaded_once_by_many_threads():
    loaded = []

    def load(config):
        time.sleep(0.05)
        loaded.append(config)
        return load_reranker(config)

    registry = RerankerRegistry(FAKES, load=load)
    assert not loaded
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(registry.get("fake"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(loaded) == 1
    assert len({id(one) for one in found}) == 1


def test_a_file_of_rerankers(tmp_path):
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.fast]\nkind = "fake"\ncandidates = 20\n')
    registry = RerankerRegistry.read(file)
    assert registry.names == ("fast",)
    assert registry.config("fast") == FakeRerankerConfig(candidates=20)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[rerankers.fast", "not TOML"),
        ('[rerankers.fast]\nkind = "quick"\n', "rerankers.fast"),
        ('[rerankers.fast]\nkind = "fake"\ncandidate = 2\n', "rerankers.fast.candidate"),
        ('[rerankers."a b"]\nkind = "fake"\n', "rerankers"),
        ("[reranker]\n", "reranker"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, text, words):
    file = tmp_path / "rerankers.toml"
    file.write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        RerankerRegistry.read(file)
    assert str(file) in str(caught.value)
    assert words in str(caught.value)
