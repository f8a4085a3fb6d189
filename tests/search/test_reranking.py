"""Reranking in a search: the input of a reranker, and its effect on the hits."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import Usage
from twindex.encoders import load_encoder
from twindex.index import CollectionConfig, DenseLeg, HnswConfig, LexicalLeg
from twindex.rerank import FakeRerankerConfig, Needs
from twindex.search import Collection, LegRequest, RerankerRegistry, SearchRequest

from ..house import scaled
from .rerank_collections import (
    DENSE,
    QUERY,
    SEARCHED,
    WORDS,
    Spy,
    asked,
    best_passage,
    plain,
    share,
)

# -- order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("top_n", [1, 5, 30, 1_000])
def test_the_best_hits_are_reranked_and_the_others_follow(reranking, top_n):
    request = asked(rerank={"model": "fake", "top_n": top_n})
    first = reranking.search(plain(request)).hits
    result = reranking.search(request)
    scores = [share(f"{hit.document.title} {best_passage(hit)}") for hit in first[:top_n]]
    order = sorted(range(len(scores)), key=lambda i: -scores[i]) + list(
        range(len(scores), len(first))
    )
    assert [hit.id for hit in result.hits] == [first[i].id for i in order]
    for rank, (hit, i) in enumerate(zip(result.hits, order, strict=True), 1):
        assert (hit.rerank.rank, hit.rerank.previous) == (rank, i + 1)
        assert hit.rerank.judged == (i < top_n)
        assert hit.rerank.score == (scores[i] if i < top_n else None)
        # The scores of the legs do not change.
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


@settings(max_examples=scaled(60), deadline=None)
@given(
    step=st.integers(1, 25),
    top_n=st.integers(1, 70),
    model=st.sampled_from(["fake", "chain", "bad"]),
    least=st.sampled_from([None, 0.3, 0.9]),
    odd=st.booleans(),
)
def test_pages_neither_overlap_nor_have_gaps(reranking, step, top_n, model, least, odd):
    rerank = {"model": model, "top_n": top_n, "min_score": least}
    fields = {"rerank": rerank, "filter": {"odd": True} if odd else None}
    whole = reranking.search(asked(**fields))
    pages = []
    for offset in range(0, 60, step):
        page = reranking.search(asked(**fields, offset=offset, limit=min(step, 60 - offset)))
        assert (page.total, page.relation) == (whole.total, whole.relation)
        pages += page.hits
    assert [(hit.id, hit.rerank) for hit in pages] == [(hit.id, hit.rerank) for hit in whole.hits]
    assert len({hit.id for hit in pages}) == len(pages) == whole.total
    assert [hit.rerank.rank for hit in pages] == list(range(1, len(pages) + 1))


def test_top_n_defaults_to_the_configured_candidates(reranking):
    assert reranking.search(asked(rerank="whole")).rerank.candidates == 7
    assert reranking.search(asked(rerank="chain")).rerank.candidates == 20


def test_a_chain_reports_its_stages(reranking):
    report = reranking.search(asked(rerank="chain")).rerank
    assert [(s.name, s.candidates, s.judged) for s in report.stages] == [
        ("1.fake", 20, 20),
        ("2.fake", 5, 5),
    ]
    assert sum((stage.usage for stage in report.stages), Usage()) == report.usage


def test_only_documents_that_match_the_filter_are_reranked(spied):
    collection, spy = spied()
    collection.search(asked(rerank="spy", filter={"odd": True}))
    assert {candidate.id for candidate in spy.candidates} == {f"d{i:02}" for i in range(1, 60, 2)}


def test_no_hits_means_no_reranking(reranking):
    result = reranking.search(asked(rerank="fake", filter={"odd": "neither"}))
    assert (result.hits, result.total, result.rerank.status) == ([], 0, "complete")


def test_explained_hits_are_explained_after_reranking_too(reranking):
    request = asked(rerank="fake", explain=True, limit=20)
    result = reranking.search(request)
    before = {
        h.id: h for h in reranking.search(plain(request).model_copy(update={"limit": 60})).hits
    }
    assert [hit.id for hit in result.hits] != list(before)[:20]
    for hit in result.hits:
        assert (hit.explain, hit.terms) == (before[hit.id].explain, before[hit.id].terms)


def test_reranked_hits_without_documents(reranking):
    request = asked(rerank="fake")
    bare = reranking.search(request.model_copy(update={"include": ()})).hits
    assert all(hit.document is None for hit in bare)
    assert [hit.id for hit in bare] == [hit.id for hit in reranking.search(request).hits]


# -- input of a reranker ---------------------------------------------------------------------


def test_candidates_have_title_passage_and_whole_text(spied):
    collection, spy = spied()
    request = asked(rerank={"model": "spy", "top_n": 25})
    first = collection.search(plain(request)).hits[:25]
    collection.search(request)
    assert any(hit.passage for hit in first)
    for candidate, hit in zip(spy.candidates, first, strict=True):
        assert candidate.id == hit.id
        assert (candidate.title, candidate.text) == (hit.document.title, best_passage(hit))
        assert candidate.document == (hit.document.text if hit.passage else None)
        assert candidate.score == hit.score
        assert candidate.legs == {}
        assert candidate.vector is None


@pytest.mark.parametrize("leg", ["sparse", "coded", "lexical", "dense"])
def test_stored_scores_equal_the_scores_of_the_leg(spied, leg):
    collection, spy = spied(legs=frozenset({leg}))
    collection.search(asked(rerank={"model": "spy", "top_n": 40}, legs=[{"name": "lexical"}]))
    alone = collection.search(
        SearchRequest(query=QUERY, legs=(LegRequest(name=leg),), limit=60)
    ).hits
    scores = {hit.id: hit.legs[leg].score for hit in alone}
    assert spy.candidates
    for candidate in spy.candidates:
        expected = {leg: scores[candidate.id]} if candidate.id in scores else {}
        assert candidate.legs == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("leg", "loss"), [("dense", 1e-6), ("coded", 0.02)])
def test_vectors_come_from_the_best_passage(spied, leg, loss):
    collection, spy = spied(vectors=leg)
    request = asked(rerank="spy")
    first = collection.search(plain(request)).hits
    collection.search(request)
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
    with Collection.create(tmp_path / "c", config, rerankers=registry) as collection:
        texts = [" ".join(chosen.choices(WORDS, k=9)) for _ in range(3_000)]
        collection.add({"id": str(i), "text": text} for i, text in enumerate(texts))
        collection.seal()
        collection.search(asked("hen", legs=[{"name": "lexical"}], rerank={"model": "spy"}))
    encoder = load_encoder(DENSE)
    query = encoder.encode(["hen"], role="query").dense[0]
    vectors = encoder.encode([texts[int(c.id)] for c in spy.candidates], role="document").dense
    found = [candidate.legs["dense"] for candidate in spy.candidates]
    assert found == pytest.approx((vectors @ query).tolist(), abs=1e-6)


def test_legs_for_reranking_do_not_search_unless_named(reranking):
    assert set(reranking.search(QUERY).hits[0].legs) == set(SEARCHED)
    named = reranking.search(SearchRequest(query=QUERY, legs=(LegRequest(name="sparse"),)))
    assert set(named.hits[0].legs) == {"sparse"}
