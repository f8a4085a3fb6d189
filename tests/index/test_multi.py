"""Searches of passages with several vectors equal MaxSim by its definition.

All numbers are small integers, so sums are exact in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from twindex.core import InvalidInputError, Representation
from twindex.encoders import PromptRepsEncoderConfig
from twindex.index import DenseLeg, HnswConfig, LexicalLeg, SparseLeg
from twindex.index.multi import MultiDelta, MultiSegment, ungrouped
from twindex.index.protocol import Mask, Ranking, is_counted

from .parts import built, delta, examples, files, mask, merged, same, seeds, segment

ENCODER = PromptRepsEncoderConfig(variant="multi_word_multi")
DENSE, SPARSE = DenseLeg(encoder=ENCODER), SparseLeg(encoder=ENCODER)
legs = pytest.mark.parametrize("leg", [DENSE, SPARSE], ids=["dense", "sparse"])
WIDTH, VOCABULARY = 4, 12

Leg = DenseLeg | SparseLeg
shares = st.sampled_from([None, 0.0, 0.1, 0.6, 1.0])


def drawn(rng: np.random.Generator, texts: int, most: int = 4) -> Representation:
    """Texts with one to `most` vectors of both kinds; some sparse ones are empty."""
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, most + 1, texts))])
    dense = rng.integers(-3, 4, (offsets[-1], WIDTH)).astype(np.float32)
    weights = rng.integers(1, 4, (offsets[-1], VOCABULARY))
    weights[rng.random(weights.shape) < 0.8] = 0
    return Representation(dense, csr_array(weights.astype(np.float32)), offsets=offsets)


def taken(texts: Representation, keep: NDArray[Any]) -> Representation:
    """Return the texts at the positions `keep`."""
    parts = [texts.at(int(i)) for i in keep]
    return Representation(
        np.concatenate([np.empty((0, WIDTH), np.float32), *(part.dense for part in parts)]),
        csr_array(
            np.concatenate(
                [np.empty((0, VOCABULARY), np.float32), *(p.sparse.toarray() for p in parts)]
            )
        ),
        offsets=np.concatenate([[0], np.cumsum([part.offsets[-1] for part in parts])]).astype(int),
    )


def matrix(texts: Representation, leg: Leg) -> NDArray[np.float32]:
    return texts.dense if leg is DENSE else texts.sparse.toarray()


def max_sim(query: NDArray[Any], passage: NDArray[Any]) -> float:
    """Return the MaxSim score by its definition."""
    return sum(max(float(q @ p) for p in passage) for q in query)


def reference(
    leg: Leg, texts: Representation, queries: Representation, k: int, allowed: Mask | None
) -> Ranking:
    found = Ranking(np.full((len(queries), k), -1), np.full((len(queries), k), -np.inf, np.float32))
    passages = [matrix(texts.at(row), leg) for row in range(len(texts))]
    for index in range(len(queries)):
        scores = [max_sim(matrix(queries.at(index), leg), passage) for passage in passages]
        best = sorted(
            (-score, row)
            for row, score in enumerate(scores)
            if (allowed is None or allowed[row]) and (leg is DENSE or score > 0)
        )[:k]
        for place, (score, row) in enumerate(best):
            found.rows[index, place], found.scores[index, place] = row, -score
    return found


def equal(one: Representation, other: Representation, leg: Leg) -> None:
    np.testing.assert_array_equal(one.offsets, other.offsets)
    np.testing.assert_array_equal(matrix(one, leg), matrix(other, leg))


@legs
@examples
@given(
    seed=seeds,
    rows=st.sampled_from([0, 1, 40, 300]),
    k=st.sampled_from([1, 10, 400]),
    share=shares,
)
def test_search_equals_brute_force(
    leg: Leg, seed: int, rows: int, k: int, share: float | None
) -> None:
    rng = np.random.default_rng(seed)
    texts, queries, allowed = drawn(rng, rows), drawn(rng, 3), mask(rng, rows, share)
    expected = reference(leg, texts, queries, k, allowed)
    with segment(leg, texts) as part:
        assert len(part) == rows
        assert not is_counted(part)
        same(part.search(queries, k, allowed), expected)
    known = np.ones(rows, np.bool_) if allowed is None else allowed
    some = taken(texts, np.arange(rows // 3))
    growing = delta(leg, some, taken(texts, np.arange(rows // 3, rows)))
    assert len(growing) == rows
    assert not is_counted(growing)
    same(growing.search(queries, k, known), expected)


@legs
def test_results_do_not_depend_on_block_sizes(leg: Leg, monkeypatch: pytest.MonkeyPatch) -> None:
    """With passages longer than a block, and more queries than a group."""
    from twindex.index.dense import maxsim

    monkeypatch.setattr(maxsim, "BLOCK_ROWS", 5)
    monkeypatch.setattr(maxsim, "QUERY_GROUP", 3)
    rng = np.random.default_rng(1)
    texts, queries = drawn(rng, 50, most=9), drawn(rng, 10)
    with segment(leg, texts) as part:
        for allowed in (None, mask(rng, 50, 0.1), mask(rng, 50, 0.7)):
            same(part.search(queries, 20, allowed), reference(leg, texts, queries, 20, allowed))


@legs
def test_texts_without_offsets_have_one_vector(leg: Leg) -> None:
    rng = np.random.default_rng(2)
    texts, queries = drawn(rng, 30, most=1), drawn(rng, 2, most=1)
    plain = Representation(texts.dense, texts.sparse)
    single = Representation(queries.dense, queries.sparse)
    expected = reference(leg, texts, queries, 9, None)
    with segment(leg, plain) as part:
        same(part.search(single, 9, None), expected)
        same(part.search(queries, 9, None), expected)
    same(delta(leg, plain).search(single, 9, np.ones(30, np.bool_)), expected)


@legs
@examples
@given(
    seed=seeds,
    rows=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    share=st.sampled_from([None, 0.0, 0.6]),
    memory=st.sampled_from([1, 3000, 1 << 24]),
)
def test_merge_and_seal_equal_build(
    leg: Leg, seed: int, rows: list[int], share: float | None, memory: int
) -> None:
    rng = np.random.default_rng(seed)
    texts = drawn(rng, sum(rows))
    live = mask(rng, sum(rows), share)
    keep = np.arange(sum(rows)) if live is None else np.flatnonzero(live)
    ends = np.cumsum(rows)
    sources = [
        (taken(texts, np.arange(first, last)), None if live is None else live[first:last])
        for first, last in pairwise([0, *ends.tolist()])
    ]
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        built(root / "built", leg, taken(texts, keep))
        assert files(merged(root, leg, sources, memory)) == files(root / "built")
        if len(texts):  # An empty delta is not sealed.
            built(root / "sealed", leg, delta(leg, texts).rows(keep))
            assert files(root / "sealed") == files(root / "built")


@legs
@examples
@given(seed=seeds, rows=st.integers(0, 12))
def test_packed_passages_are_exact(leg: Leg, seed: int, rows: int) -> None:
    texts = drawn(np.random.default_rng(seed), rows)
    packed = leg.delta_part().pack(texts)
    assert len(packed) == rows
    unpacked = leg.delta_part().unpack(packed)
    if rows:
        equal(unpacked, texts, leg)
        keep = np.arange(rows - 1, -1, -2)
        equal(delta(leg, unpacked).rows(keep), taken(texts, keep), leg)
    else:
        assert len(unpacked) == 0


@legs
@examples
@given(seed=seeds, cut=st.integers(1, 200), more=st.binary(min_size=1, max_size=9))
def test_damaged_passages_of_a_delta_are_refused(
    leg: Leg, seed: int, cut: int, more: bytes
) -> None:
    packed = leg.delta_part().pack(drawn(np.random.default_rng(seed), 1))[0]
    for damaged in (packed[:-cut], packed + more, b"\xff" * 4 + packed[4:], bytes(4) + packed[4:]):
        with pytest.raises(ValueError, match="packed"):
            leg.delta_part().unpack([packed, damaged])


@legs
def test_a_growing_delta_does_not_change_earlier_searches(leg: Leg) -> None:
    rng = np.random.default_rng(3)
    part, query, known = delta(leg, drawn(rng, 40)), drawn(rng, 1), np.ones(40, np.bool_)
    before = part.search(query, 10, known)
    for _ in range(20):
        part.append(drawn(rng, 30))
        same(part.search(query, 10, known), before)


@examples
@given(seed=seeds)
def test_contributions_add_up_to_the_score(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts, query = drawn(rng, 20), drawn(rng, 1)
    weights, query_vectors = matrix(texts, SPARSE), matrix(query, SPARSE)
    with segment(SPARSE, texts) as part:
        ranking = part.search(query, 20, None)
        for row, score in zip(ranking.rows[0].tolist(), ranking.scores[0].tolist(), strict=True):
            if row < 0:
                continue
            own = weights[texts.offsets[row] : texts.offsets[row + 1]]
            best = own[np.argmax(query_vectors @ own.T, axis=1)]  # For each query vector.
            parts = query_vectors * best
            terms = part.explain(query, row)
            assert terms == delta(SPARSE, texts).explain(query, row)
            assert {int(term.term) for term in terms} == set(np.flatnonzero(parts.any(axis=0)))
            assert sum(term.score for term in terms) == pytest.approx(score)
            for term in terms:
                number = int(term.term)
                used = parts[:, number] > 0
                assert term.score == pytest.approx(parts[:, number].sum())
                assert term.query == query_vectors[used, number].sum()
                assert term.query * term.document == pytest.approx(term.score)
                if used.sum() == 1:
                    assert term.document == pytest.approx(best[used, number].item())
                assert best[used, number].min() <= term.document * (1 + 1e-6)
                assert term.document <= best[used, number].max() * (1 + 1e-6)


def test_terms_of_a_passage_are_the_greatest_weights() -> None:
    texts = drawn(np.random.default_rng(4), 30)
    with segment(SPARSE, texts) as part:
        for row in range(30):
            greatest = matrix(texts.at(row), SPARSE).max(axis=0)
            expected = sorted((-greatest[i], str(i)) for i in np.flatnonzero(greatest))
            for some in (part, delta(SPARSE, texts)):
                assert [(-term.weight, term.term) for term in some.terms(row)] == expected


def test_dense_scores_have_no_terms() -> None:
    texts = drawn(np.random.default_rng(5), 3)
    with segment(DENSE, texts) as part:
        for some in (part, delta(DENSE, texts)):
            assert list(some.explain(texts.at(0), 1)) == list(some.terms(1)) == []


@legs
@pytest.mark.parametrize(
    "offsets",
    [[], [1, 3], [0, 2, 2, 3], [0, 2, 1, 3], [0, 2], [0, 4]],
    ids=["none", "late", "empty", "descending", "short", "long"],
)
def test_invalid_offsets_are_refused(leg: Leg, offsets: list[int]) -> None:
    good = drawn(np.random.default_rng(6), 3, most=1)
    wrong = Representation(good.dense, good.sparse, offsets=np.array(offsets, dtype=np.int64))
    part = delta(leg, good)
    uses: list[Callable[[], object]] = [
        lambda: part.append(wrong),
        lambda: part.pack(wrong),
        lambda: part.search(wrong, 1, np.ones(3, np.bool_)),
        lambda: ungrouped(wrong),
    ]
    for use in uses:
        with pytest.raises(InvalidInputError, match="offsets"):
            use()
    assert len(part) == 3


@pytest.mark.parametrize(
    "leg",
    [DenseLeg(), DenseLeg(index=HnswConfig(flat_below=1)), SparseLeg()],
    ids=["flat", "hnsw", "sparse"],
)
def test_a_leg_of_single_vectors_refuses_several(leg: Leg, tmp_path: Path) -> None:
    """Even if the number of vectors happens to equal the number of texts."""
    texts = drawn(np.random.default_rng(7), 3, most=1)
    part = leg.delta_part()(leg)
    part.append(Representation(texts.dense, texts.sparse))
    uses: list[Callable[[], object]] = [
        lambda: leg.segment_part().build(tmp_path, texts, leg),
        lambda: part.append(texts),
        lambda: part.pack(texts),
        lambda: part.search(texts, 1, np.ones(3, np.bool_)),
    ]
    for use in uses:
        with pytest.raises(InvalidInputError, match="one vector"):
            use()
    assert len(part) == 3


@legs
@pytest.mark.parametrize(
    "offsets",
    [
        np.array([], np.int64),
        np.array([0, 2, 2, 5]),
        np.array([0, 3, 2, 5]),
        np.array([1, 3, 4, 5]),
        np.array([0, 3, 4]),
        np.array([0, 3, 4, 6]),
        np.array([0, 3, 4, 5], np.int32),
        np.array([[0, 5]]),
    ],
)
def test_damaged_offsets_are_detected_at_open(
    leg: Leg, offsets: NDArray[Any], tmp_path: Path
) -> None:
    texts = drawn(np.random.default_rng(8), 5, most=1)
    kind = leg.segment_part()
    kind.build(tmp_path, texts, leg)
    np.save(tmp_path / "offsets.npy", offsets)
    with pytest.raises(ValueError, match=r"offsets\.npy"):
        kind.open(tmp_path, leg)
    (tmp_path / "offsets.npy").unlink()
    with pytest.raises(OSError, match=r"offsets\.npy"):
        kind.open(tmp_path, leg)


@legs
def test_queries_of_the_wrong_kind_or_width_are_refused(leg: Leg) -> None:
    texts = drawn(np.random.default_rng(9), 5)
    wide = Representation(np.ones((1, 9), np.float32), csr_array(np.ones((1, 20), np.float32)))
    with segment(leg, texts) as part:
        for some in (part, delta(leg, texts)):
            for query in (wide, Representation(terms=[{"a": 1}])):
                with pytest.raises(InvalidInputError, match=leg.kind):
                    some.search(query, 1, np.ones(5, np.bool_))


def test_only_encoders_with_several_vectors_use_multi_parts() -> None:
    for plain in (DenseLeg(), SparseLeg(), LexicalLeg()):
        assert not issubclass(plain.segment_part(), MultiSegment)
        assert not issubclass(plain.delta_part(), MultiDelta)
    for several in (DENSE, SPARSE):
        assert issubclass(several.segment_part(), MultiSegment)
        assert issubclass(several.delta_part(), MultiDelta)
