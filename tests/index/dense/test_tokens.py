"""Coded vectors of passages with several vectors, against a plain MaxSim of decoded vectors."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from twindex.core import Representation
from twindex.encoders import LateEncoderConfig
from twindex.index import DenseLeg, Int8Codec, ProjectionConfig, ScalarCodec
from twindex.index.dense import tokens_building
from twindex.index.dense.built import FILE, Built
from twindex.index.dense.config import scalar_codecs
from twindex.index.dense.multi import MultiDenseDelta, MultiDenseSegment
from twindex.index.dense.tokens import TokenSegment
from twindex.index.protocol import Mask

WIDTH = 24
Vectors = NDArray[np.float32]


def leg(codec: str = "int8", kept: int | None = None) -> DenseLeg:
    return DenseLeg(
        encoder=LateEncoderConfig(model="fake"),
        codec=Int8Codec() if codec == "int8" else ScalarCodec.model_validate({"kind": codec}),
        projection=None if kept is None else ProjectionConfig(dimensions=kept),
    )


def passages(seed: int, number: int, most: int = 9) -> Representation:
    """Return passages of unit vectors near a few directions."""
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, most + 1, number))])
    # The directions are equal for all seeds, like those of a model.
    directions = np.random.default_rng(99).standard_normal((40, WIDTH))
    dense = directions[rng.integers(0, 40, offsets[-1])]
    dense = dense + rng.standard_normal((offsets[-1], WIDTH)) / 2
    dense = (dense / np.linalg.norm(dense, axis=1, keepdims=True)).astype(np.float16)
    return Representation(dense=dense.astype(np.float32), offsets=offsets)


def stored(directory: Path, texts: Representation, config: DenseLeg) -> MultiDenseSegment:
    directory.mkdir()
    MultiDenseSegment.build(directory, texts, config)
    return MultiDenseSegment.open(directory, config)


def single(part: MultiDenseSegment) -> TokenSegment:
    return part._vectors


def known(part: MultiDenseSegment) -> tuple[Vectors, Any]:
    """Return the decoded vectors, and a function that prepares queries for them."""
    coded = single(part).coded
    assert coded is not None
    projection = coded.projection
    return coded.codec.decode(coded.codes.array), (
        (lambda queries: queries) if projection is None else projection.apply
    )


def max_sim(query: Vectors, passage: Vectors) -> float:
    """Return the MaxSim score by its definition."""
    return sum(max(float(q @ p) for p in passage) for q in query)


@pytest.mark.parametrize("kept", [None, 10])
@pytest.mark.parametrize("codec", scalar_codecs())
def test_scores_are_max_sim_of_decoded_vectors(
    codec: str, kept: int | None, tmp_path: Path
) -> None:
    texts, queries = passages(1, 250), passages(2, 5)
    config = leg(codec, kept)
    part = stored(tmp_path / "a", texts, config)
    if config.storage.lossless:
        assert single(part).coded is None
        vectors, comparable = texts.dense, lambda queries: queries
    else:
        vectors, comparable = known(part)
    rng = np.random.default_rng(3)
    masks: list[Mask | None] = [None, rng.random(250) < 0.6, rng.random(250) < 0.05]
    for allowed in masks:
        found = part.search(queries, 7, allowed)
        for i in range(len(queries)):
            query = comparable(queries.at(i).dense)
            scores = {
                p: max_sim(query, vectors[first:last])
                for p, (first, last) in enumerate(itertools.pairwise(texts.offsets.tolist()))
                if allowed is None or allowed[p]
            }
            best = sorted(scores, key=lambda p: (-scores[p], p))[:7]
            assert found.rows[i].tolist() == best
            np.testing.assert_allclose(found.scores[i], [scores[p] for p in best], rtol=1e-4)


def test_few_vectors_are_stored_as_float16(tmp_path: Path) -> None:
    texts = passages(1, 30)
    part = stored(tmp_path / "a", texts, leg("binary"))
    assert single(part).coded is None
    assert np.load(tmp_path / "a" / "vectors.npy").dtype == np.float16
    np.testing.assert_array_equal(single(part).read(0, len(single(part))), texts.dense)
    description = part.description()
    assert (description["codec"], description["originals"]) == ("float16", "float16")


def test_description_states_how_vectors_are_stored(tmp_path: Path) -> None:
    texts = passages(1, 1_000)
    description = stored(tmp_path / "a", texts, leg("int4", 12)).description()
    assert (description["codec"], description["originals"], description["rows"]) == (
        "int4",
        "none",
        len(texts.dense),
    )
    assert description["projection"]["dimensions"] == 12
    assert 6 + 4 < description["bytes_per_vector"] < 13
    assert 0.5 < description["loss"]["cosine"] < 1


Pieces = list[tuple[MultiDenseSegment, Mask | None]]


def merged(
    directory: Path, sources: Pieces, config: DenseLeg, memory: int = 1 << 24
) -> MultiDenseSegment:
    directory.mkdir(exist_ok=True)
    MultiDenseSegment.merge(directory, sources, config, memory)
    return MultiDenseSegment.open(directory, config)


def live_vectors(source: MultiDenseSegment, texts: Representation, mask: Mask | None) -> Vectors:
    """Return the decoded vectors of the live passages of a source."""
    vectors = single(source).read(0, len(single(source)))
    return vectors if mask is None else vectors[np.repeat(mask, np.diff(texts.offsets))]


@pytest.mark.slow
@settings(deadline=None, max_examples=10)
@given(
    share=st.sampled_from([None, 0.3, 0.8]),
    memory=st.sampled_from([1, 100_000, 1 << 24]),
    kept=st.sampled_from([None, 10]),
)
def test_a_merge_keeps_the_codes_of_its_largest_part(
    share: float | None, memory: int, kept: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    config, sizes = leg("int4", kept), (300, 900, 5)
    texts = [passages(seed, size) for seed, size in enumerate(sizes)]
    sources: Pieces = [
        (
            stored(folder / str(i), one, config),
            None if share is None else np.random.default_rng(i).random(len(one)) < share,
        )
        for i, one in enumerate(texts)
    ]
    part = merged(folder / "merged", sources, config, memory)
    whole = single(part).read(0, len(single(part)))
    small, large, tiny = (
        live_vectors(source, own, mask) for (source, mask), own in zip(sources, texts, strict=True)
    )
    ends = np.cumsum([len(small), len(large), len(tiny)])
    assert len(whole) == ends[-1]
    np.testing.assert_array_equal(whole[ends[0] : ends[1]], large)
    largest = single(sources[1][0]).coded
    assert largest is not None
    fitted_codec = tokens_building.FittedCodec(largest.codec, largest.projection, 0)
    for piece, own in ((whole[: ends[0]], small), (whole[ends[1] :], tiny)):
        # Other block sizes multiply in another order, so rounding can differ.
        assert (
            np.isclose(piece, largest.decoded(fitted_codec.encode(own)), atol=1e-5).mean() > 0.999
        )
    for name in ("codec.npz", "projection.npz")[: 1 if kept is None else 2]:
        assert (folder / "merged" / name).read_bytes() == (folder / "1" / name).read_bytes()
    # Merge again: codes of the adopted codec are copied unchanged.
    again = merged(folder / "again", [(part, None), (sources[2][0], None)], config, memory)
    np.testing.assert_array_equal(single(again).read(0, len(whole)), whole)
    shutil.rmtree(folder)


def test_a_merge_to_another_codec_encodes_decoded_vectors(tmp_path: Path) -> None:
    texts = [passages(seed, 250) for seed in range(2)]
    sources: Pieces = [
        (stored(tmp_path / str(i), one, leg("int8")), None) for i, one in enumerate(texts)
    ]
    part = merged(tmp_path / "merged", sources, leg("binary"))
    parts = zip(sources, texts, strict=True)
    vectors = np.concatenate([live_vectors(source, own, None) for (source, _), own in parts])
    one, other = (own.offsets for own in texts)
    fresh = Representation(vectors, offsets=np.concatenate([one, one[-1] + other[1:]]))
    expected = stored(tmp_path / "fresh", fresh, leg("binary"))
    for name in ("codes.npy", "codec.npz", "storage.json", "offsets.npy"):
        assert (tmp_path / "merged" / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()
    assert len(part) == len(expected) == 500


def test_codes_of_different_codecs_are_never_mixed(tmp_path: Path) -> None:
    """float16 and bfloat16 have no fitted arrays and codes of equal size."""
    texts = [passages(0, 500), passages(1, 250)]
    sources: Pieces = [
        (stored(tmp_path / codec, one, leg(codec)), None)
        for one, codec in zip(texts, ("float16", "bfloat16"), strict=True)
    ]
    vectors = single(merged(tmp_path / "merged", sources, leg("float16"))).read(0, 10_000)
    expected = np.concatenate([live_vectors(source, texts[0], None) for source, _ in sources])
    np.testing.assert_allclose(vectors, expected, atol=1e-3)


def test_a_codec_fitted_on_too_few_vectors_is_refitted(tmp_path: Path) -> None:
    small, config = passages(0, 250), leg("int8")
    first = stored(tmp_path / "0", small, config)
    fitted = Built.load(tmp_path / "0").fitted
    assert fitted == len(small.dense)
    # The other parts are uncompressed. Up to four times the vectors keep the codec.
    plain = [stored(tmp_path / f"p{i}", passages(10 + i, 100), config) for i in range(12)]
    assert all(single(part).coded is None for part in plain)
    part = merged(tmp_path / "few", [(first, None), (plain[0], None)], config)
    assert Built.load(tmp_path / "few").fitted == fitted
    part = merged(tmp_path / "many", [(first, None), *((p, None) for p in plain)], config)
    assert Built.load(tmp_path / "many").fitted == len(single(part)) > 4 * fitted


def test_files_of_an_interrupted_merge_are_replaced(tmp_path: Path) -> None:
    config = leg("int8")
    source = stored(tmp_path / "a", passages(1, 400), config)
    left = tmp_path / "merged"
    left.mkdir()
    for name in ("vectors.npy", FILE, "codes.npy", "other"):
        (left / name).write_bytes(b"half of it")
    part = merged(left, [(source, None)], config)
    assert sorted(path.name for path in left.iterdir()) == sorted(
        ["codec.npz", "codes.npy", "offsets.npy", FILE]
    )
    assert len(part) == 400


def test_a_delta_packs_float16_where_that_is_exact() -> None:
    texts = passages(1, 3)
    packed = MultiDenseDelta.pack(texts)
    lengths = np.diff(texts.offsets).tolist()
    assert [len(data) for data in packed] == [9 + 2 * WIDTH * count for count in lengths]
    assert texts.dense is not None
    exact = Representation(texts.dense + np.float32(1e-6), offsets=texts.offsets)
    assert [len(data) for data in MultiDenseDelta.pack(exact)] == [
        9 + 4 * WIDTH * count for count in lengths
    ]
    # Some rows are in the older format.
    earlier = super(MultiDenseDelta, MultiDenseDelta).pack(exact)
    both = MultiDenseDelta.unpack([*packed, *earlier])
    np.testing.assert_array_equal(both.dense, np.concatenate([texts.dense, exact.dense]))
    np.testing.assert_array_equal(np.diff(both.offsets), lengths * 2)
