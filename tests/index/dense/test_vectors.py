"""Dense parts against all inner products in numpy.

Tests that compare bits use vectors of small integers, whose inner products are exact in any order
of additions.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from twindex.core import InvalidInputError, Representation, StorageError
from twindex.index import DenseLeg, FlatConfig, HnswConfig, protocol
from twindex.index.dense.delta import DenseDelta
from twindex.index.dense.segment import VectorSegment
from twindex.index.dense.tokens import TokenSegment
from twindex.index.protocol import Mask, Ranking, is_counted
from twindex.index.structures.exact import BLOCK_ROWS, QUERY_GROUP

from .. import parts
from ..parts import alone_and_together, examples, mask, merged, ranked, same, seeds, segment

FLAT = DenseLeg(index=FlatConfig())
HNSW = DenseLeg(index=HnswConfig(neighbors=16, ef_construction=80, flat_below=100))

Vectors = NDArray[np.float32]
shares = st.sampled_from([None, 0.0, 0.1, 0.6, 1.0])


def whole(rng: np.random.Generator, rows: int, width: int = 4) -> Vectors:
    return rng.integers(-3, 4, (rows, width)).astype(np.float32)


def unit(rng: np.random.Generator, rows: int, width: int = 32) -> Vectors:
    """Return unit vectors near a subspace of eight dimensions, like those of a model."""
    subspace = np.random.default_rng(0).standard_normal((8, width))
    made = rng.standard_normal((rows, 8)) @ subspace + 0.3 * rng.standard_normal((rows, width))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def reference(vectors: Vectors, queries: Vectors, k: int, allowed: Mask | None) -> Ranking:
    """Rank all inner products by sorting."""
    return ranked(list(queries @ vectors.T), k, allowed)


def flat(vectors: Vectors) -> AbstractContextManager[VectorSegment]:
    return segment(FLAT, Representation(dense=vectors))


def graph(vectors: Vectors, config: DenseLeg = HNSW) -> AbstractContextManager[VectorSegment]:
    return segment(config, Representation(dense=vectors))


def delta(*batches: Vectors) -> DenseDelta:
    return parts.delta(FLAT, *(Representation(dense=batch) for batch in batches))


@examples
@given(
    seed=seeds,
    rows=st.sampled_from([0, 1, 50, 900]),
    k=st.sampled_from([1, 10, 1000]),
    share=shares,
)
def test_exact_search_equals_numpy(seed: int, rows: int, k: int, share: float | None) -> None:
    rng = np.random.default_rng(seed)
    vectors, queries = whole(rng, rows), whole(rng, 3)
    allowed = mask(rng, rows, share)
    expected = reference(vectors, queries, k, allowed)
    batch = Representation(dense=queries)
    with flat(vectors) as part:
        assert len(part) == rows
        same(part.search(batch, k, allowed), expected)
        assert part.explain(batch, 0) == part.terms(0) == ()
        assert not is_counted(part)
    growing = delta(vectors[: rows // 3], vectors[rows // 3 :])
    same(growing.search(batch, k, np.ones(rows, np.bool_) if share is None else allowed), expected)


@pytest.mark.parametrize(
    "share", [None, 0.2, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.01, 0.9))]
)
@pytest.mark.parametrize("k", [1, 100, 3000])
def test_exact_search_over_several_blocks(k: int, share: float | None) -> None:
    """More rows than a block and more queries than a group; many equal scores."""
    rng = np.random.default_rng(1)
    rows = 2 * BLOCK_ROWS + 100
    vectors, queries = whole(rng, rows, 3), whole(rng, QUERY_GROUP + 5, 3)
    allowed = mask(rng, rows, share)
    with flat(vectors) as part:
        found = part.search(Representation(dense=queries), k, allowed)
    same(found, reference(vectors, queries, k, allowed))


@examples
@given(
    seed=seeds,
    rows=st.lists(st.integers(0, 90), min_size=1, max_size=4),
    share=st.sampled_from([None, 0.0, 0.6]),
    memory=st.sampled_from([1, 200, 1 << 20]),
)
def test_merge_equals_build(seed: int, rows: list[int], share: float | None, memory: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = [(whole(rng, count), mask(rng, count, share)) for count in rows]
    kept = np.concatenate([vectors if live is None else vectors[live] for vectors, live in drawn])
    sources = [(Representation(dense=vectors), live) for vectors, live in drawn]
    for config in (FLAT, HNSW):
        with TemporaryDirectory() as temporary:
            directory = merged(Path(temporary), config, sources, memory)
            opened = VectorSegment.open(directory, config)
            np.testing.assert_array_equal(opened.read(0, len(opened)), kept)
            is_graph = config is HNSW and len(kept) >= 100
            assert sorted(file.name for file in directory.iterdir()) == (
                ["hnsw.faiss", "storage.json"] if is_graph else ["vectors.npy"]
            )


def test_graph_search_has_high_recall() -> None:
    rng = np.random.default_rng(2)
    vectors, queries = unit(rng, 8000), unit(rng, 50)
    with graph(vectors) as part:
        for share in (None, 0.7, 0.45):
            allowed = mask(rng, 8000, share)
            expected = reference(vectors, queries, 10, allowed).rows
            found = part.search(Representation(dense=queries), 10, allowed)
            hits = [len(np.intersect1d(a, b)) for a, b in zip(found.rows, expected, strict=True)]
            assert np.mean(hits) / 10 >= 0.95, share
            assert allowed is None or allowed[found.rows].all()
            computed = np.einsum("qd,qkd->qk", queries, vectors[found.rows])
            np.testing.assert_allclose(found.scores, computed, atol=1e-5)
            assert (np.diff(found.scores, axis=1) <= 0).all()


def test_graph_segment_searches_exactly_where_that_is_cheap() -> None:
    rng = np.random.default_rng(3)
    vectors, queries = whole(rng, 3000), whole(rng, 4)
    with graph(vectors) as part:
        for share, k in ((0.3, 10), (0.0, 10), (None, 400), (None, 5000)):
            allowed = mask(rng, 3000, share)
            same(
                part.search(Representation(dense=queries), k, allowed),
                reference(vectors, queries, k, allowed),
            )


def test_rows_unreachable_in_the_graph_are_found() -> None:
    """Thousands of equal vectors form islands in the graph without links to other vectors."""
    config = DenseLeg(index=HnswConfig(neighbors=2, ef_construction=8, ef_search=1, flat_below=1))
    vectors = np.ones((4000, 4), dtype=np.float32)
    with graph(vectors, config) as part:
        found = part.search(Representation(dense=vectors[:3]), 150, None)
    assert (found.rows >= 0).all()
    assert all(len(set(row)) == 150 for row in found.rows.tolist())


def test_concurrent_searches_return_equal_results() -> None:
    rng = np.random.default_rng(5)
    vectors, allowed = unit(rng, 3000), rng.random(3000) < 0.5
    queries = [Representation(dense=unit(rng, 2)) for _ in range(30)]
    with flat(vectors) as exact, graph(vectors) as approximate:
        for one, other in alone_and_together((exact, approximate), queries, 10, allowed):
            np.testing.assert_array_equal(one.rows, other.rows)


@examples
@given(seed=seeds, rows=st.integers(1, 10))
def test_packed_rows_unpack_exactly(seed: int, rows: int) -> None:
    vectors = np.random.default_rng(seed).standard_normal((rows, 5)).astype(np.float32)
    unpacked = DenseDelta.unpack(DenseDelta.pack(Representation(dense=vectors))).dense
    assert unpacked is not None
    np.testing.assert_array_equal(unpacked, vectors)
    keep = np.arange(rows - 1, -1, -2)
    np.testing.assert_array_equal(delta(unpacked).rows(keep).dense, vectors[keep])


def test_searches_are_stable_while_a_delta_grows() -> None:
    rng = np.random.default_rng(6)
    first, query = whole(rng, 40), Representation(dense=whole(rng, 1))
    part = delta(first)
    known = np.ones(40, np.bool_)
    before = part.search(query, 10, known)
    for _ in range(20):
        part.append(Representation(dense=whole(rng, 30)))
        same(part.search(query, 10, known), before)


def test_vectors_of_another_width_or_kind_are_rejected() -> None:
    vectors = np.ones((200, 4), dtype=np.float32)
    wide = Representation(dense=np.ones((1, 5), dtype=np.float32))
    with flat(vectors) as exact, graph(vectors) as approximate:
        for part in (exact, approximate, delta(vectors)):
            for query in (wide, Representation(terms=[{"a": 1}])):
                with pytest.raises(InvalidInputError, match="dense"):
                    part.search(query, 1, np.ones(200, np.bool_))


def test_damaged_rows_of_a_delta_are_rejected() -> None:
    first, *_ = packed = DenseDelta.pack(Representation(dense=np.ones((3, 4), np.float32)))
    for damaged in (first[:-1], first[:-4], first + first, b""):
        with pytest.raises(ValueError, match="length"):
            DenseDelta.unpack([*packed, damaged])
    growing = delta(np.ones((3, 4), np.float32))
    with pytest.raises(ValueError, match="dimensions"):
        growing.append(Representation(dense=np.ones((2, 1), np.float32)))
    assert len(growing) == 3


@pytest.mark.parametrize(("kind", "config"), [(TokenSegment, FLAT), (VectorSegment, HNSW)])
def test_more_rows_than_the_limit_are_rejected(
    kind: type[TokenSegment | VectorSegment],
    config: DenseLeg,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = Representation(dense=np.ones((5, 4), np.float32))
    kind.build(tmp_path, batch, config)
    sources = [(kind.open(tmp_path, config), mask) for mask in (None, np.ones(5, np.bool_))]
    monkeypatch.setattr(protocol, "MAX_ROWS", 9)
    with pytest.raises(InvalidInputError, match=r"at most 9 passages .*, got 10;"):
        kind.merge(tmp_path, sources, config, 1 << 20)
    monkeypatch.setattr(protocol, "MAX_ROWS", 4)
    with pytest.raises(InvalidInputError, match=r"at most 4 passages .*, got 5;"):
        kind.build(tmp_path, batch, config)


def test_a_file_of_another_dtype_is_rejected(tmp_path: Path) -> None:
    for wrong in (np.ones((2, 4)), np.ones(8, np.float32)):
        np.save(tmp_path / "vectors.npy", wrong)
        for config in (FLAT, HNSW):
            with pytest.raises(ValueError, match=r"vectors\.npy"):
                VectorSegment.open(tmp_path, config)


def test_a_damaged_graph_is_an_os_error(tmp_path: Path) -> None:
    VectorSegment.build(tmp_path, Representation(dense=np.ones((200, 4), np.float32)), HNSW)
    file = tmp_path / "hnsw.faiss"
    file.write_bytes(b"nonsense" + file.read_bytes()[8:])
    with pytest.raises(OSError, match=r"hnsw\.faiss"):
        VectorSegment.open(tmp_path, HNSW)


def test_a_damaged_link_of_a_graph_is_an_os_error(tmp_path: Path) -> None:
    """FAISS follows links without checks, so opening the file must check them."""
    vectors = np.random.default_rng(7).standard_normal((200, 4)).astype(np.float32)
    VectorSegment.build(tmp_path, Representation(dense=vectors), HNSW)
    file = tmp_path / "hnsw.faiss"
    index = faiss.read_index(str(file))
    links = faiss.vector_to_array(index.hnsw.neighbors).tobytes()
    whole = file.read_bytes()
    place = whole.index(links)
    file.write_bytes(whole[: place + 3] + b"\x40" + whole[place + 4 :])
    with pytest.raises(OSError, match=r"hnsw\.faiss"):
        VectorSegment.open(tmp_path, HNSW)


@pytest.mark.parametrize("number", [np.nan, np.inf, -1.1e8])
def test_numbers_that_no_index_supports_are_rejected(number: float, tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(0), 200)
    vectors[7, 3] = number
    rows = Representation(dense=vectors)
    for write in (
        lambda: VectorSegment.build(tmp_path, rows, HNSW),
        lambda: VectorSegment.build(tmp_path, rows, FLAT),
        lambda: DenseDelta.pack(rows),
    ):
        with pytest.raises(InvalidInputError, match="vector 7 of 200"):
            write()


@pytest.mark.parametrize("k", [1, 10, 300])
def test_a_stored_nan_is_reported(k: int, tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(0), 200)
    vectors[:150, 3] = np.nan
    np.save(tmp_path / "vectors.npy", vectors)
    segment = VectorSegment.open(tmp_path, FLAT)
    with pytest.raises(StorageError, match="not a number"):
        segment.search(Representation(dense=vectors[-2:]), k, None)


def test_an_array_with_a_damaged_header_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "vectors.npy"
    np.save(file, np.zeros((3, 4), np.float32))
    good = file.read_bytes()
    for old, new in ((b"{'descr'", b"{(descr'"), (b"}", b" "), (b"(3, 4)", b"(3e99)")):
        file.write_bytes(good.replace(old, new))
        with pytest.raises(ValueError):
            VectorSegment.open(tmp_path, FLAT)
