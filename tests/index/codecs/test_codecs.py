"""Codecs: precision of decoded vectors, lengths, and scores against decoding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twindex.index import Int8Codec, PqCodec, RabitqCodec, ScalarCodec
from twindex.index.codecs import files
from twindex.index.codecs.floats import Float8E4M3, Float8E5M2
from twindex.index.codecs.scalar import FEW

from ...house import scaled

SCALAR = ("float32", "float16", "bfloat16", "float8_e4m3", "float8_e5m2", "int4", "binary")
CONFIGS = {
    **{kind: ScalarCodec(kind=kind) for kind in SCALAR},
    "int8": Int8Codec(),
    "int8 global": Int8Codec(scope="global"),
}
LOSS = {  # Upper bounds of the mean |x - y|^2 / |x|^2 for normally distributed numbers.
    "float32": 0,
    "float16": 1e-7,
    "bfloat16": 5e-6,
    "float8_e4m3": 1e-3,
    "float8_e5m2": 4e-3,
    "int8": 1e-4,
    "int8 global": 2e-4,
    "int4": 0.02,
    "binary": 0.5,
}


def vectors(n=300, width=24, seed=0):
    random = np.random.default_rng(seed)
    scales = random.uniform(0.5, 2, width)
    return (random.standard_normal((n, width)) * scales).astype(np.float32)


def lengths(of):
    return np.linalg.norm(of, axis=1)


@pytest.fixture(params=CONFIGS)
def name(request):
    return request.param


@pytest.mark.parametrize("width", [1, 2, 7, 24, 67])
def test_decoded_vectors_are_close_and_keep_their_length(name, width):
    sample = vectors(width=width)
    codec = CONFIGS[name].fit(sample)
    sample[5] = 0
    codes = codec.encode(sample)
    assert codes.dtype == np.uint8
    assert codes.shape == (300, codec.stride)
    decoded = codec.decode(codes)
    assert decoded.shape == sample.shape
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(lengths(decoded), lengths(sample), rtol=1e-5)
    if width > 2:
        errors = np.square(decoded - sample).sum(axis=1) / np.maximum(lengths(sample), 1e-9) ** 2
        assert errors.mean() <= LOSS[name]


def test_stride_is_the_number_of_bytes_per_code():
    strides = {name: config.fit(vectors(width=25)).stride for name, config in CONFIGS.items()}
    assert strides == {
        "float32": 100,
        "float16": 54,
        "bfloat16": 54,
        "float8_e4m3": 29,
        "float8_e5m2": 29,
        "int8": 29,
        "int8 global": 29,
        "int4": 17,
        "binary": 8,
    }


@pytest.mark.parametrize("queries", [1, FEW, FEW + 1])
@pytest.mark.parametrize("width", [1, 7, 24, 67])
def test_scores_equal_those_of_decoded_vectors(name, queries, width):
    sample = vectors(n=1100, width=width)
    codec = CONFIGS[name].fit(sample)
    codes, wanted = codec.encode(sample), vectors(n=queries, width=width, seed=1)
    expected = wanted @ codec.decode(codes).T
    found = codec.score(wanted, codes)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_lists_in_one_buffer_are_scored_at_their_offsets(name):
    codec = CONFIGS[name].fit(vectors(width=9))
    codes, wanted = codec.encode(vectors(width=9)), vectors(n=2, width=9, seed=1)
    pieces = [(0, 10), (50, 0), (100, 55)]
    buffer, starts = b"", []
    for first, count in pieces:
        buffer += b"\xff" * 3
        starts.append(len(buffer))
        buffer += codes[first : first + count].tobytes()
    counts = np.array([count for _, count in pieces])
    scores = codec.score_lists(wanted, np.frombuffer(buffer, np.uint8), np.array(starts), counts)
    kept = np.concatenate([np.arange(first, first + count) for first, count in pieces])
    np.testing.assert_allclose(scores, codec.score(wanted, codes[kept]), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (0, 4), (1, 3), (0, -1)])
def test_lists_outside_the_buffer_are_rejected(name, start, count):
    codec = CONFIGS[name].fit(vectors(width=9))
    codes = codec.encode(vectors(n=3, width=9)).reshape(-1)
    with pytest.raises((IndexError, ValueError)):
        codec.score_lists(vectors(n=1, width=9), codes, np.array([start]), np.array([count]))


def test_codes_of_another_stride_are_rejected(name):
    codec = CONFIGS[name].fit(vectors(width=9))
    with pytest.raises(ValueError, match="bytes"):
        codec.decode(np.zeros((2, codec.stride + 1), np.uint8))
    with pytest.raises(ValueError, match="bytes"):
        codec.score(vectors(n=1, width=9), np.zeros((2, codec.stride - 1), np.uint8))


def test_no_vectors_encode_to_no_codes(name):
    codec = CONFIGS[name].fit(vectors())
    codes = codec.encode(vectors()[:0])
    assert codes.shape == (0, codec.stride)
    assert codec.decode(codes).shape == (0, 24)
    assert codec.score(vectors(n=2), codes).shape == (2, 0)


def test_loading_restores_a_saved_codec(name, tmp_path):
    codec = CONFIGS[name].fit(vectors())
    codec.save(tmp_path / "codec.npz")
    again = CONFIGS[name].load(tmp_path / "codec.npz")
    assert (again.width, again.stride) == (codec.width, codec.stride)
    np.testing.assert_array_equal(again.encode(vectors(seed=2)), codec.encode(vectors(seed=2)))
    other = next(config for config in CONFIGS.values() if config.kind != CONFIGS[name].kind)
    with pytest.raises(ValueError, match=r"the kind in codec\.npz must be"):
        other.load(tmp_path / "codec.npz")


def test_damaged_files_are_rejected(tmp_path):
    path, config = tmp_path / "codec.npz", CONFIGS["int8"]
    config.fit(vectors()).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="cannot be read"):
        config.load(path)
    ones = np.ones(3, np.float32)
    for step in (ones[:2], -ones):
        files.write(path, "int8", low=ones, step=step)
        with pytest.raises(ValueError, match="bounds"):
            config.load(path)


@pytest.mark.parametrize("config", [PqCodec(), RabitqCodec()])
def test_codecs_of_faiss_cannot_be_fitted_alone(config):
    with pytest.raises(ValueError, match="cannot be used outside a FAISS index"):
        config.fit(vectors())


@settings(max_examples=scaled(50), deadline=None)
@given(
    values=arrays(
        np.float32,
        (4, 9),
        elements=st.floats(-(2.0**50), 2.0**50, width=32, allow_subnormal=False).filter(
            lambda x: x == 0 or abs(x) > 2.0**-50
        ),
    )
)
@pytest.mark.parametrize("kind", SCALAR)
def test_very_short_and_long_vectors_keep_their_length(kind, values):
    codec = CONFIGS[kind].fit(values)
    decoded = codec.decode(codec.encode(values))
    kept = decoded.any(axis=1) | (kind != "int4")  # Coarse steps can decode to zero.
    np.testing.assert_allclose(lengths(decoded)[kept], lengths(values)[kept], rtol=1e-4)


@pytest.mark.parametrize(
    ("codec", "kind"), [(Float8E4M3, torch.float8_e4m3fn), (Float8E5M2, torch.float8_e5m2)]
)
def test_float8_rounds_like_torch(codec, kind):
    codes = torch.arange(256, dtype=torch.uint8).view(kind).float().numpy()
    known = np.unique(codes[np.isfinite(codes)])
    between = np.concatenate([known[:-1] / 2 + known[1:] / 2, known])
    near = np.concatenate([np.nextafter(between, d) for d in (np.float32(1e9), np.float32(-1e9))])
    random = np.random.default_rng(0).standard_normal(10_000) * np.logspace(-8, 6, 10_000)
    values = np.concatenate([between, near, random]).astype(np.float32)
    values = values[np.abs(values) <= codec.largest]
    expected = torch.from_numpy(values).to(kind).view(torch.uint8).numpy()
    np.testing.assert_array_equal(codec.rounded(values), expected)


@pytest.mark.parametrize("codec", [Float8E4M3, Float8E5M2])
def test_float8_saturates(codec):
    largest = codec.rounded(np.array([codec.largest], np.float32))[0]
    beyond = np.array([1.1, 2, 1e30, np.inf, -2, -np.inf], np.float32) * np.float32(codec.largest)
    expected = [largest] * 4 + [largest | 0x80] * 2
    np.testing.assert_array_equal(codec.rounded(beyond), expected)


def test_bfloat16_rounds_like_torch():
    values = vectors(n=500, width=16)
    codec = CONFIGS["bfloat16"].fit(values)
    cells = np.ascontiguousarray(codec.encode(values)[:, :-4]).view(np.uint16)
    found = (cells.astype(np.uint32) << 16).view(np.float32)
    exponents = np.frexp(np.abs(values).max(axis=1, keepdims=True))[1]
    expected = torch.from_numpy(np.ldexp(values, -exponents)).bfloat16().float().numpy()
    np.testing.assert_array_equal(found, expected)


def test_int8_has_256_steps_and_clamps():
    sample = np.array([[0, -1, 3], [255, 1, 3]], np.float32)
    codec = CONFIGS["int8"].fit(sample)
    codes = codec.encode(np.array([[7, 1, 3], [-9, -5, 0], [999, 0.999, 9]], np.float32))
    np.testing.assert_array_equal(codes[:, :3], [[7, 255, 0], [0, 0, 0], [255, 255, 0]])


def test_int8_global_uses_one_range_for_all_dimensions():
    sample = np.array([[0, 255], [100, 10]], np.float32)
    codec = CONFIGS["int8 global"].fit(sample)
    np.testing.assert_array_equal(codec.encode(sample)[:, :2], [[0, 255], [100, 10]])


def test_int4_clips_rare_large_values():
    sample = vectors(n=2000, width=8)
    sample[0] *= 20
    codec = CONFIGS["int4"].fit(sample)
    decoded = codec.decode(codec.encode(sample[1:]))
    errors = np.square(decoded - sample[1:]).sum() / np.square(sample[1:]).sum()
    assert errors < 0.2  # With steps over the whole range, the error is 0.45.


def test_binary_stores_signs():
    values = np.array([[3.0, -1, 0, 5, -2, 0.1, 7, -7, 1]], np.float32)
    codec = CONFIGS["binary"].fit(values)
    signs = np.array([[1, -1, -1, 1, -1, 1, 1, -1, 1]])
    np.testing.assert_allclose(
        codec.decode(codec.encode(values)), signs * lengths(values) / 3, rtol=1e-6
    )
