"""Rerankers with language models, when the budget does not suffice."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.ask.fitting import fitting, sizes
from twindex.llm import FakeModel
from twindex.rerank import (
    Budget,
    Candidate,
    ListwiseConfig,
    PairwiseConfig,
    PointwiseConfig,
    Reranked,
    Reranker,
    Task,
)
from twindex.rerank.listwise.reranker import ListwiseReranker
from twindex.rerank.pairwise.reranker import PairwiseReranker
from twindex.rerank.pointwise.reranker import PointwiseReranker

from ..house import scaled

KINDS = ["allpair", "sliding", "heap", "tournament", "pointwise", "listwise"]


def make(kind: str, model: Any, k: int = 5) -> Reranker:
    if kind == "pointwise":
        return PointwiseReranker(PointwiseConfig(), model)
    if kind == "listwise":
        return ListwiseReranker(ListwiseConfig(window=4, step=2, passes=2), model)
    if kind in ("heap", "tournament"):
        config = PairwiseConfig(method="sorting", sort=kind, top_k=k)  # type: ignore[arg-type]
    else:
        config = PairwiseConfig(method=kind, top_k=k)  # type: ignore[arg-type]
    return PairwiseReranker(config, model)


def check_order(found: Reranked, count: int) -> None:
    """Check that every candidate occurs once, and that unjudged ones come last in their order."""
    assert sorted(placed.index for placed in found.order) == list(range(count))
    judged = [placed.judged for placed in found.order]
    assert judged == sorted(judged, reverse=True)
    rest = [placed.index for placed in found.order if not placed.judged]
    assert rest == sorted(rest)
    assert (found.status == "complete") == (not rest)
    scores = [placed.score for placed in found.order if placed.score is not None]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("kind", KINDS)
@given(
    count=st.integers(0, 25),
    calls=st.none() | st.integers(0, 150),
    tokens=st.none() | st.integers(0, 6_000),
    candidates=st.none() | st.integers(0, 30),
    seed=st.integers(0, 5),
)
@settings(deadline=None, max_examples=scaled(60))
def test_budgets_hold_and_orders_are_complete(
    kind: str,
    count: int,
    calls: int | None,
    tokens: int | None,
    candidates: int | None,
    seed: int,
    preferring: Any,
) -> None:
    values = preferring.shuffled(count, seed)
    budget = Budget(calls=calls, tokens=tokens, candidates=candidates)
    task = preferring.task(count)
    (found,) = make(kind, preferring.perfect(values)).rerank([task], budget)
    check_order(found, count)
    assert calls is None or found.usage.calls <= calls
    spent = found.usage.prompt_tokens + found.usage.completion_tokens
    assert tokens is None or spent <= tokens
    seen = [placed.index for placed in found.order if placed.judged]
    assert candidates is None or all(i < candidates for i in seen)
    if kind in ("sliding", "heap", "tournament", "allpair"):
        # The judged candidates are the first in the original order, and the best come first.
        assert sorted(seen) == list(range(len(seen)))
        assert seen[:5] == sorted(seen, key=lambda i: -values[i])[:5]


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_that_just_suffices_changes_nothing(kind: str, preferring: Any) -> None:
    task = preferring.task(30)
    values = preferring.shuffled(30, 7)
    (whole,) = make(kind, preferring.perfect(values)).rerank([task])
    calls = {"allpair": 870, "sliding": 270, "pointwise": 30, "listwise": 28}.get(kind, 200)
    (found,) = make(kind, preferring.perfect(values)).rerank([task], Budget(calls=calls))
    assert (found.order, found.status) == (whole.order, "complete")
    (less,) = make(kind, preferring.perfect(values)).rerank([task], Budget(calls=calls // 2 - 1))
    assert less.status == "partial"
    assert 0 < sum(placed.judged for placed in less.order) < 30


@pytest.mark.parametrize("kind", ["sliding", "heap", "tournament", "listwise"])
@given(st.lists(st.integers(1, 60), min_size=10, max_size=30), st.integers(3_000, 30_000))
@settings(deadline=None, max_examples=scaled(30))
def test_a_token_budget_ranks_only_what_it_can_complete(
    kind: str, lengths: list[int], tokens: int
) -> None:
    """Whatever the lengths of the texts, the first candidates are judged."""
    texts = [f"d{i} " + "word " * length for i, length in enumerate(lengths)]
    task = Task("q", [Candidate(str(i), text) for i, text in enumerate(texts)])
    model = FakeModel(answer=lambda prompt: "2] > [1]")
    (found,) = make(kind, model).rerank([task], Budget(tokens=tokens))
    seen = [placed.index for placed in found.order if placed.judged]
    assert sorted(seen) == list(range(len(seen)))
    assert len(seen) != 1
    assert found.usage.prompt_tokens + found.usage.completion_tokens <= tokens


@pytest.mark.parametrize("kind", KINDS)
def test_the_time_limit_holds_and_is_used(kind: str, preferring: Any) -> None:
    """A prompt takes 8 ms, so 100 candidates take 0.4 to 80 seconds."""
    values = preferring.shuffled(100, 8)
    model = preferring.perfect(values)

    class Slow(type(model)):  # type: ignore[misc]
        def likelihood(self, prompts: Any, continuations: Any) -> Any:
            time.sleep(0.008 * len(prompts))
            return super().likelihood(prompts, continuations)

        def generate(self, prompts: Any, sampling: Any = None) -> Any:
            time.sleep(0.08 * len(prompts))
            return super().generate(prompts, sampling)

    slow = Slow(model._answer, model._likelihood)
    reranker = make(kind, slow)
    reranker.rerank([preferring.task(5, "to know how fast it is")])
    began = time.perf_counter()
    (found,) = reranker.rerank([preferring.task(100)], Budget(milliseconds=600))
    assert time.perf_counter() - began < 3
    check_order(found, 100)
    assert found.status == "partial"
    assert found.usage.calls > 0
    assert any(placed.judged for placed in found.order)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_was_slow_once_judges_again(kind: str, preferring: Any) -> None:
    """After a slow start or an outage, the estimate of the speed must recover."""
    reranker: Any = make(kind, preferring.perfect(list(range(20))))
    reranker._placing._waiting._learn(5.0)
    judged = []
    for number in range(16):
        (found,) = reranker.rerank([preferring.task(20, f"q{number}")], Budget(milliseconds=500))
        judged.append(sum(placed.judged for placed in found.order))
    assert judged[0] == 0
    assert judged[-1] > 2


@given(count=st.integers(0, 50), most=st.floats(0, 3_000))
def test_fitting_returns_the_largest_affordable_number(count: int, most: float) -> None:
    def needed(n: int) -> int:
        return n * (n - 1) // 2

    found = fitting(count, needed, most)
    options = [n for n in range(2, count + 1) if needed(n) <= most]
    assert found == (count if count < 2 else max(options, default=0))


def test_a_part_is_ranked_first_only_under_a_time_limit() -> None:
    assert list(sizes(100, 100, Budget(calls=5))) == [100]
    assert list(sizes(100, 100, Budget(milliseconds=5))) == [25, 100]
    assert list(sizes(3, 3, Budget(milliseconds=5))) == [3]


def test_more_is_ranked_if_time_is_left() -> None:
    assert list(sizes(8, 50, Budget(calls=5))) == [8]
    assert list(sizes(8, 50, Budget(milliseconds=60_000))) == [2, 8, 16, 32, 50]
    assert list(sizes(0, 0, Budget(milliseconds=60_000))) == [0]
    slow = sizes(8, 50, Budget(milliseconds=40))
    assert [next(slow), next(slow)] == [2, 8]
    time.sleep(0.02)
    assert list(slow) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_faster_model_ranks_more_at_once(kind: str, preferring: Any) -> None:
    reranker: Any = make(kind, preferring.perfect(list(range(20))))
    reranker._placing._waiting._learn(0.01)  # The plan then has two candidates.
    (found,) = reranker.rerank([preferring.task(20)], Budget(milliseconds=5_000))
    assert (found.status, found.order[0].index) == ("complete", 19)
