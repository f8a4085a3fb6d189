"""Inner products with gathered rows, against numpy, and the conversion of all float16 bits."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from twindex.index import Int8Codec, ScalarCodec
from twindex.index.codecs import gather, kernels
from twindex.index.codecs.gather import dot_rows
from twindex.index.codecs.half import by_bits, widened
from twindex.index.codecs.warm import warm

KERNELS = (kernels.score_lists, kernels.decode, gather._dot)


@pytest.mark.parametrize("conversion", [widened, njit(by_bits)])
def test_every_float16_is_widened_exactly(conversion):
    @njit
    def convert(bits, into):
        for place in range(len(bits)):
            into[place] = conversion(bits[place])

    bits = np.arange(1 << 16, dtype=np.uint16)
    expected = bits.view(np.float16).astype(np.float32)
    found = np.empty_like(expected)
    convert(bits, found)
    np.testing.assert_array_equal(found, expected)
    signed = np.signbit(found) == np.signbit(expected)
    assert signed[~np.isnan(expected)].all()


def reference(queries, matrix, rows):
    products = queries @ matrix.astype(np.float32).T
    found = np.take_along_axis(products, np.maximum(rows, 0), axis=1)
    return np.where(rows < 0, -np.inf, found)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(("queries", "candidates", "width"), [(1, 1, 1), (3, 50, 17), (2, 0, 8)])
def test_dot_rows_equals_numpy(dtype, queries, candidates, width):
    random = np.random.default_rng(0)
    matrix = random.standard_normal((40, width)).astype(dtype)
    wanted = random.standard_normal((queries, width)).astype(np.float32)
    rows = random.integers(-1, 40, (queries, candidates))
    found = dot_rows(wanted, matrix, rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference(wanted, matrix, rows), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_reads_mapped_and_unaligned_matrices(tmp_path, dtype):
    random = np.random.default_rng(0)
    matrix = random.standard_normal((20, 9)).astype(dtype)
    queries = random.standard_normal((2, 9)).astype(np.float32)
    rows = random.integers(-1, 20, (2, 30))
    np.save(tmp_path / "m.npy", matrix)
    (tmp_path / "raw").write_bytes(b"x" + matrix.tobytes())
    mapped = np.load(tmp_path / "m.npy", mmap_mode="r")
    odd = np.memmap(tmp_path / "raw", dtype=dtype, mode="r", offset=1, shape=(20, 9))
    assert not odd.flags.aligned
    for stored in (mapped, odd):
        found = dot_rows(queries, stored, rows)
        np.testing.assert_allclose(found, reference(queries, matrix, rows), rtol=1e-4, atol=1e-5)


def test_mismatched_shapes_and_rows_are_rejected():
    matrix, queries = np.zeros((5, 4), np.float32), np.zeros((2, 4), np.float32)
    with pytest.raises(IndexError):
        dot_rows(queries, matrix, np.array([[0], [5]]))
    with pytest.raises(ValueError, match="matrix"):
        dot_rows(queries[:, :3], matrix, np.array([[0], [1]]))
    with pytest.raises(ValueError, match="rows"):
        dot_rows(queries, matrix, np.array([[0]]))


def test_warm_compiles_all_that_searches_need(tmp_path):
    warm()
    compiled = [len(kernel.signatures) for kernel in KERNELS]
    assert all(compiled)
    vectors = np.random.default_rng(0).standard_normal((30, 9)).astype(np.float32)
    rows = np.zeros((2, 3), np.int64)
    for dtype in (np.float16, np.float32):
        np.save(tmp_path / "m.npy", vectors.astype(dtype))
        dot_rows(vectors[:2], np.load(tmp_path / "m.npy", mmap_mode="r"), rows)
    for config in (ScalarCodec(kind="binary"), Int8Codec()):
        codec = config.fit(vectors)
        np.save(tmp_path / "codes.npy", codec.encode(vectors))
        codes = np.load(tmp_path / "codes.npy", mmap_mode="r")
        codec.score(vectors[:1], codes)
        codec.score(vectors, codec.encode(vectors))
        codec.decode(codes)
    assert [len(kernel.signatures) for kernel in KERNELS] == compiled
