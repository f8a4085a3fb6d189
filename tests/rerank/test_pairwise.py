"""Pairwise Ranking Prompting: each method equals a short reference, for any preferences."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from statistics import mean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.rerank import PairwiseConfig, Reranked
from twindex.rerank.pairwise.methods import METHODS
from twindex.rerank.pairwise.reranker import PairwiseReranker

from ..house import scaled

VARIANTS: dict[str, dict[str, Any]] = {
    "allpair": {"method": "allpair"},
    "sliding": {"method": "sliding"},
    "heap": {"method": "sorting", "sort": "heap"},
    "tournament": {"method": "sorting", "sort": "tournament"},
}

Wins = Callable[[int, int], int]


def allpair(n: int, k: int, wins: Wins) -> list[int]:
    points = [sum((1 + wins(i, j)) / 2 for j in range(n) if j != i) for i in range(n)]
    return sorted(range(n), key=lambda i: (-points[i], i))


def sliding(n: int, k: int, wins: Wins) -> list[int]:
    order = list(range(n))
    for place in range(min(k, n - 1)):
        for j in range(n - 1, place, -1):
            if wins(order[j], order[j - 1]) == 1:
                order[j], order[j - 1] = order[j - 1], order[j]
    return order[:k]


def heap(n: int, k: int, wins: Wins) -> list[int]:
    items, found = list(range(n)), []

    def better(a: int, b: int) -> bool:
        return wins(a, b) == 1 or (wins(a, b) == 0 and a < b)

    def heapify(size: int, i: int) -> None:
        largest = i
        for child in (2 * i + 1, 2 * i + 2):
            if child < size and better(items[child], items[largest]):
                largest = child
        if largest != i:
            items[i], items[largest] = items[largest], items[i]
            heapify(size, largest)

    for i in range(n // 2, -1, -1):
        heapify(n, i)
    for size in range(n, max(0, n - k), -1):
        found.append(items[0])
        items[0] = items[size - 1]
        heapify(size - 1, 0)
    return found


def tournament(n: int, k: int, wins: Wins) -> list[int]:
    beaten: dict[int, list[int]] = {i: [] for i in range(n)}

    def best(players: list[int]) -> int:
        if len(players) == 1:
            return players[0]
        half = 1 << (len(players) - 1).bit_length() - 1
        a, b = sorted([best(players[:half]), best(players[half:])])
        winner, loser = (b, a) if wins(a, b) == -1 else (a, b)
        beaten[winner].append(loser)
        return winner

    found, players = [], list(range(n))
    while players and len(found) < k:
        found.append(best(players))
        players = beaten[found[-1]]
    return found


REFERENCES = {"allpair": allpair, "sliding": sliding, "heap": heap, "tournament": tournament}


def indexes(found: Reranked) -> list[int]:
    return [placed.index for placed in found.order]


@pytest.mark.parametrize("variant", VARIANTS)
@given(data=st.data())
@settings(deadline=None, max_examples=scaled(60))
def test_each_method_equals_its_reference(
    variant: str, data: st.DataObject, preferring: Any
) -> None:
    n = data.draw(st.integers(0, 12), label="candidates")
    k = data.draw(st.integers(1, 14), label="places")
    mode = data.draw(st.sampled_from(["scoring", "generation"]), label="mode")
    said = {
        pair: data.draw(st.sampled_from([1, 1, -1, -1, 0]))
        for i, j in combinations(range(n), 2)
        for pair in ((i, j), (j, i))
    }

    def wins(i: int, j: int) -> int:
        """Compares in both orders, as in the paper."""
        return {(1, -1): 1, (-1, 1): -1}.get((said[i, j], said[j, i]), 0)

    config = PairwiseConfig(top_k=k, mode=mode, **VARIANTS[variant])
    reranker = PairwiseReranker(config, preferring.judge(lambda a, b: said[a, b]))
    (found,) = reranker.rerank([preferring.task(n)])
    top = REFERENCES[variant](n, k, wins)
    assert indexes(found) == [*top, *(i for i in range(n) if i not in top)]
    assert found.status == "complete"
    assert all(placed.judged for placed in found.order)
    for placed in found.order if variant == "allpair" else []:
        others = [wins(placed.index, j) for j in range(n) if j != placed.index]
        assert placed.score == others.count(1) + others.count(0) / 2
        counts = (others.count(1), others.count(0), others.count(-1), n - 1)
        names = ("wins", "ties", "losses", "comparisons")
        assert tuple(placed.reasons[name] for name in names) == counts


@pytest.mark.slow
def test_allpair_of_100_makes_4950_comparisons(preferring: Any) -> None:
    values = preferring.shuffled(100, 1)
    reranker = PairwiseReranker(PairwiseConfig(method="allpair"), preferring.perfect(values))
    (found,) = reranker.rerank([preferring.task(100)])
    assert sum(placed.reasons["comparisons"] for placed in found.order) // 2 == 4_950
    assert (found.usage.calls, found.usage.cache_hits) == (9_900, 0)
    assert [placed.score for placed in found.order] == list(range(99, -1, -1))


def test_sliding_over_100_caches_repeated_comparisons(preferring: Any) -> None:
    values = preferring.shuffled(100, 2)
    reranker = PairwiseReranker(PairwiseConfig(method="sliding"), preferring.perfect(values))
    (found,) = reranker.rerank([preferring.task(100)])
    # KN - K(K + 1)/2 comparisons, some of which repeat those of an earlier pass.
    assert found.usage.calls // 2 + found.usage.cache_hits == 945
    assert 0 < found.usage.cache_hits < 300


def count(variant: str, values: list[int], k: int) -> tuple[int, int]:
    """Comparisons and rounds with a perfect judge."""
    settled: list[int] = []
    method = METHODS[variant](len(values), k, settled)
    pairs, comparisons, rounds = next(method, None), 0, 0
    while pairs is not None:
        comparisons, rounds = comparisons + len(pairs), rounds + 1
        assert len({place for pair in pairs for place in pair}) == 2 * len(pairs)
        try:
            pairs = method.send([1 if values[i] > values[j] else -1 for i, j in pairs])
        except StopIteration:
            pairs = None
    assert settled == sorted(range(len(values)), key=lambda i: -values[i])[:k]
    return comparisons, rounds


def test_comparisons_and_rounds_for_the_top_10_of_100(preferring: Any) -> None:
    counts = {
        variant: [count(variant, preferring.shuffled(100, seed), 10) for seed in range(200)]
        for variant in METHODS
    }
    assert set(counts["sliding"]) == {(945, 108)}
    assert mean(c for c, _ in counts["heap"]) == pytest.approx(278, abs=2)
    assert mean(r for _, r in counts["heap"]) == pytest.approx(141, abs=3)
    assert mean(c for c, _ in counts["tournament"]) == pytest.approx(158, abs=2)
    assert mean(r for _, r in counts["tournament"]) == pytest.approx(36, abs=2)


def test_a_full_heapsort_of_100_sorts_all(preferring: Any) -> None:
    counts = [count("heap", preferring.shuffled(100, seed), 100)[0] for seed in range(50)]
    assert mean(counts) == pytest.approx(1_027, abs=10)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", ["scoring", "generation"])
def test_a_perfect_judge_puts_the_best_first(variant: str, mode: Any, preferring: Any) -> None:
    values = preferring.shuffled(60, 3)
    config = PairwiseConfig(mode=mode, **VARIANTS[variant])
    (found,) = PairwiseReranker(config, preferring.perfect(values)).rerank([preferring.task(60)])
    best = sorted(range(60), key=lambda i: -values[i])
    assert indexes(found)[:10] == best[:10]
    rest = best[10:] if variant == "allpair" else sorted(best[10:])
    assert indexes(found)[10:] == rest


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_judge_that_always_says_a_changes_nothing(variant: str, preferring: Any) -> None:
    config = PairwiseConfig(**VARIANTS[variant])
    (found,) = PairwiseReranker(config, preferring.judge(lambda a, b: 1)).rerank(
        [preferring.task(30)]
    )
    assert indexes(found) == list(range(30))


@pytest.mark.parametrize("variant", VARIANTS)
def test_several_queries_equal_single_queries(variant: str, preferring: Any) -> None:
    def says(a: int, b: int) -> int:
        return (a * 7 + b * 13) % 3 - 1

    config = PairwiseConfig(top_k=4, **VARIANTS[variant])
    tasks = [preferring.task(n, f"query {n}") for n in (9, 0, 1, 14, 2)]
    together = PairwiseReranker(config, preferring.judge(says)).rerank(tasks)
    for task, found in zip(tasks, together, strict=True):
        (alone,) = PairwiseReranker(config, preferring.judge(says)).rerank([task])
        assert found.order == alone.order
        assert found.usage.calls == alone.usage.calls


def test_a_pair_is_compared_only_once(preferring: Any) -> None:
    values = preferring.shuffled(20, 4)
    reranker = PairwiseReranker(PairwiseConfig(method="allpair"), preferring.perfect(values))
    task = preferring.task(20)
    (first,) = reranker.rerank([task])
    turned = type(task)(task.query, list(reversed(task.candidates)))
    (second,) = reranker.rerank([turned])
    assert (second.usage.calls, second.usage.cache_hits) == (0, 190)
    assert [19 - i for i in indexes(second)] == indexes(first)


def test_equal_texts_tie(preferring: Any) -> None:
    task = preferring.task(3)
    same = type(task)(task.query, [task.candidates[0]] * 2 + [task.candidates[2]])
    judge = preferring.judge(lambda a, b: 1 if a == b else (a > b) - (a < b))
    (found,) = PairwiseReranker(PairwiseConfig(method="allpair"), judge).rerank([same])
    assert indexes(found) == [2, 0, 1]
    assert [placed.score for placed in found.order] == [2.0, 0.5, 0.5]
