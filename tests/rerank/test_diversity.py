"""Maximal marginal relevance against its definition."""

from __future__ import annotations

import math
import time
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.encoders import AnalyzerConfig, LexicalEncoder
from twindex.rerank import (
    Budget,
    Candidate,
    ChainConfig,
    DiversityConfig,
    load_reranker,
    rerank_one,
)
from twindex.rerank.diversity import DiversityReranker

from ..house import scaled


def reference(scores, similarity, share, top_k):
    """The definition, implemented literally: (index, value) of each position."""
    low, high = min(scores), max(scores)
    relevance = [(s - low) / (high - low) if high > low else 1.0 for s in scores]
    chosen, values = [], []
    while len(chosen) < min(top_k, len(scores)):
        best, most = None, -math.inf
        for i in range(len(scores)):
            closest = max((similarity(i, j) for j in chosen), default=0.0)
            value = share * relevance[i] - (1 - share) * closest
            if i not in chosen and value > most:
                best, most = i, value
        chosen.append(best)
        values.append(most)
    return chosen, values


def cosine(a, b):
    length = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return round(min(1.0, max(0.0, dot / length)) if length else 0.0, 6)


def check(found, chosen, values, total):
    order = [one.index for one in found.order]
    assert order == chosen + [i for i in range(total) if i not in chosen]
    scores = [one.score for one in found.order[: len(chosen)]]
    assert scores == pytest.approx(values, abs=1e-9)
    assert all(b <= a + 1e-9 for a, b in pairwise(scores))
    assert all(one.score is None and not one.judged for one in found.order[len(chosen) :])


SHARES = st.integers(0, 10).map(lambda tenth: tenth / 10)


@settings(max_examples=scaled(200), deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.none() | st.tuples(*[st.integers(-3, 3)] * 3)),
        min_size=1,
        max_size=12,
    ),
    SHARES,
    st.integers(1, 14),
)
def test_vectors_equal_the_definition(rows, share, top_k):
    rows.append((3, (1, 0, 0)))  # At least one candidate has a vector.
    hits = [
        Candidate(f"d{i}", "t", score=s, vector=None if v is None else np.array(v, np.float32))
        for i, (s, v) in enumerate(rows)
    ]
    vectors = [v or (0, 0, 0) for _, v in rows]
    chosen, values = reference(
        [s for s, _ in rows], lambda i, j: cosine(vectors[i], vectors[j]), share, top_k
    )
    config = DiversityConfig(relevance=share, leg="dense", top_k=top_k)
    found = rerank_one(DiversityReranker(config), "q", hits)
    check(found, chosen, values, len(rows))
    assert found.status == "complete"
    for place, one in enumerate(found.order[: len(chosen)]):
        before = {f"d{j}": cosine(vectors[one.index], vectors[j]) for j in chosen[:place]}
        assert one.reasons["similarity"] == max(before.values(), default=0.0)
        if one.reasons["similarity"] > 0:
            assert before[one.reasons["like"]] == one.reasons["similarity"]
        else:
            assert "like" not in one.reasons


TEXTS = st.lists(
    st.lists(st.sampled_from(["apple", "pear", "the", "plum", "fig"]), max_size=6).map(" ".join),
    min_size=1,
    max_size=9,
)


@settings(max_examples=scaled(150), deadline=None)
@given(TEXTS, SHARES, st.randoms())
def test_words_equal_the_definition(texts, share, random):
    scores = [random.randrange(6) for _ in texts]
    rows = [Counter(row) for row in LexicalEncoder().encode(texts, role="document").terms]
    terms = sorted({term for row in rows for term in row})
    df = {term: sum(term in row for row in rows) for term in terms}
    vectors = [
        [
            (1 + math.log(row[t])) * (1 + math.log((1 + len(rows)) / (1 + df[t]))) if row[t] else 0
            for t in terms
        ]
        for row in rows
    ]
    chosen, values = reference(scores, lambda i, j: cosine(vectors[i], vectors[j]), share, 10)
    hits = [Candidate(str(i), text, score=scores[i]) for i, text in enumerate(texts)]
    found = rerank_one(load_reranker(DiversityConfig(relevance=share)), "q", hits)
    check(found, chosen, values, len(texts))


@given(st.lists(st.floats(-1e300, 1e300), max_size=15))
def test_relevance_1_keeps_the_original_order(scores):
    scores.sort(reverse=True)
    hits = [Candidate(str(i), "same text", score=score) for i, score in enumerate(scores)]
    found = rerank_one(DiversityReranker(DiversityConfig(relevance=1, top_k=20)), "q", hits)
    assert [one.index for one in found.order] == list(range(len(scores)))


def test_a_duplicate_ranks_below_other_hits():
    texts = ["apple pie with cream", "apple pie with cream", "fish soup"]
    hits = [Candidate(str(i), text, score=3.0 - i) for i, text in enumerate(texts)]
    found = rerank_one(DiversityReranker(DiversityConfig(relevance=0.5)), "q", hits)
    assert [one.index for one in found.order] == [0, 2, 1]
    assert found.order[2].reasons == {"relevance": 0.5, "similarity": 1.0, "like": "0"}
    assert found.usage.calls == 0


def test_analyzer_language_affects_similarity():
    hits = [Candidate(str(i), text, score=-i) for i, text in enumerate(["Haus", "Häuser", "Hund"])]
    config = DiversityConfig(relevance=0.4, analyzer=AnalyzerConfig(language="de"))
    found = rerank_one(DiversityReranker(config), "q", hits)
    assert [one.index for one in found.order] == [0, 2, 1]


def test_budgets():
    hits = [Candidate(str(i), f"word{i}", score=-i) for i in range(8)]
    reranker = DiversityReranker(DiversityConfig(relevance=0.0, top_k=3))
    found = rerank_one(reranker, "q", hits, Budget(candidates=2))
    assert (found.status, [one.judged for one in found.order]) == ("partial", [1, 1] + [0] * 6)
    found = rerank_one(reranker, "q", hits, Budget(calls=0, tokens=0))
    assert found.status == "complete"
    found = rerank_one(reranker, "q", hits, Budget(milliseconds=1e-3))
    assert (found.status, [one.index for one in found.order]) == ("partial", list(range(8)))
    assert rerank_one(reranker, "q", []).order == []


def test_a_thousand_hits_are_fast():
    numbers = np.random.default_rng(0)
    hits = [
        Candidate(str(i), " ".join(f"w{n}" for n in numbers.integers(0, 5_000, 100)), score=-i)
        for i in range(1_000)
    ]
    reranker = DiversityReranker(DiversityConfig(top_k=100))
    rerank_one(reranker, "q", hits)
    began = time.perf_counter()
    rerank_one(reranker, "q", hits)
    assert time.perf_counter() - began < 2


def test_in_a_chain_relevance_is_the_score_of_the_stage_before():
    config = ChainConfig.parse(
        {
            "stages": [
                {"reranker": {"kind": "fake"}, "candidates": 4},
                {"reranker": {"kind": "mmr", "relevance": 1}, "candidates": 4},
            ]
        }
    )
    texts = ["none", "red", "red green blue", "red green"]
    hits = [Candidate(str(i), text, score=9.0 - i) for i, text in enumerate(texts)]
    found = rerank_one(load_reranker(config), "red green blue", hits)
    assert [one.index for one in found.order] == [2, 3, 1, 0]
    assert [one.score for one in found.order] == pytest.approx([1, 2 / 3, 1 / 3, 0])


def test_what_cannot_be_used_is_refused():
    with pytest.raises(InvalidInputError, match="leg"):
        rerank_one(DiversityReranker(DiversityConfig(leg="dense")), "q", [Candidate("a", "x")])
    with pytest.raises(InvalidInputError, match="finite"):
        rerank_one(DiversityReranker(DiversityConfig()), "q", [Candidate("a", "x", score=math.nan)])
    assert DiversityReranker(DiversityConfig(leg="dense")).needs.vectors == "dense"
