"""The public fakes implement the encoder protocol and apply every option."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from twindex.core import ConfigError, InvalidInputError
from twindex.encoders import (
    DenseEncoderConfig,
    FakeDenseEncoder,
    FakeSparseEncoder,
    SparseEncoderConfig,
    load_encoder,
)
from twindex.encoders.pruning import keep_heaviest


def dense(*texts: str, role: str = "document", **options: object) -> NDArray[np.float32]:
    encoder = load_encoder(DenseEncoderConfig.parse({"model": "fake", **options}))
    vectors = encoder.encode(texts, role=role).dense  # type: ignore[arg-type]
    assert vectors is not None
    return vectors


def sparse(*texts: str, role: str = "document", **options: object) -> csr_array:
    encoder = load_encoder(SparseEncoderConfig.parse({"model": "fake", **options}))
    rows = encoder.encode(texts, role=role).sparse  # type: ignore[arg-type]
    assert rows is not None
    return rows


def test_dense_vectors_are_unit_length_and_deterministic() -> None:
    vectors = dense("a red fox", "the red fox", "deep sea fish", "")
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, 64)
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
    assert np.array_equal(vectors, dense("a red fox", "the red fox", "deep sea fish", ""))


def test_dense_fake_applies_its_options() -> None:
    assert np.linalg.norm(dense("one two", normalize=False)) > 2
    assert np.array_equal(dense("fox", document_prompt="red "), dense("red fox"))
    assert np.array_equal(dense("fox", role="query", query_prompt="red "), dense("red fox"))
    assert np.array_equal(dense("a b c d e f g h i", max_length=8), dense("a b c d e f g h"))
    encoder = FakeDenseEncoder(DenseEncoderConfig(model="fake", max_length=8))
    truncated = encoder.encode(["a b c d e f g h i", "a b"], role="query").truncated
    assert truncated is not None
    assert truncated.tolist() == [True, False]


def test_sparse_weights_are_log_frequencies() -> None:
    rows = sparse("red red fox", "", "fox")
    assert rows.dtype == np.float32
    assert rows.shape == (3, 2**15)
    assert rows.has_sorted_indices
    assert np.diff(rows.indptr).tolist() == [2, 0, 1]
    assert np.allclose(sorted(rows.data[:2]), [np.log(2), np.log(3)])
    assert sparse().shape == (0, 2**15)


def test_sparse_fake_applies_its_options() -> None:
    assert np.allclose(sparse("red red fox", top_terms=1).data, [np.log(3)])
    assert sparse("red red fox", role="query", top_terms=1).nnz == 2
    assert sparse("red red fox", role="query", query_top_terms=1).nnz == 1


def test_term_returns_number_or_raises() -> None:
    encoder = FakeSparseEncoder()
    assert encoder.term(7) == "#7"
    with pytest.raises(InvalidInputError, match="index"):
        encoder.term(2**15)
    with pytest.raises(InvalidInputError):
        FakeDenseEncoder().term(0)


def test_revision_is_rejected() -> None:
    with pytest.raises(ConfigError, match="revision"):
        load_encoder(DenseEncoderConfig(model="fake", revision="main"))


def test_fingerprint_has_only_options_that_change_values() -> None:
    base = FakeDenseEncoder().fingerprint
    assert base == FakeDenseEncoder(DenseEncoderConfig(model="fake", device="cpu")).fingerprint
    assert base != FakeDenseEncoder(DenseEncoderConfig(model="fake", query_prompt="q")).fingerprint
    assert base != FakeSparseEncoder().fingerprint


def test_encode_reports_progress() -> None:
    for encoder in (FakeDenseEncoder(), FakeSparseEncoder()):
        done: list[int] = []
        encoder.encode(["a", "b", "c"], role="document", advance=done.append)
        assert sum(done) == 3


@given(
    st.lists(st.dictionaries(st.integers(0, 30), st.integers(1, 4), max_size=12), max_size=6),
    st.integers(1, 8),
)
def test_keep_heaviest_equals_sorting_each_row(rows: list[dict[int, int]], top: int) -> None:
    matrix = csr_array((len(rows), 31), dtype=np.float32)
    if rows:
        full = np.zeros((len(rows), 31), np.float32)
        for number, row in enumerate(rows):
            full[number, list(row)] = list(row.values())
        matrix = csr_array(full)
    kept = keep_heaviest(matrix, top)
    for number, row in enumerate(rows):
        best = sorted(row.items(), key=lambda item: (-item[1], item[0]))[:top]
        part = slice(kept.indptr[number], kept.indptr[number + 1])
        found = zip(kept.indices[part].tolist(), kept.data[part].tolist(), strict=True)
        assert list(found) == sorted(best)
