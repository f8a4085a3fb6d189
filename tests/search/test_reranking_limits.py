"""Reranking in a search: budgets, thresholds and models that fail."""

from __future__ import annotations

import time

import pytest

from twindex.core import ModelError
from twindex.rerank import FakeRerankerConfig
from twindex.search import RerankerRegistry

from .rerank_collections import FAKES, MANY, QUERY, asked, opened, plain

# -- budgets, thresholds, failure ------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "judged"), [({"calls": 4}, 4), ({"calls": 0}, 0), ({"tokens": 30}, None)]
)
def test_a_budget_that_runs_out_leaves_the_rest_in_order(reranking, budget, judged):
    model = FakeRerankerConfig()
    registry = RerankerRegistry({"fresh": model})  # Nothing is cached.
    reranking.rerankers, before = registry, reranking.rerankers
    try:
        request = asked(rerank={"model": "fresh", "top_n": 20, **budget})
        result = reranking.search(request)
    finally:
        reranking.rerankers = before
    first = [hit.id for hit in reranking.search(plain(request)).hits]
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


def test_a_slow_model_is_abandoned_in_time(reranking):
    reranking.search(
        asked(rerank="slow", limit=1)
    )  # The time for compilation does not count as the model's time.
    began = time.perf_counter()
    result = reranking.search(asked("dog elk", rerank={"model": "slow", "timeout_ms": 200}))
    assert time.perf_counter() - began < 0.25
    assert result.rerank.status == "partial"
    assert 0 < result.rerank.judged < 60
    assert sorted(hit.rerank.previous for hit in result.hits) == list(range(1, 61))


def test_a_failing_model_keeps_the_order_with_a_warning(reranking):
    request = asked(rerank={"model": "bad", "min_score": 0.5})
    result = reranking.search(request)
    assert [hit.id for hit in result.hits] == [
        hit.id for hit in reranking.search(plain(request)).hits
    ]
    assert (result.rerank.status, result.rerank.judged) == ("failed", 0)
    assert "fails at hit 3" in result.warnings[0]
    assert not any(hit.rerank.judged for hit in result.hits)


def test_on_error_fail_raises_the_error_of_the_model(reranking):
    with pytest.raises(ModelError, match="fails at hit 3"):
        reranking.search(asked("fox gnu", rerank={"model": "bad", "on_error": "fail"}))


def test_usage_before_a_failure_is_counted(reranking):
    reranking.search(asked("hen", rerank="fake"))
    before = reranking.usage.calls
    with pytest.raises(ModelError, match="fails at hit 0"):
        reranking.search(asked("hen dog", rerank={"model": "half", "on_error": "fail"}))
    assert reranking.usage.calls >= before + 20


@pytest.mark.parametrize("error", [ModelError("gone"), RuntimeError("a slip")])
def test_any_exception_of_a_reranker_becomes_a_failed_status(spied, error):
    collection, spy = spied()

    def fail(tasks, budget=None):
        raise error

    spy.rerank = fail
    result = collection.search(asked(rerank="spy"))
    assert result.rerank.status == "failed"
    # The text of another exception is in the log only.
    named = str(error) if isinstance(error, ModelError) else "RuntimeError"
    assert named in result.warnings[0]
    assert len(result.hits) == 60
    with pytest.raises(ModelError, match=named):
        collection.search(asked(rerank={"model": "spy", "on_error": "fail"}))


def test_a_missing_model_is_a_failed_reranking(tmp_path):
    def load(config):
        raise ModelError("no such weights")

    registry = RerankerRegistry({"gone": FakeRerankerConfig()}, load=load)
    with opened(tmp_path / "c", registry) as collection:
        result = collection.search(asked(rerank="gone"))
        assert result.rerank.status == "failed"
        assert "no such weights" in result.warnings[0]
        assert [h.id for h in result.hits] == [
            h.id for h in collection.search(QUERY, limit=60).hits
        ]
        with pytest.raises(ModelError, match="no such weights"):
            collection.search(asked(rerank={"model": "gone", "on_error": "fail"}))


@pytest.mark.parametrize(("top_n", "relation"), [(60, "eq"), (20, "gte")])
def test_hits_below_min_score_are_left_out(reranking, top_n, relation):
    rerank = {"model": "fake", "top_n": top_n}
    every = reranking.search(asked(MANY, rerank=rerank)).hits[:top_n]
    result = reranking.search(asked(MANY, rerank={**rerank, "min_score": 0.7}))
    expected = [hit.id for hit in every if hit.rerank.score >= 0.7]
    assert 0 < len(expected) < top_n
    assert [hit.id for hit in result.hits] == expected
    assert (result.total, result.relation) == (len(expected), relation)


def test_min_score_keeps_hits_that_the_budget_left_unjudged(tmp_path):
    with opened(tmp_path / "c", RerankerRegistry(FAKES)) as collection:
        rerank = {"model": "fake", "top_n": 20, "calls": 8, "min_score": 0.7}
        result = collection.search(asked(MANY, rerank=rerank))
    judged = [hit for hit in result.hits if hit.rerank.judged]
    assert len(judged) < result.rerank.judged == 8
    assert all(hit.rerank.score >= 0.7 for hit in judged)
    assert len(result.hits) - len(judged) == 12


CHAINED = {"model": "chain", "top_n": 20, "min_score": 0.7}


def test_min_score_of_a_chain_applies_to_its_last_stage(reranking):
    result = reranking.search(asked(MANY, rerank=CHAINED))
    assert 0 < result.total <= 5
    assert all(hit.rerank.score >= 0.7 for hit in result.hits)
    assert result.relation == "gte"  # Other hits might reach the minimum.


def test_an_incomplete_last_stage_makes_the_total_inexact(reranking):
    rerank = {**CHAINED, "top_n": 60}
    result = reranking.search(asked(MANY, filter={"odd": True}, rerank=rerank))
    assert result.rerank.candidates == 30
    assert result.relation == "gte"


def test_min_score_keeps_hits_that_the_last_stage_did_not_judge(tmp_path):
    with opened(tmp_path / "c", RerankerRegistry(FAKES)) as collection:
        result = collection.search(asked(MANY, rerank={**CHAINED, "calls": 22}))
    assert [(one.candidates, one.judged) for one in result.rerank.stages] == [(20, 20), (5, 2)]
    assert sum(hit.rerank.score is None for hit in result.hits) == 3
    assert "2.fake: 2 of 5 hits were judged" in result.warnings[0]


def test_a_failed_stage_names_the_order_in_a_warning(reranking):
    result = reranking.search(asked(MANY, rerank="half"))
    assert result.rerank.status == "failed"
    assert "in the order of 1.fake: " in result.warnings[0]


def test_min_score_without_scores_is_a_warning(spied):
    collection, _ = spied()
    result = collection.search(asked(rerank={"model": "spy", "min_score": 0.5}))
    assert result.total == 60
    assert "returns no scores" in result.warnings[0]


def test_usage_of_rerankers_is_separate_and_in_the_total(tmp_path):
    with opened(tmp_path / "c", RerankerRegistry(FAKES)) as collection:
        assert collection.usage is None
        one = collection.search(asked(rerank={"model": "fake", "top_n": 10}))
        again = collection.search(asked(rerank={"model": "fake", "top_n": 10}))
        assert one.usage is None
        assert (one.rerank.usage.calls, one.rerank.usage.cache_hits) == (10, 0)
        assert (again.rerank.usage.calls, again.rerank.usage.cache_hits) == (0, 10)
        assert collection.usage == one.rerank.usage + again.rerank.usage
