"""Heads: nearest heads, saving and loading."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from twindex.index.structures.spann.heads import FILE, FLAT_BELOW, Heads, normalized


def vectors(n: int, width: int = 24, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    made = rng.standard_normal((n, width)) * rng.lognormal(0, 1, (n, 1))
    return made.astype(np.float32)


@pytest.mark.parametrize("heads", [1, 7, FLAT_BELOW - 1, FLAT_BELOW, 5_000])
@pytest.mark.parametrize("count", [1, 16])
def test_nearest_heads_are_found_by_direction(tmp_path: Path, heads: int, count: int) -> None:
    made, queries = vectors(heads), vectors(100, seed=1)
    Heads.build(made, 0).save(tmp_path)
    opened = Heads.open(tmp_path)
    lists, similarities = opened.nearest(queries, count)
    count = min(count, heads)
    assert lists.shape == similarities.shape == (100, count)
    assert (lists.dtype, similarities.dtype) == (np.int64, np.float32)
    assert (np.diff(similarities, axis=1) <= 0).all()
    products = queries @ normalized(made).T
    lengths = np.linalg.norm(queries, axis=1, keepdims=True)
    exactly = np.take_along_axis(products, lists, axis=1)
    assert (np.abs(similarities - exactly) < 0.02 * lengths).all()
    expected = np.argsort(-products, axis=1)[:, :count]
    same = [len(np.intersect1d(a, b)) for a, b in zip(lists, expected, strict=True)]
    assert np.mean(same) > (0.93 if heads >= FLAT_BELOW else 0.999) * count


def test_all_heads_are_found(tmp_path: Path) -> None:
    # A graph may not reach all copies of a vector.
    made = np.concatenate((vectors(2_500), np.tile(vectors(1, seed=2), (500, 1))))
    heads = Heads.build(made, 0)
    for count in (300, 3_000):
        lists, _ = heads.nearest(vectors(5, seed=1), count)
        assert all(len(set(row)) == count for row in lists.tolist())
        assert lists.min() >= 0
    assert len(heads.nearest(vectors(1), 10**6)[0][0]) == len(heads) == 3_000


def test_equal_seeds_give_equal_files(tmp_path: Path) -> None:
    made = vectors(3_000)
    written = []
    for seed in (0, 0, 1):
        Heads.build(made, seed).save(tmp_path)
        written.append((tmp_path / FILE).read_bytes())
    assert written[0] == written[1] != written[2]


def test_build_restores_the_number_of_threads() -> None:
    before = faiss.omp_get_max_threads()
    try:
        faiss.omp_set_num_threads(3)
        Heads.build(vectors(10), 0)
        assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)


def test_concurrent_searches_return_equal_results() -> None:
    heads, queries = Heads.build(vectors(4_000), 0), vectors(64, seed=1)
    expected = heads.nearest(queries, 10)[0]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: heads.nearest(queries[i : i + 1], 10)[0][0], range(64)))
    assert np.array_equal(np.array(found), expected)


def test_memory_is_about_the_size_of_the_file(tmp_path: Path) -> None:
    for count in (1_000, 4_000):
        heads = Heads.build(vectors(count, width=128), 0)
        heads.save(tmp_path)
        assert heads.memory == pytest.approx((tmp_path / FILE).stat().st_size, rel=0.1)


def test_zero_vectors_stay_zero() -> None:
    made = np.zeros((3, 4), dtype=np.float32)
    made[0, 0] = 5
    assert normalized(made).tolist() == [[1, 0, 0, 0], [0] * 4, [0] * 4]
    assert Heads.build(made, 0).nearest(made, 3)[0].shape == (3, 3)


def test_an_empty_set_of_heads_is_rejected() -> None:
    with pytest.raises(ValueError, match="no heads"):
        Heads.build(np.empty((0, 4), dtype=np.float32), 0)


def test_damaged_files_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        Heads.open(tmp_path)
    Heads.build(vectors(3_000), 0).save(tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    for broken in (b"", b"what is this", whole[: len(whole) // 2]):
        (tmp_path / FILE).write_bytes(broken)
        with pytest.raises(ValueError, match="cannot read"):
            Heads.open(tmp_path)
    faiss.write_index(faiss.IndexLSH(8, 8), str(tmp_path / FILE))
    with pytest.raises(ValueError, match="must be an IndexHNSWSQ or IndexFlat of FAISS, got"):
        Heads.open(tmp_path)
