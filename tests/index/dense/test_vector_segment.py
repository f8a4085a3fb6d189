"""Segment parts of dense legs, for each kind of index and codec, against brute force."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from twindex.core import ConfigError, MissingExtraError, Representation
from twindex.index import (
    CollectionConfig,
    DenseLeg,
    IvfConfig,
    LocalStore,
    ProjectionConfig,
    ScalarCodec,
    ScannConfig,
    SpannConfig,
    VectorSearch,
)
from twindex.index.dense.segment import VectorSegment
from twindex.index.protocol import Mask
from twindex.index.structures.protocol import STRUCTURES, codecs_of

from ...house import scaled

Vectors = NDArray[np.float32]
PROJECTED = [("flat", "pca"), ("flat", "random"), ("flat", "matryoshka"), ("ivf", "pca")]
"""Pairs of index and projection in the quick tests."""
ROWS, WIDTH = 3_000, 32


def clustered(rows: int, seed: int) -> Vectors:
    """Return unit vectors around 60 centres, near a subspace of 12 dimensions."""
    shared = np.random.default_rng(0)
    centres, axes = shared.standard_normal((60, 12)), shared.standard_normal((12, WIDTH))
    rng = np.random.default_rng(seed)
    inside = centres[rng.integers(0, 60, rows)] + 0.7 * rng.standard_normal((rows, 12))
    made = inside @ axes + 0.5 * rng.standard_normal((rows, WIDTH))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


VECTORS, QUERIES = clustered(ROWS, 1), clustered(40, 2)
SMALL: dict[str, dict[str, int]] = {"flat": {}, "ivf": {"lists": 32}, "hnsw": {}, "spann": {}}
KINDS = [(index, codec) for index in SMALL for codec in codecs_of(STRUCTURES[index])]
GRAPHS = ("hnsw", "spann")
NARROW = ("float16", "bfloat16", "float8_e4m3", "float8_e5m2")
"""Codecs that differ in `decode` only, so the quick tests try them with flat and IVF only."""


def leg(index: str, codec: str | None = None, **more: object) -> DenseLeg:
    own = {} if index == "flat" else {"flat_below": 0}
    value = {"index": {"kind": index, **SMALL.get(index, {}), **own}, **more}
    return DenseLeg.parse(value if codec is None else {**value, "codec": {"kind": codec}})


def built(directory: Path, config: DenseLeg, vectors: Vectors = VECTORS) -> VectorSegment:
    directory.mkdir(exist_ok=True)
    VectorSegment.build(directory, Representation(dense=vectors), config)
    return VectorSegment.open(directory, config)


Shared = Callable[[str, str | None], tuple[Path, VectorSegment]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Build each segment once, for tests that only read, with its folder."""

    @cache
    def made(index: str, codec: str | None) -> tuple[Path, VectorSegment]:
        folder = tmp_path_factory.mktemp("shared")
        return folder, built(folder, leg(index, codec))

    return made


def best(
    queries: Vectors, vectors: Vectors, k: int, allowed: Mask | None = None
) -> NDArray[np.int64]:
    scores = queries @ vectors.T
    if allowed is not None:
        scores[:, ~allowed] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def recall(found: NDArray[np.int64], true: NDArray[np.int64]) -> float:
    return float(
        np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, true, strict=True)])
    )


each_kind = pytest.mark.parametrize(
    ("index", "codec"),
    [
        pytest.param(index, codec, marks=[pytest.mark.slow] * (index in GRAPHS and codec in NARROW))
        for index, codec in KINDS
    ],
)


@each_kind
def test_every_kind_reaches_its_recall_target(index: str, codec: str, shared: Shared) -> None:
    folder, part = shared(index, codec)
    queries = Representation(dense=QUERIES)
    found = part.search(queries, 10, None)
    assert recall(found.rows, best(QUERIES, VECTORS, 10)) > 0.93  # Target: .98 of a sample.
    exact = np.einsum("qd,qkd->qk", QUERIES, VECTORS[found.rows])
    np.testing.assert_allclose(found.scores, exact, atol=2e-3)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    # A recall of 1 means every vector is compared.
    sure = part.tuned(VectorSearch(recall=1)).search(queries, 10, None)
    assert recall(sure.rows, best(QUERIES, VECTORS, 10)) > 0.995  # Originals may be float16.
    # A single query and a batch give equal results.
    alone = part.search(Representation(dense=QUERIES[:1]), 10, None)
    np.testing.assert_array_equal(alone.rows[0], found.rows[0])
    description = part.description()
    assert json.loads(json.dumps(description)) == description
    assert (description["rows"], description["index"], description["codec"]) == (ROWS, index, codec)
    size = sum(file.stat().st_size for file in folder.iterdir())
    assert description["bytes_per_vector"] == size / ROWS


@pytest.mark.parametrize("index", SMALL)
@pytest.mark.parametrize("share", [0.004, 0.1, 0.5])
def test_filtered_searches_return_k_allowed_rows(index: str, share: float, shared: Shared) -> None:
    allowed = np.random.default_rng(3).random(ROWS) < share
    part = shared(index, None)[1]
    k = min(10, int(allowed.sum()))
    found = part.search(Representation(dense=QUERIES), k, allowed)
    assert allowed[found.rows].all()
    assert recall(found.rows, best(QUERIES, VECTORS, k, allowed)) > 0.93
    nothing = part.search(Representation(dense=QUERIES), 5, np.zeros(ROWS, np.bool_))
    assert (nothing.rows == -1).all()
    assert np.isneginf(nothing.scores).all()


@pytest.mark.parametrize("index", SMALL)
def test_merge_equals_build_of_the_live_rows(index: str, tmp_path: Path) -> None:
    config = leg(index) if index != "flat" else leg(index, "int8")
    live = np.random.default_rng(4).random(1_500) < 0.8
    sources = [
        # The storage of the sources does not matter.
        (built(tmp_path / "a", leg("flat", "float16"), VECTORS[:1_500]), live),
        (built(tmp_path / "b", config, VECTORS[1_500:]), None),
    ]
    (tmp_path / "m").mkdir()
    VectorSegment.merge(tmp_path / "m", sources, config, 100_000)
    merged = VectorSegment.open(tmp_path / "m", config)
    kept = np.concatenate([VECTORS[:1_500][live], VECTORS[1_500:]])
    np.testing.assert_allclose(merged.read(0, len(merged)), kept, atol=1e-3)
    found = merged.search(Representation(dense=QUERIES), 10, None)
    assert recall(found.rows, best(QUERIES, kept, 10)) > 0.93
    if index != "hnsw":  # Graphs depend on the order of threads.
        at_once = built(tmp_path / "o", config, kept.astype(np.float16).astype(np.float32))
        again = at_once.search(Representation(dense=QUERIES), 10, None)
        np.testing.assert_array_equal(found.rows, again.rows)


@pytest.mark.parametrize(
    "index", ["flat", "ivf", "spann", pytest.param("hnsw", marks=pytest.mark.slow)]
)
def test_without_originals_decoded_codes_are_searched(
    index: str, shared: Shared, tmp_path: Path
) -> None:
    codec = "int8" if index != "flat" else "float8_e4m3"
    kept = shared(index, codec)[1]
    none = built(tmp_path / "n", leg(index, codec, originals="none"))
    assert not (tmp_path / "n" / "vectors.npy").exists()
    assert none.description()["bytes_per_vector"] < kept.description()["bytes_per_vector"]
    decoded = none.read(0, ROWS)
    assert 1e-6 < np.abs(decoded - VECTORS).max() < 0.1
    found = none.search(Representation(dense=QUERIES), 10, None)
    assert recall(found.rows, best(QUERIES, VECTORS, 10)) > 0.85
    (tmp_path / "m").mkdir()
    VectorSegment.merge(tmp_path / "m", [(none, None), (kept, None)], leg(index, codec), 1 << 20)
    merged = VectorSegment.open(tmp_path / "m", leg(index, codec))
    np.testing.assert_allclose(merged.read(0, ROWS), decoded, atol=1e-3)


@pytest.mark.parametrize(
    ("index", "kind"),
    [
        pytest.param(index, kind, marks=[pytest.mark.slow] * ((index, kind) not in PROJECTED))
        for index in ("flat", "ivf", "hnsw")
        for kind in ("pca", "random", "matryoshka")
    ],
)
def test_queries_keep_their_width_under_a_projection(index: str, kind: str, tmp_path: Path) -> None:
    projection = {"kind": kind, "share": 0.5}
    config = leg(index, projection=projection)
    part = built(tmp_path / "a", config)
    assert part.width == WIDTH
    found = part.search(Representation(dense=QUERIES), 10, None)
    assert recall(found.rows, best(QUERIES, VECTORS, 10)) > 0.93  # Scores are rescored or exact.
    np.testing.assert_allclose(part.read(5, 9), VECTORS[5:9], atol=1e-3)
    bare = built(tmp_path / "n", leg(index, projection=projection, originals="none"))
    assert bare.read(0, 3).shape == (3, WIDTH)
    lengths = np.linalg.norm(bare.read(0, ROWS), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=0.02)


def test_a_higher_recall_target_costs_more_work(tmp_path: Path) -> None:
    part = built(tmp_path / "a", leg("ivf", "float32"))
    levels = part.description()["calibration"]["levels"]["10"]
    recalls = [level["recall"] for level in levels]
    assert recalls == sorted(recalls)
    assert 0 < recalls[0] < 0.9 < recalls[-1]
    queries = Representation(dense=QUERIES)
    true = best(QUERIES, VECTORS, 10)
    reached = [
        recall(part.tuned(VectorSearch(recall=target)).search(queries, 10, None).rows, true)
        for target in (0.5, 0.9, 0.99)
    ]
    assert reached == sorted(reached)
    assert reached[0] < 0.97 < reached[-1]
    given = part.tuned(VectorSearch(nprobe=1)).search(queries, 10, None).rows
    assert recall(given, true) < 0.9
    everything = part.tuned(VectorSearch(nprobe=32)).search(queries, 10, None).rows
    np.testing.assert_array_equal(everything, true)


def test_explicit_oversampling_is_used(tmp_path: Path) -> None:
    part = built(tmp_path / "a", leg("flat", "binary"))
    queries = Representation(dense=QUERIES)
    true = best(QUERIES, VECTORS, 10)
    reached = []
    for oversample in (0, 1, 4, 16):
        found = part.tuned(VectorSearch(oversample=oversample)).search(queries, 10, None)
        reached.append(recall(found.rows, true))
    assert reached[0] == reached[1] < reached[2] < reached[3]
    codes = part.tuned(VectorSearch(oversample=0)).search(queries, 10, None)
    exact = np.einsum("qd,qkd->qk", QUERIES, VECTORS[codes.rows])
    assert np.abs(codes.scores - exact).max() > 0.01


@settings(deadline=None, max_examples=scaled(25))
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 60),
    k=st.integers(1, 70),
    index=st.sampled_from(list(SMALL)),
    spread=st.sampled_from([0.0, 1.0]),
)
def test_every_vector_of_a_small_segment_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    rows: int,
    k: int,
    index: str,
    spread: float,
) -> None:
    """Equal vectors, zeros, fewer vectors than lists or results."""
    rng = np.random.default_rng(seed)
    vectors = (rng.integers(-2, 3, (rows, 4)) * spread).astype(np.float32)
    config = leg(index)
    part = built(tmp_path_factory.mktemp("few"), config, vectors)
    queries = rng.integers(-2, 3, (2, 4)).astype(np.float32)
    found = part.search(Representation(dense=queries), min(k, rows), None)
    assert all(len(set(row)) == min(k, rows) for row in found.rows.tolist())
    sure = part.tuned(VectorSearch(recall=1)).search(
        Representation(dense=queries), min(k, rows), None
    )
    expected = np.sort(queries @ vectors.T, axis=1)[:, ::-1][:, : min(k, rows)]
    np.testing.assert_allclose(sure.scores, expected)


def test_values_too_large_for_float16_are_stored_as_float32(tmp_path: Path) -> None:
    vectors = VECTORS * np.float32(1e6)
    part = built(tmp_path / "a", leg("flat", "int8"), vectors)
    np.testing.assert_array_equal(part.read(0, ROWS), vectors)
    found = part.search(Representation(dense=QUERIES), 10, None)
    assert recall(found.rows, best(QUERIES, vectors, 10)) > 0.95


def test_values_too_small_for_float16_are_stored_as_float32(tmp_path: Path) -> None:
    vectors = VECTORS * np.float32(1e-7)
    vectors[7] = 0  # float16 can store zeros.
    segment = built(tmp_path, leg("flat", "int8"), vectors)
    assert segment.description()["originals"] == "float32"
    found = segment.search(Representation(dense=QUERIES), 10, None)
    assert recall(found.rows, best(QUERIES, vectors, 10)) > 0.95


@pytest.mark.parametrize("originals", ["none", "float16"])
def test_a_graph_search_accepts_k_above_its_size(originals: str, tmp_path: Path) -> None:
    segment = built(tmp_path, leg("hnsw", "int8", originals=originals))
    allowed = np.arange(ROWS) == 5
    deep = segment.tuned(VectorSearch(ef=1_000_000))
    found = deep.search(Representation(dense=QUERIES), 10, allowed)
    assert (found.rows[:, 0] == 5).all()


def test_files_of_an_interrupted_build_are_replaced(tmp_path: Path) -> None:
    """Documents may be replaced before the next build and leave too few for an index."""
    built(tmp_path / "a", leg("spann"))
    (tmp_path / "a" / "scratch").mkdir()
    part = built(tmp_path / "a", DenseLeg(index=SpannConfig()), VECTORS[:50])
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["vectors.npy"]
    np.testing.assert_allclose(part.read(0, 50), VECTORS[:50], atol=1e-3)


def test_small_segments_are_searched_exactly(tmp_path: Path) -> None:
    few = VECTORS[:500]
    for index, kept in (("flat", "float32"), ("flat", "float16")):
        name = f"{index}-{kept}"
        codec = "float32" if kept == "float32" else "binary"
        part = built(tmp_path / name, leg(index, codec), few)
        assert [file.name for file in (tmp_path / name).iterdir()] == ["vectors.npy"]
        assert part.description()["parameters"] == "exact"
        assert part.description()["codec"] == kept


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: "no JSON",
        lambda value: json.dumps({**value, "format": 99}),
        lambda value: json.dumps({**value, "rows": 5}),
        lambda value: json.dumps({**value, "width": 5}),
        lambda value: json.dumps({**value, "storage": {"index": {"kind": "magic"}}}),
        lambda value: json.dumps({**value, "calibration": None}),
        lambda value: "[]",
    ],
)
def test_a_damaged_storage_json_is_rejected(damage: object, tmp_path: Path) -> None:
    built(tmp_path / "a", leg("flat", "int8"))
    file = tmp_path / "a" / "storage.json"
    file.write_text(damage(json.loads(file.read_text())))  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"storage\.json|vectors\.npy"):
        VectorSegment.open(tmp_path / "a", DenseLeg())


def test_missing_search_parameters_come_from_the_configuration(tmp_path: Path) -> None:
    index = {"kind": "ivf", "lists": 32, "flat_below": 0}
    config = DenseLeg.parse({"index": {**index, "nprobe": 3}})
    part = built(tmp_path / "a", config)
    parameters = part.parameters(VectorSearch(oversample=7), 10)
    assert parameters == {"nprobe": 3, "oversample": 7}
    aimed = built(tmp_path / "b", DenseLeg.parse({"index": {**index, "recall": 0.5}}))
    little = aimed.parameters(VectorSearch(oversample=7), 10)
    much = aimed.parameters(VectorSearch(recall=0.97), 10)
    assert little is not None
    assert much is not None
    assert little["nprobe"] < much["nprobe"]


@each_kind
def test_description_reports_the_loss_of_the_codec(index: str, codec: str, shared: Shared) -> None:
    loss = shared(index, codec)[1].description()["loss"]
    if codec in ("float32", "rabitq") or (index, codec) == ("flat", "float16"):
        assert loss is None
    else:
        coarse = codec in ("binary", "pq")
        exact = codec == "float16"  # Only the float16 originals lose precision.
        assert (0 if exact else 1e-6) <= loss["squared_error"] < (0.5 if coarse else 0.02)
        assert (0.4 if coarse else 0.8) < loss["recall_at_10"] <= 1
        assert (0.8 if coarse else 0.98) < loss["cosine"] <= 1 + 1e-6


def test_a_missing_library_is_reported_before_files_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twindex.index.dense.config.find_spec", lambda name: None)
    config = CollectionConfig(legs={"dense": DenseLeg(index=ScannConfig())})
    with pytest.raises(MissingExtraError, match=r"twindex\[scann\]"):
        LocalStore.create(tmp_path / "c", config)
    assert not (tmp_path / "c").exists()


def test_conflicting_configurations_are_rejected() -> None:
    for index, codec in (("scann", None), ("flat", "rabitq")):
        with pytest.raises(ConfigError, match="originals must be kept"):
            leg(index, codec, originals="none")
    with pytest.raises(Exception, match="does not support codec pq"):
        leg("hnsw", "pq")
    with pytest.raises(Exception, match="give one"):
        IvfConfig(recall=0.9, nprobe=3)
    with pytest.raises(Exception, match="give one"):
        VectorSearch(recall=0.9, nprobe=3)
    with pytest.raises(Exception, match="exactly one"):
        ProjectionConfig()
    assert DenseLeg(index=SpannConfig()).storage.used_codec is not None
    assert DenseLeg(codec=ScalarCodec(kind="float16")).storage.kept == "float16"
