"""Assignment of vectors to lists, against a literal implementation of the rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from twindex.index.structures.spann import candidates
from twindex.index.structures.spann.candidates import nearest_heads
from twindex.index.structures.spann.closure import assign
from twindex.index.structures.spann.heads import Heads, normalized

from ...house import scaled

Floats = NDArray[np.float32]


def reference(
    vector: Floats, heads: Floats, candidates: list[int], replicas: int, epsilon: float | None
) -> list[int]:
    def d(a: Floats, b: Floats) -> float:
        return float(((a - b) ** 2).sum())

    order = sorted(candidates, key=lambda c: (d(vector, heads[c]), c))
    accepted: list[int] = []
    for c in order:
        far = d(vector, heads[c])
        if epsilon is not None and far > (1 + epsilon) * d(vector, heads[order[0]]):
            break
        if all(d(heads[c], heads[a]) >= far for a in accepted) and len(accepted) < replicas:
            accepted.append(c)
    return accepted


@st.composite
def cases(draw: st.DrawFn) -> tuple[Floats, Floats, list[list[int]]]:
    # Small integers: distances are exact in any order of additions.
    width = draw(st.integers(1, 20))
    whole = st.integers(-3, 3)
    vectors = draw(arrays.arrays(np.int8, (draw(st.integers(1, 5)), width), elements=whole))
    heads = draw(arrays.arrays(np.int8, (draw(st.integers(1, 12)), width), elements=whole))
    lists = st.lists(st.integers(0, len(heads) - 1), unique=True, min_size=1)
    return (
        vectors.astype(np.float32),
        heads.astype(np.float32),
        [draw(lists) for _ in range(len(vectors))],
    )


@given(cases(), st.integers(1, 6), st.sampled_from([None, 0.0, 0.5, 2.0]))
@settings(max_examples=scaled(200), deadline=None)
def test_lists_follow_the_rule(
    case: tuple[Floats, Floats, list[list[int]]], replicas: int, epsilon: float | None
) -> None:
    vectors, heads, lists = case
    candidates = np.full((len(vectors), len(heads)), -1, dtype=np.int64)
    for row, known in enumerate(lists):
        candidates[row, : len(known)] = known
    found, distances = assign(vectors, heads, candidates, replicas, epsilon)
    assert found.shape == distances.shape == (len(vectors), replicas)
    for row, known in enumerate(lists):
        expected = reference(vectors[row], heads, known, replicas, epsilon)
        assert found[row, : len(expected)].tolist() == expected
        assert (found[row, len(expected) :] == -1).all()
        exact = ((vectors[row] - heads[expected]) ** 2).sum(axis=1)
        assert distances[row, : len(expected)].tolist() == exact.tolist()


def test_heads_in_one_direction_are_used_once() -> None:
    heads = np.array([[1, 0], [1.5, 0], [-1.2, 0], [0, 1.3]], dtype=np.float32)
    found, _ = assign(np.zeros((1, 2), np.float32), heads, np.array([[0, 1, 2, 3]]), 4, None)
    assert found.tolist() == [[0, 2, 3, -1]] or found.tolist() == [[0, 3, 2, -1]]


def test_vectors_without_candidates_are_in_no_list() -> None:
    found, distances = assign(
        np.zeros((1, 2), np.float32),
        np.ones((1, 2), np.float32),
        -np.ones((1, 3), np.int64),
        2,
        None,
    )
    assert (found == -1).all()
    assert np.isinf(distances).all()


@pytest.mark.parametrize(("heads", "count"), [(1, 1), (30, 30), (5_000, 20)])
def test_nearest_heads_are_exact(heads: int, count: int) -> None:
    rng = np.random.default_rng(0)
    near = normalized(rng.standard_normal((heads, 12), dtype=np.float32))
    vectors = normalized(rng.standard_normal((700, 12), dtype=np.float32))
    found = nearest_heads(vectors, near, Heads.build(near, 0), count)
    expected = np.argsort(-(vectors @ near.T), axis=1, kind="stable")[:, :count]
    products = np.take_along_axis(vectors @ near.T, found, axis=1)
    assert np.allclose(products, np.take_along_axis(vectors @ near.T, expected, axis=1), atol=1e-6)
    assert all(len(set(row)) == count for row in found.tolist())


def test_many_heads_are_searched_with_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "COMPARED", 100)
    rng = np.random.default_rng(0)
    near = normalized(rng.standard_normal((4_000, 12), dtype=np.float32))
    vectors = near[:300] + 0.01
    found = nearest_heads(vectors, near, Heads.build(near, 0), 10)
    expected = np.argsort(-(vectors @ near.T), axis=1, kind="stable")[:, :10]
    same = [len(np.intersect1d(a, b)) for a, b in zip(found, expected, strict=True)]
    assert np.mean(same) > 9.5
