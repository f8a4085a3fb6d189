"""Reranking in a search: batches, concurrent changes, errors, files of rerankers."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing

import pytest

from twindex.core import Document, InvalidInputError
from twindex.rerank import FakeRerankerConfig, load_reranker
from twindex.search import RerankerRegistry, SearchRequest

from .rerank_collections import FAKES, QUERY, asked

# -- batches, changes --------------------------------------------------------------------------


def test_batch_reranking_equals_single_searches(reranking):
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
        [reranking.search(request) for request in requests],
        reranking.search_batch(requests),
        strict=True,
    ):
        assert together.hits == single.hits
        assert (together.total, together.relation) == (single.total, single.relation)
        assert (together.rerank is None) == (single.rerank is None)
        if single.rerank is not None:
            for field in ("model", "status", "candidates", "judged"):
                assert getattr(together.rerank, field) == getattr(single.rerank, field)


def test_searches_with_equal_budgets_are_reranked_together(spied):
    collection, spy = spied()
    results = collection.search_batch(
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


def test_an_invalid_request_of_a_batch_is_named(reranking):
    with pytest.raises(InvalidInputError) as caught:
        reranking.search_batch([SearchRequest(query="a"), asked(rerank="none")])
    assert caught.value.field == "requests[1].rerank.model"


def test_writes_and_merges_continue_during_reranking(spied):
    collection, spy = spied(legs=frozenset({"sparse"}), vectors="dense")
    expected = [hit.id for hit in collection.search(asked(rerank="spy", explain=True)).hits]
    spy.began.clear()
    spy.gate = threading.Event()
    found = []
    searching = threading.Thread(
        target=lambda: found.append(collection.search(asked(rerank="spy", explain=True)))
    )
    searching.start()
    assert spy.began.wait(30)
    assert collection.delete([f"d{i:02}" for i in range(30)])
    collection.add([Document(f"d{i:02}", "something else entirely") for i in range(30, 60)])
    assert collection.merge()
    # No read transaction is open: a checkpoint can truncate the whole log.
    with closing(sqlite3.connect(collection.store.database.path)) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    spy.gate.set()
    searching.join(30)
    (result,) = found
    assert [hit.id for hit in result.hits] == expected
    assert all("something" not in hit.document.text for hit in result.hits)
    assert all(hit.explain["lexical"] for hit in result.hits if "lexical" in hit.legs)
    assert collection.search(QUERY).total == 30


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
    with pytest.raises(InvalidInputError, match="set `query`") as caught:
        SearchRequest.parse({"vectors": {"dense": [1.0]}, "rerank": {"model": "fake"}})
    assert caught.value.field == "rerank"


def test_an_unknown_reranker_is_refused_with_the_known_names(reranking):
    with pytest.raises(
        InvalidInputError, match="the configured rerankers are fake, slow, bad, half, whole, chain"
    ) as caught:
        reranking.search(asked(rerank="quick"))
    assert caught.value.field == "rerank.model"


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ({"legs": frozenset({"late"})}, "reads leg 'late', which this collection does not have"),
        ({"vectors": "late"}, "reads leg 'late', which this collection does not have"),
        ({"vectors": "sparse"}, "must be a dense leg"),
    ],
)
def test_a_missing_leg_is_refused(spied, needs, words):
    collection, _ = spied(**needs)
    with pytest.raises(InvalidInputError, match=words) as caught:
        collection.search(asked(rerank="spy"))
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


def test_rerankers_are_read_from_a_file(tmp_path):
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.fast]\nkind = "fake"\ncandidates = 20\n')
    registry = RerankerRegistry.read(file)
    assert registry.names == ("fast",)
    assert registry.config("fast") == FakeRerankerConfig(candidates=20)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[rerankers.fast", "is not valid TOML"),
        ('[rerankers.fast]\nkind = "quick"\n', "rerankers.fast"),
        ('[rerankers.fast]\nkind = "fake"\ncandidate = 2\n', "rerankers.fast.candidate"),
        ('[rerankers."a b"]\nkind = "fake"\n', "rerankers"),
        ("[reranker]\n", "reranker"),
    ],
)
def test_errors_in_a_file_name_the_field(tmp_path, text, words):
    file = tmp_path / "rerankers.toml"
    file.write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        RerankerRegistry.read(file)
    assert str(file) in str(caught.value)
    assert words in str(caught.value)
