"""The measured number of lists per vector, against searches of whole lists."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from twindex.index.structures.spann import replicas
from twindex.index.structures.spann.candidates import nearest_heads
from twindex.index.structures.spann.closure import assign
from twindex.index.structures.spann.heads import Heads, normalized
from twindex.index.structures.spann.replicas import CAPS, LARGEST, Cap, choose_cap, measure_caps
from twindex.index.structures.spann.selection import select


def clustered(n: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((20, 16))
    vectors = centres[rng.integers(20, size=n)] + 0.5 * rng.standard_normal((n, 16))
    return normalized(vectors.astype(np.float32))


def test_measured_costs_equal_those_of_built_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "QUERIES", 100)
    vectors = clustered(6_000)
    heads = vectors[select(vectors, 300, 0)]
    graph = Heads.build(heads, 0)
    rows = np.sort(np.random.default_rng(3).choice(6_000, 100, replace=False))
    products = vectors[rows] @ vectors.T
    products[np.arange(100), rows] = -np.inf
    near = np.argsort(-products, axis=1)[:, :10]
    order = nearest_heads(vectors[rows], heads, graph, 256)
    candidates = nearest_heads(vectors, heads, graph, 64)
    measured = measure_caps(vectors, heads, graph, 0.95, 1_000.0, seed=3)
    assert [cap.replicas for cap in measured] == list(CAPS)
    for cap in measured:
        lists, _ = assign(vectors, heads, candidates, cap.replicas, None)

        def recall(depth: int, lists: NDArray[np.int64] = lists) -> float:
            found = [
                np.isin(lists[best], read[:depth]).any(axis=1).mean()
                for best, read in zip(near, order, strict=True)
            ]
            return float(np.mean(found))

        assert recall(cap.lists) >= 0.95 > recall(cap.lists - 1)
        assert cap.kept == pytest.approx((lists[rows] >= 0).sum(axis=1).mean(), abs=0.01)
        assert cap.bytes == pytest.approx(cap.lists * cap.kept * 1_000, rel=0.01)


def test_a_larger_cap_is_chosen_only_if_it_saves_enough() -> None:
    def caps(*lists: int) -> list[Cap]:
        return [Cap(n, found, n, 1_000) for n, found in zip(CAPS, lists, strict=True)]

    assert choose_cap(caps(100, 40, 20, 18, 17), 3) == 3
    assert choose_cap(caps(100, 99, 20, 10, 5), 4) == 1
    assert choose_cap(caps(100, 50, 48, 10, 5), 4) == 2
    assert choose_cap(caps(0, 50, 20, 10, 5), 3) == LARGEST == 3
    assert choose_cap(caps(0, 0, 0, 30, 29), 3) == 3
    assert choose_cap([], 3) == 3


def test_few_vectors_are_not_measured() -> None:
    vectors = clustered(255)
    assert measure_caps(vectors, vectors, Heads.build(vectors, 0), 0.9, 1.0, 0) == []
