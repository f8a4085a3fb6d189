"""Sparse parts against the dot product of scipy."""

from __future__ import annotations

import struct
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array, random_array, vstack

from twindex.core import InvalidInputError, Representation
from twindex.index import SparseLeg
from twindex.index.inverted.log import LogState, PostingsLog
from twindex.index.inverted.sparse import SparseSegment
from twindex.index.inverted.sparse_delta import SparseDelta
from twindex.index.protocol import Mask, Ranking

from .. import parts
from ..parts import alone_and_together, built, examples, files, mask, merged, ranked, same, seeds

LEG = SparseLeg()
VOCABULARY = 30

sizes = st.sampled_from([0, 1, 2, 31, 300, 1500])
depths = st.sampled_from([1, 3, 10, 200, 2000])
shares = st.sampled_from([None, 0.0, 0.05, 0.5, 1.0])


def matrix(
    rng: np.random.Generator, rows: int, density: float = 0.15, *, ties: bool = False
) -> csr_array:
    """Return random weights; with `ties`, only three distinct ones."""
    made = random_array(
        (rows, VOCABULARY), density=density, format="csr", rng=rng, dtype=np.float32
    )
    made.data = np.ceil(made.data * 3) if ties else made.data + np.float32(1e-3)
    made.sort_indices()
    return made


def reference(rows: csr_array, queries: csr_array, k: int, allowed: Mask | None) -> Ranking:
    """Rank all dot products by sorting."""
    return ranked([rows @ query for query in queries.toarray()], k, allowed, least=0)


def segment(rows: csr_array) -> AbstractContextManager[SparseSegment]:
    return parts.segment(LEG, Representation(sparse=rows))


def delta(*batches: csr_array) -> SparseDelta:
    return parts.delta(LEG, *(Representation(sparse=batch) for batch in batches))


@examples
@given(seed=seeds, rows=sizes, k=depths, share=shares, ties=st.booleans())
def test_search_equals_the_dot_product(
    seed: int, rows: int, k: int, share: float | None, ties: bool
) -> None:
    rng = np.random.default_rng(seed)
    documents, queries = matrix(rng, rows, ties=ties), matrix(rng, 4, 0.2, ties=ties)
    allowed = mask(rng, rows, share)
    expected = reference(documents, queries, k, allowed)
    with segment(documents) as part:
        assert len(part) == rows
        same(part.search(Representation(sparse=queries), k, allowed), expected)
    part_mask = np.ones(rows, np.bool_) if allowed is None else allowed
    growing = delta(documents[: rows // 3], documents[rows // 3 :])
    same(growing.search(Representation(sparse=queries), k, part_mask), expected)


@pytest.mark.parametrize("density", [0.001, 0.02, 0.5])
def test_visiting_short_lists_equals_scanning_all_rows(density: float) -> None:
    """Few postings are visited and many are scanned: the results must be equal."""
    rng = np.random.default_rng(7)
    documents, queries = matrix(rng, 5000, density), matrix(rng, 10, 0.3)
    for allowed in (None, mask(rng, 5000, 0.3)):
        with segment(documents) as part:
            same(
                part.search(Representation(sparse=queries), 50, allowed),
                reference(documents, queries, 50, allowed),
            )


@examples
@given(
    seed=seeds,
    rows=st.lists(st.integers(0, 60), min_size=1, max_size=4),
    share=st.sampled_from([None, 0.0, 0.6]),
    memory=st.sampled_from([1, 3000, 1 << 24]),
)
def test_merge_equals_build(seed: int, rows: list[int], share: float | None, memory: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = [(matrix(rng, count), mask(rng, count, share)) for count in rows]
    kept = [one if live is None else one[np.flatnonzero(live)] for one, live in drawn]
    sources = [(Representation(sparse=one), live) for one, live in drawn]
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        built(root / "built", LEG, Representation(sparse=vstack(kept, format="csr")))
        assert files(merged(root, LEG, sources, memory)) == files(root / "built")


def test_contributions_add_up_to_the_score() -> None:
    rng = np.random.default_rng(1)
    documents, queries = matrix(rng, 100, 0.3), Representation(sparse=matrix(rng, 1, 0.5))
    with segment(documents) as part:
        for some in (part, delta(documents)):
            ranking = some.search(queries, 5, np.ones(100, np.bool_))
            for row, score in zip(ranking.rows[0].tolist(), ranking.scores[0], strict=True):
                terms = some.explain(queries, row)
                assert sum(term.score for term in terms) == pytest.approx(float(score), abs=1e-5)
                for term in terms:
                    assert term.score == pytest.approx(term.query * term.document)
                    assert term.document == documents[[row]].toarray()[0][int(term.term)]


@examples
@given(seed=seeds, rows=st.sampled_from([1, 2, 300]), density=st.sampled_from([0.0, 0.1, 1.0]))
def test_terms_returns_the_weights_of_a_row(seed: int, rows: int, density: float) -> None:
    documents = matrix(np.random.default_rng(seed), rows, density, ties=True)
    with segment(documents) as part:
        for row in {0, rows // 2, rows - 1}:
            weights = enumerate(documents[[row]].toarray()[0].tolist())
            expected = sorted((-weight, str(term)) for term, weight in weights if weight > 0)
            for some in (part, delta(documents)):
                assert [(-term.weight, term.term) for term in some.terms(row)] == expected


def test_concurrent_searches_return_equal_results() -> None:
    rng = np.random.default_rng(3)
    many = [matrix(rng, count) for count in (700, 50, 3000)]
    queries = [Representation(sparse=matrix(rng, 2, 0.2)) for _ in range(40)]
    with segment(many[0]) as a, segment(many[1]) as b, segment(many[2]) as c:
        for one, other in alone_and_together((a, b, c), queries, 20, None):
            same(one, other)


def test_searches_are_stable_while_a_delta_grows() -> None:
    rng = np.random.default_rng(4)
    first, more = matrix(rng, 200), [matrix(rng, 7) for _ in range(300)]
    queries = matrix(rng, 3, 0.3)
    part = delta(first)
    known = np.ones(200, np.bool_)
    expected = reference(first, queries, 30, known)
    writer = threading.Thread(
        target=lambda: [part.append(Representation(sparse=batch)) for batch in more]
    )
    writer.start()
    while writer.is_alive():
        same(part.search(Representation(sparse=queries), 30, known), expected)
    writer.join()
    whole = vstack([first, *more], format="csr")
    same(
        part.search(Representation(sparse=queries), 30, np.ones(len(part), np.bool_)),
        reference(whole, queries, 30, None),
    )


def equal(one: csr_array, other: csr_array) -> None:
    assert one.shape == other.shape
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@examples
@given(seed=seeds, rows=st.integers(1, 20), density=st.sampled_from([0.0, 0.2, 1.0]))
def test_packed_rows_unpack_exactly(seed: int, rows: int, density: float) -> None:
    documents = matrix(np.random.default_rng(seed), rows, density)
    packed = SparseDelta.pack(Representation(sparse=documents))
    assert len(packed) == rows
    unpacked = SparseDelta.unpack(packed).sparse
    assert unpacked is not None
    equal(unpacked, documents)
    part = delta(unpacked)
    keep: NDArray[np.int64] = np.arange(rows - 1, -1, -2)
    taken = part.rows(keep).sparse
    assert taken is not None
    equal(taken, documents[keep])


def test_damaged_rows_of_a_delta_are_rejected() -> None:
    """A term out of range would make a kernel write to arbitrary memory."""
    packed = SparseDelta.pack(Representation(sparse=matrix(np.random.default_rng(8), 1, 0.5)))[0]

    def damaged(position: int, value: int) -> bytes:
        return packed[:position] + struct.pack("<i", value) + packed[position + 4 :]

    for wrong in (
        damaged(0, VOCABULARY + 1),
        damaged(4, 2),
        damaged(8, -1),
        damaged(8, VOCABULARY),
        packed[:-1],
        packed[:6],
        packed + b"\0" * 8,
    ):
        with pytest.raises(ValueError, match=r"stored sparse vector|ind"):
            SparseDelta.unpack([packed, wrong])


@pytest.mark.parametrize(
    ("terms", "lengths", "vocabulary", "message"),
    [
        ([0, -1], [2], 10, "term numbers must be from 0 to 9, got -1 to 0"),
        ([0, 10], [2], 10, "term numbers must be from 0 to 9, got 0 to 10"),
        ([0, 1], [1], 10, "rows with 1 postings need .* got 2 terms and 2 values"),
        ([0, 1], [2], 9, "vocabulary must be at least 10, got 9"),
    ],
)
def test_a_log_rejects_invalid_postings(
    terms: list[int], lengths: list[int], vocabulary: int, message: str
) -> None:
    log = PostingsLog(np.float32)
    log.append(np.array([3]), np.array([1.0]), np.array([1]), 10)
    state = log.state
    with pytest.raises(ValueError, match=message):
        log.append(np.array(terms), np.array([1.0, 1.0]), np.array(lengths), vocabulary)
    assert log.state is state


def test_rows_reads_the_state_of_a_growing_delta_once() -> None:
    """A method must read `state` once: here every read returns another state."""
    documents = matrix(np.random.default_rng(9), 4, 0.3)
    states = [delta(documents[:n])._log.state for n in (2, 3, 4)]

    class Growing:
        @property
        def state(self) -> LogState:
            return states.pop(0)

    part = SparseDelta(LEG)
    part._log = cast(PostingsLog, Growing())
    taken = part.rows(np.array([1, 0])).sparse
    assert taken is not None
    equal(taken, documents[[1, 0]])
    assert len(states) == 2
    part.explain(Representation(sparse=documents[[0]]), 0)
    assert len(states) == 1


def test_searches_without_matches_are_empty() -> None:
    rng = np.random.default_rng(5)
    no_terms = csr_array((2, VOCABULARY), dtype=np.float32)
    with segment(matrix(rng, 20)) as part:
        same(
            part.search(Representation(sparse=no_terms), 3, None),
            reference(matrix(rng, 0), no_terms, 3, None),
        )
    empty = SparseDelta(LEG)
    ranking = empty.search(Representation(sparse=matrix(rng, 1)), 3, np.empty(0, np.bool_))
    assert ranking.rows.tolist() == [[-1, -1, -1]]
    assert len(SparseDelta.unpack([])) == 0


@pytest.mark.parametrize(
    "query",
    [
        Representation(sparse=csr_array(np.ones((1, VOCABULARY + 1), np.float32))),
        Representation(terms=[{"a": 1}]),
    ],
)
def test_a_query_of_another_kind_is_rejected(query: Representation) -> None:
    documents = matrix(np.random.default_rng(6), 5)
    with segment(documents) as part:
        for some in (part, delta(documents)):
            with pytest.raises(InvalidInputError, match="sparse"):
                some.search(query, 1, np.ones(5, np.bool_))
