"""Limits, the Pareto front and the recommendation, compared with brute force."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.eval.tuning import Limits, choose, front
from twindex.eval.tuning.choice import COSTS, TOLERANCE


@dataclass(frozen=True)
class Made:
    """A point with given figures."""

    quality: float
    bytes_per_vector: float
    memory: float
    p95_ms: float
    recall: float
    keeps_originals: bool = True
    name: str = "made"


def made(
    quality: float,
    size: float = 100,
    memory: float = 1e6,
    p95: float = 1,
    recall: float | None = None,
) -> Made:
    return Made(quality, size, memory, p95, quality if recall is None else recall)


# There are few distinct values, so that ties and beaten points occur.
share = st.integers(0, 40).map(lambda i: i / 40)
cost = st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0])
memory = st.sampled_from([0.0, 500.0, 1e4, 2e4, 1e6])
points = st.lists(
    st.builds(Made, share, cost, memory, cost, share, st.booleans()), min_size=1, max_size=12
)
limits = st.builds(
    Limits,
    st.none() | cost,
    st.none() | memory.filter(bool),
    st.none() | cost,
    st.none() | share.filter(bool),
)


def beats(a: Made, b: Made, costs: tuple[str, ...] = COSTS) -> bool:
    no_worse = a.quality >= b.quality and all(getattr(a, c) <= getattr(b, c) for c in costs)
    better = a.quality > b.quality or any(getattr(a, c) < getattr(b, c) for c in costs)
    return no_worse and better


def meets(point: Made, limits: Limits) -> bool:
    return (
        (limits.bytes_per_vector is None or point.bytes_per_vector <= limits.bytes_per_vector)
        and (limits.memory is None or point.memory <= limits.memory)
        and (limits.p95_ms is None or point.p95_ms <= limits.p95_ms)
        and (limits.min_recall is None or point.recall >= limits.min_recall)
    )


@given(points, st.sampled_from([COSTS, ("bytes_per_vector",), ("memory",), ("p95_ms",)]))
def test_front_has_all_unbeaten_points(points: list[Made], costs: tuple[str, ...]) -> None:
    kept = front(points, costs)
    values = {(p.quality, *(getattr(p, c) for c in costs)) for p in points}
    unbeaten = {
        (p.quality, *(getattr(p, c) for c in costs))
        for p in points
        if not any(beats(other, p, costs) for other in points)
    }
    found = [(points[i].quality, *(getattr(points[i], c) for c in costs)) for i in kept]
    assert len(set(found)) == len(found)  # Equal points occur once.
    assert set(found) == unbeaten <= values


@given(points, limits)
def test_recommended_point_meets_the_limits_and_is_unbeaten(
    points: list[Made], limits: Limits
) -> None:
    within = [p for p in points if meets(p, limits)]
    choice = choose(points, limits)
    if not within:
        assert choice.recommended is None
        assert choice.nearest is not None
        assert points[choice.nearest].name in choice.reason
        return
    assert choice.recommended is not None
    chosen = points[choice.recommended]
    assert chosen in within
    within = [p for p in within if p.keeps_originals] or within
    assert chosen in within
    assert not any(beats(other, chosen) for other in within)
    best = max(p.quality for p in within)
    if limits.min_recall is None:
        assert chosen.quality >= best - TOLERANCE
        within = [p for p in within if p.quality >= best - TOLERANCE]
    saved = [c for c in COSTS if getattr(limits, c) is None] or COSTS

    def total(p: Made) -> float:
        return math.prod(max(getattr(p, c), 1e3 if c == "memory" else 0.0) for c in saved)

    assert total(chosen) == min(total(p) for p in within)


@given(points, limits)
def test_failed_names_every_missed_limit(points: list[Made], limits: Limits) -> None:
    for point in points:
        failed = limits.failed(point)
        assert (not failed) == meets(point, limits)
        assert all(times > 1 for times in failed.values())


def test_with_min_recall_the_cheapest_is_recommended() -> None:
    points = [made(1.0, 400, 4e6, 4), made(0.96, 100, 1e6, 1), made(0.5, 10, 1e5, 0.1)]
    assert choose(points, Limits()).recommended == 0
    assert choose(points, Limits(min_recall=0.95)).recommended == 1
    assert choose(points, Limits(p95_ms=0.5)).recommended == 2
    assert choose(points, Limits(bytes_per_vector=400, memory=4e6, p95_ms=4)).recommended == 0


def test_costs_with_a_limit_are_not_minimised() -> None:
    small, quick = made(0.99, 100, 1e6, 5), made(0.99, 100, 5e6, 2)
    assert choose([small, quick], Limits(min_recall=0.9, memory=5e6)).recommended == 1
    assert choose([small, quick], Limits(min_recall=0.9, p95_ms=5)).recommended == 0


def test_small_differences_in_quality_are_ignored() -> None:
    points = [made(0.995, 1536), made(0.993, 384)]
    assert choose(points, Limits()).recommended == 1
    points = [made(0.995, 1536), made(0.98, 384)]
    assert choose(points, Limits()).recommended == 0


def test_originals_are_dropped_only_if_necessary() -> None:
    points = [made(0.99, 1000), replace(made(0.99, 300), keeps_originals=False)]
    assert choose(points, Limits()).recommended == 0
    assert choose(points, Limits(min_recall=0.9)).recommended == 0
    choice = choose(points, Limits(bytes_per_vector=400))
    assert choice.recommended == 1
    assert "originals" not in choice.reason


def test_min_recall_limits_recall_even_with_judgements() -> None:
    points = [made(0.40, 100, recall=0.8), made(0.39, 200, recall=0.97)]
    assert choose(points, Limits(min_recall=0.95)).recommended == 1


def test_reason_names_missed_limits_and_nearest_point() -> None:
    points = [made(0.99, 1536, 8e7, 3), made(0.9, 400, 2e7, 3)]
    choice = choose(points, Limits(bytes_per_vector=300))
    assert (choice.recommended, choice.nearest) == (None, 1)
    assert "at most 300 bytes per vector: the best has 400 bytes per vector" in choice.reason
    choice = choose(points, Limits(bytes_per_vector=500, min_recall=0.95))
    assert choice.nearest == 1
    assert "no configuration meets all" in choice.reason
    assert "with a recall of 0.900" in choice.reason
    choice = choose(points, Limits(p95_ms=1, memory=1e7))
    assert "a p95 of at most 1 ms" in choice.reason
    assert "at most 10 MB of memory" in choice.reason
    assert choose([made(0.0)], Limits(min_recall=0.5)).nearest == 0


@pytest.mark.parametrize("name", COSTS)
def test_value_equal_to_the_limit_meets_it(name: str) -> None:
    point = made(0.9)
    assert choose([point], Limits(**{name: getattr(point, name)})).recommended == 0
